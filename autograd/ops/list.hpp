#pragma once

#include <cadena/autograd/core/doc.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace cadena {

/// A function of tensors, as generic tests call it. Operators with several outputs give one of
/// them.
using OperatorCall = std::function<Tensor(std::span<const Tensor>)>;

/// One way to call an operator, with inputs to try it on: float64 where a gradient flows.
struct Sample {
  std::string what;  ///< What is special: "keepdim", "at its seam", "rows broadcast", ...
  std::vector<Tensor> inputs;
  OperatorCall call;
  bool gradient = true;  ///< Whether the derivative exists (or is a stated subgradient) there.
  bool enlarge = true;   ///< Off where the cost grows too fast for a test with larger inputs.
};

/// A scalar reference for elementwise functions, one argument an input.
using Reference = std::function<long double(std::span<const long double>)>;

/// An operator as generic tests and the manual see it.
struct OperatorEntry {
  Doc doc;
  std::vector<Sample> samples;
  bool differentiable = true;
  Reference reference = {};  ///< Elementwise functions only.
  double low = 0, high = 0;  ///< Where samples of these are drawn.
  const char* family = "";
  /// Where float64 results may be off by ulps of a number larger than they are: that number.
  Reference scale = {};
};

/// All operators, a family after the other. Gradient sweeps, sweeps of wrong input, comparisons of
/// dtypes, strides and thread numbers, and the table in the manual run over it.
class OpList {
 public:
  /// What is added from here on belongs to this family: its heading in the manual.
  void begin(const char* family) { family_ = family; }

  void add(OperatorEntry entry) {
    entry.family = family_;
    entries_.push_back(std::move(entry));
  }

  /// An elementwise function of one input: samples at `points` (its seams and 0), at both
  /// neighbours of each, and at random places of [low, high].
  void add_unary(const Doc& doc, const std::function<Tensor(const Tensor&)>& f,
                 const std::function<long double(long double)>& reference, double low, double high,
                 const std::vector<double>& points = {0.0},
                 const std::function<long double(long double)>& scale = {});
  /// An elementwise function of two inputs: samples at all pairs of `points` of each, at random
  /// places, and with either input broadcast.
  void add_binary(const Doc& doc, const std::function<Tensor(const Tensor&, const Tensor&)>& f,
                  const std::function<long double(long double, long double)>& reference, double low,
                  double high, const std::vector<double>& first, const std::vector<double>& second);

  const std::vector<OperatorEntry>& entries() const { return entries_; }

 private:
  std::vector<OperatorEntry> entries_;
  const char* family_ = "";
};

/// The list, made at the first call.
const OpList& operators();

/// The distribution function of the standard normal for x that float64 has, to about 2^-62 of it.
long double reference_normal_cdf(long double x);

/// x tanh(ln(1 + e^x)).
long double reference_mish(long double x);

/// ln |gamma(x)|.
long double reference_lgamma(long double x);
/// The n-th derivative of digamma, digamma itself for n = 0.
long double reference_polygamma(int n, long double x);
// On the negative axis these cross zero where large terms cancel: what float64 rounds there is of
// this size. 0 where there is no such place.
long double scale_of_lgamma(long double x);
long double scale_of_polygamma(int n, long double x);

/// float64 values in [low, high], the same at each call with the same arguments.
Tensor sample_values(const Shape& shape, double low, double high, std::uint64_t seed = 0);

namespace ops {

// Each at the end of its family's file.
void list_arithmetic(OpList& list);
void list_functions(OpList& list);
void list_trigonometric(OpList& list);
void list_gamma(OpList& list);
void list_activations(OpList& list);
void list_comparisons(OpList& list);
void list_logic(OpList& list);
void list_rounding(OpList& list);
void list_special_values(OpList& list);
void list_layout(OpList& list);
void list_broadcast(OpList& list);
void list_variance(OpList& list);
void list_extremes(OpList& list);
void list_counts(OpList& list);
void list_prod(OpList& list);
void list_norms(OpList& list);
void list_scans(OpList& list);
void list_sorting(OpList& list);
void list_searches(OpList& list);
void list_slices(OpList& list);
void list_gather(OpList& list);
void list_index(OpList& list);
void list_rearrange(OpList& list);
void list_triangles(OpList& list);
void list_embedding(OpList& list);
void list_joins(OpList& list);
void list_products(OpList& list);
void list_contractions(OpList& list);
void list_einsum(OpList& list);
void list_determinants(OpList& list);
void list_solvers(OpList& list);
void list_factorizations(OpList& list);
void list_spectra(OpList& list);
void list_softmax(OpList& list);
void list_cross_entropy(OpList& list);
void list_dropout(OpList& list);
void list_random(OpList& list);
void list_normalize(OpList& list);
void list_batch_norm(OpList& list);

}  // namespace ops
}  // namespace cadena
