#pragma once

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace cadena {

struct GradcheckOptions {
  int order = 1;           ///< 2: the gradient of the gradient too, by create_graph.
  std::uint64_t seed = 0;  ///< Of random directions; the same seed gives the same report.
  std::int64_t max_elements =
      64;                    ///< Inputs and outputs up to this size are checked in full; >= 1.
  int directions = 8;        ///< Random directions for larger inputs; >= 0, not both this and
  int sampled_elements = 8;  ///< elements of larger inputs that are checked one by one are 0.
  /// What a derivative may be off by besides the estimated error, relative to its own size; >= 0.
  double tolerance = 1e-8;
  bool allow_kinks = true;  ///< Accept a gradient between both slopes of a kink.
  bool locate = true;       ///< After a failure, look for the operator that is wrong.
  int max_failures = 8;     ///< The check stops after so many; >= 1.
};

enum class Verdict {
  passed,
  failed,
  inconclusive,  ///< Nothing wrong was seen, but some derivatives could not be computed
                 ///< numerically, or nothing was compared.
};

/// One comparison of a derivative by backward with a numerical one.
struct GradcheckPlace {
  int order = 1;
  std::string input;  ///< "input 0", "hidden.weight", "upstream gradient of output 0"
  Shape input_shape;
  std::int64_t input_element = -1;  ///< In row-major order; -1: along a random direction.
  std::string output;               ///< "output 0", "gradient of input 1"
  Shape output_shape;
  std::int64_t output_element = -1;  ///< -1: a random combination of elements of all outputs.
  double gradient = 0;               ///< By backward.
  double numerical = 0;              ///< By Ridders' extrapolation.
  double error = 0;                  ///< Estimated, of `numerical`.
  double allowed = 0;                ///< Largest difference that passes.
  double ratio = 0;                  ///< |gradient - numerical| / allowed: fails above 1.
  bool reached = true;               ///< Whether the graph leads to the input at all.
};

/// A place where there is no plain derivative to compare with.
struct GradcheckNote {
  enum class Kind {
    kink,        ///< The slopes from both sides differ.
    jump,        ///< The function's values from both sides differ.
    edge,        ///< The function has values on one side alone.
    infinite,    ///< The slope grows without end.
    not_finite,  ///< The function, or all that is near, is infinite or NaN.
    unresolved,  ///< The numerical derivative does not settle.
  };
  Kind kind = Kind::kink;
  GradcheckPlace place;
  double left = 0, right = 0;  ///< Slopes from both sides, where there are.
};

/// The operator that makes a gradient wrong.
struct GradcheckCulprit {
  std::int64_t node = -1;  ///< Its number in `graph_of` the outputs; -1 inside of a derivative.
  std::string name, attributes;
  std::string inside;   ///< If it is part of another operator's derivative: "mish #4".
  int order = 1;        ///< 2: its gradient is right, the gradient of that is not.
  std::string problem;  ///< What is wrong, in words.
  int input = -1;       ///< Which operand's gradient is wrong; -1 unknown.
  std::optional<GradcheckPlace> place;  ///< The operator alone, checked with its own operands.
};

/// What was done for one input or cell.
struct GradcheckInput {
  std::string name;
  Shape shape;
  Dtype dtype = Dtype::float64;  ///< As it was given.
  bool checked = true;           ///< Not so for integers and booleans.
  bool strided = false;          ///< Not contiguous.
  std::int64_t elements = 0;     ///< Checked one by one.
  int directions = 0;            ///< Random ones.
  double worst = 0;              ///< Largest ratio.
  int failures = 0;
};

struct GradcheckReport {
  Verdict verdict = Verdict::passed;
  int order = 1;  ///< Up to which order was checked.
  std::vector<GradcheckInput> inputs;
  std::vector<GradcheckPlace> failures;
  std::optional<GradcheckPlace> worst;  ///< Of all comparisons, the one of the largest ratio.
  std::vector<GradcheckNote> notes;     ///< At most 100 of them are kept.
  std::int64_t kinks = 0;               ///< Kinks, jumps and edges accepted.
  std::int64_t singular = 0;            ///< Places with infinite slopes, or without finite values.
  std::int64_t unresolved = 0;          ///< Numerical derivatives that did not settle.
  std::vector<std::string> gaps;        ///< What could not be compared at all, and why.
  std::vector<std::string> problems;    ///< Failures that belong to no element.
  std::vector<std::string> warnings;
  std::optional<GradcheckCulprit> culprit;
  std::string graph;  ///< After a failure, if it is not too long.
  std::int64_t comparisons = 0;
  std::int64_t evaluations = 0;  ///< Of the function, or of its gradient at order 2.

  bool passed() const noexcept { return verdict == Verdict::passed; }
  std::string text() const;
  std::string to_json() const;
};

/// Several tensors from several; what gradcheck takes.
using GradcheckFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// Checks gradients of f with respect to floating inputs and to cells that f reads, by numerical
/// derivatives that come with an error estimate. Inputs become float64 leaves that keep their
/// strides; integer inputs are passed on as they are. Cells keep their dtype and have their values
/// again at the end; so has the default generator its state, should f draw from it. Errors that f
/// itself throws at the inputs are passed on. Error as well for options out of range, and if there
/// is nothing to check: no floating input and no cell that requires a gradient, or no floating
/// output.
GradcheckReport gradcheck_cells(const GradcheckFunction& f, const std::vector<NamedCell>& cells,
                                const std::vector<Tensor>& inputs,
                                const GradcheckOptions& options = {});

namespace detail {

template <class F> GradcheckFunction gradcheck_function(F&& f) {
  using Result = std::remove_cvref_t<std::invoke_result_t<F&, const std::vector<Tensor>&>>;
  if constexpr (std::same_as<Result, std::vector<Tensor>>) {
    return std::ref(f);
  } else {
    return [&f](const std::vector<Tensor>& inputs) { return std::vector<Tensor>{f(inputs)}; };
  }
}

}  // namespace detail

/// Checks gradients of f, called with a vector of tensors and giving one tensor or a vector of
/// them:
///   gradcheck([](auto in) { return sin(in[0]) * in[1]; }, {x, y}, {.order = 2})
template <class F>
  requires std::invocable < F&, const std::vector<Tensor>
& > GradcheckReport gradcheck(F&& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options = {}) {
  return gradcheck_cells(detail::gradcheck_function(f), {}, inputs, options);
}

template <class F>
  requires(std::invocable<F&, const std::vector<Tensor>&> &&
           !std::same_as<std::remove_cvref_t<F>, GradcheckFunction>)
GradcheckReport gradcheck_cells(F&& f, const std::vector<NamedCell>& cells,
                                const std::vector<Tensor>& inputs,
                                const GradcheckOptions& options = {}) {
  return gradcheck_cells(detail::gradcheck_function(f), cells, inputs, options);
}

}  // namespace cadena

template <> struct fmt::formatter<cadena::GradcheckReport> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const cadena::GradcheckReport& report,
                                       fmt::format_context& context) const;
};
