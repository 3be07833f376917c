#pragma once

// Parts of gradcheck that its sources share; not for users.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/graph/observer.hpp>

#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace cadena::detail {

/// Random numbers that depend on the seed alone (SplitMix64, Steele, Lea and Flood 2014).
class CheckRandom {
 public:
  explicit CheckRandom(std::uint64_t seed) noexcept : state_(seed ^ 0x6a09e667f3bcc909U) {}
  std::uint64_t bits() noexcept;
  double sign() noexcept { return (bits() & 1) != 0 ? 1 : -1; }
  double uniform() noexcept;  ///< In (0, 1).
  double normal() noexcept;
  /// In [0, n), for n >= 1.
  std::int64_t below(std::int64_t n) noexcept {
    return static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(n));
  }

 private:
  std::uint64_t state_;
};

/// Something that derivatives are taken with respect to.
struct Variable {
  std::string name;
  Tensor value;                ///< Outside of graphs, with its own strides.
  Cell cell;                   ///< Undefined for an input.
  std::vector<double> values;  ///< In row-major order.
  double scale = 1;            ///< Typical size of its elements; 1 if all are 0.

  Variable(std::string its_name, Tensor its_value, Cell its_cell = {});
  std::int64_t numel() const noexcept { return static_cast<std::int64_t>(values.size()); }
  /// The number of the variable's dtype nearest to x.
  double rounded(double x) const noexcept;
};

/// An element of a function's results: which output, and where in it.
struct OutputElement {
  std::size_t output;
  std::int64_t element;
};

/// The floating outputs of a function: what they are called, and where their elements begin in the
/// list of all.
struct OutputList {
  std::vector<std::string> names;
  std::vector<Type> types;
  std::vector<std::int64_t> begins{0};
  std::int64_t numel() const noexcept { return begins.back(); }
  OutputElement at(std::int64_t index) const noexcept;
};

/// A run of the function with its graph.
struct Recorded {
  std::vector<Tensor> leaves;
  std::vector<Tensor> outputs;  ///< Floating ones.
  std::vector<double> values;   ///< Of all elements of `outputs`.
};

/// Gradients by backward, one a variable; empty where the graph does not lead.
using Pulled = std::vector<std::vector<double>>;

/// Values of variables other than their own; an empty vector stands for the variable's own.
using Place = std::vector<std::vector<double>>;

/// A function of variables. It is called with leaves in the variables' order; those of cells are
/// placed in the cells before. After each call cells are as they were, whatever the function did to
/// them.
class Problem {
 public:
  using Function = std::function<std::vector<Tensor>(std::span<const Tensor> leaves)>;
  using OutputName = std::function<std::string(std::size_t)>;

  Problem(std::vector<Variable> variables, Function function, OutputName output_name);
  Problem(const Problem&) = delete;
  Problem& operator=(const Problem&) = delete;

  const std::vector<Variable>& variables() const noexcept { return variables_; }
  const OutputList& outputs() const noexcept { return outputs_; }
  std::int64_t evaluations() const noexcept { return evaluations_; }
  /// How outputs elsewhere differ in number, dtype or shape from those of the first call, in words;
  /// empty if they do not.
  const std::string& misfit() const noexcept { return misfit_; }

  /// The function at the variables' own values and strides (errors pass), or elsewhere. Error if
  /// its outputs are not those of the first call in number, dtype and shape.
  Recorded record(const Place& place = {}, Observer* observer = nullptr);
  /// All output elements with variable v at other values; NaN if the function throws an Error
  /// there, or has other outputs.
  void evaluate(std::size_t v, std::span<const double> values, std::vector<double>& results,
                Observer* observer = nullptr);
  /// The same with all variables elsewhere.
  void evaluate(const Place& place, std::vector<double>& results, Observer* observer = nullptr);

  /// The gradient of the sum of cotangent · outputs with respect to any tensors of the graph;
  /// undefined where the graph does not lead.
  static std::vector<Tensor> gradients(const Recorded& at, const OutputList& outputs,
                                       std::span<const double> cotangent,
                                       std::span<const Tensor> with_respect_to);
  /// The same with respect to the leaves.
  static Pulled pull(const Recorded& at, const OutputList& outputs,
                     std::span<const double> cotangent);

  /// The function that gives this one's gradients: its variables are this one's and one upstream
  /// gradient for each output, drawn from `random`. This problem must outlive it.
  Problem gradient(CheckRandom& random);

 private:
  class Restoring;
  std::vector<Tensor> call(std::span<const Tensor> leaves);
  std::vector<Tensor> own_leaves() const;
  Tensor leaf(std::size_t v, std::span<const double> values) const;
  void check_fit(std::span<const Tensor> outputs);

  std::vector<Variable> variables_;
  Function function_;
  OutputName output_name_;
  OutputList outputs_;
  std::vector<Tensor> base_;  // leaves at the inputs' own values; undefined for cells
  std::int64_t evaluations_ = 0;
  std::string misfit_;
};

/// Moves each result of an operator by one unit in its last place, up or down by lot: what comes
/// out differs by the rounding errors of the whole computation, those included that a small change
/// of the inputs does not show (D. Stott Parker, Monte Carlo Arithmetic, 1997).
class RoundingNoise final : public Observer {
 public:
  explicit RoundingNoise(std::uint64_t seed) noexcept : random_(seed) {}
  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override;

 private:
  std::mutex mutex_;
  CheckRandom random_;
};

/// Compares gradients of a problem with numerical ones, and adds to the report. False if the
/// problem is no function, for two calls with the same inputs differ: that is all that is reported
/// then.
bool compare(Problem& problem, int order, const GradcheckOptions& options, GradcheckReport& report);

/// Checks a problem up to the order asked for, and gives the verdict. The order at which an
/// operator may be to blame, or 0.
int check_orders(Problem& problem, const GradcheckOptions& options, GradcheckReport& report);

/// Looks for the operator that makes the problem fail at this order.
void locate(Problem& problem, int order, const GradcheckOptions& options, GradcheckReport& report);

}  // namespace cadena::detail
