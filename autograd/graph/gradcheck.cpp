#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/anomaly.hpp>
#include <cadena/autograd/graph/gradcheck_problem.hpp>
#include <cadena/autograd/ops/random.hpp>

#include <fmt/format.h>

#include <cmath>
#include <optional>

namespace cadena {
namespace detail {
namespace {

/// The values in float64 with the strides that they have.
Tensor widened(const Tensor& given) {
  const Tensor x = given.detach();
  if (x.dtype() == Dtype::float64 && !x.is_number()) {
    return x;
  }
  if (x.is_contiguous() || x.numel() == 0) {
    return x.to(Dtype::float64);
  }
  const Shape& shape = x.shape();
  const Strides strides = x.strides();
  std::int64_t low = 0, high = 0;
  for (int i = 0; i < shape.size(); ++i) {
    const std::int64_t reach = (shape[i] - 1) * strides[i];
    (reach < 0 ? low : high) += reach;
  }
  const TensorImpl& impl = *x.impl();
  const Ref<TensorImpl> block =
      make_view(impl, {high - low + 1}, {1}, low);  // all that the strides span
  const Tensor wide = Tensor(block).to(Dtype::float64);
  return Tensor(make_view(*wide.impl(), shape, strides, -low));
}

void check_options(const GradcheckOptions& options) {
  const auto check = [](bool good, const char* name, const char* expected, auto value) {
    if (!good) {
      fail("gradcheck: expected {} {}, got {}", name, expected, value);
    }
  };
  check(options.order == 1 || options.order == 2, "order", "1 or 2", options.order);
  check(options.max_elements >= 1, "max_elements", "of at least 1", options.max_elements);
  check(options.directions >= 0, "directions", "of at least 0", options.directions);
  check(options.sampled_elements >= 0, "sampled_elements", "of at least 0",
        options.sampled_elements);
  check(options.directions + std::int64_t{options.sampled_elements} > 0,
        "directions or sampled_elements", "of at least 1", 0);
  check(std::isfinite(options.tolerance) && options.tolerance >= 0, "tolerance",
        "finite and at least 0", options.tolerance);
  check(options.max_failures >= 1, "max_failures", "of at least 1", options.max_failures);
}

/// Puts the state of the default generator back: the caller's random numbers go on as if nothing
/// had been drawn.
class KeepDefaultGenerator {
 public:
  KeepDefaultGenerator() : state_(default_generator().state()) {}
  ~KeepDefaultGenerator() { default_generator().set_state(state_); }
  KeepDefaultGenerator(const KeepDefaultGenerator&) = delete;
  KeepDefaultGenerator& operator=(const KeepDefaultGenerator&) = delete;

 private:
  GeneratorState state_;
};

}  // namespace

int check_orders(Problem& problem, const GradcheckOptions& options, GradcheckReport& report) {
  const auto failed = [&] { return !report.failures.empty() || !report.problems.empty(); };
  const auto attempt = [&](int order, auto check) {
    try {
      check();
    } catch (const Error& error) {
      report.problems.push_back(
          fmt::format("order {}: backward stopped with an error: {}", order, error.what()));
    }
  };
  int failing = 0;
  bool repeats = true;
  problem.record();  // an error of the function itself is the caller's
  if (problem.outputs().types.empty()) {
    fail("gradcheck: no output of the function is float32 or float64: there is nothing to check");
  }
  attempt(1, [&] { repeats = compare(problem, 1, options, report); });
  if (failed()) {
    failing = 1;
  } else if (options.order >= 2) {
    attempt(2, [&] {
      CheckRandom random(options.seed + 17);
      Problem gradient = problem.gradient(random);
      repeats = compare(gradient, 2, options, report);
    });
    failing = failed() ? 2 : 0;
  }
  report.verdict = failing != 0                                    ? Verdict::failed
                   : report.unresolved > 0 || !report.gaps.empty() ? Verdict::inconclusive
                                                                   : Verdict::passed;
  return repeats ? failing : 0;
}

}  // namespace detail

GradcheckReport gradcheck_cells(const GradcheckFunction& f, const std::vector<NamedCell>& cells,
                                const std::vector<Tensor>& inputs,
                                const GradcheckOptions& options) {
  detail::check_options(options);
  const detail::KeepDefaultGenerator keep_generator;
  // Differences step over borders on purpose; what is not finite is told by the report.
  std::optional<AnomalyMode> pause;
  if (modes().anomaly != nullptr) {
    pause.emplace(AnomalyOptions{.nan = false, .infinity = false});
  }
  GradcheckReport report;
  report.order = options.order;
  std::vector<detail::Variable> variables;
  std::vector<std::size_t> places;  // of the variables among the inputs
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    detail::impl_of(input, "gradcheck");
    GradcheckInput& entry = report.inputs.emplace_back();
    entry.name = fmt::format("input {}", i);
    entry.shape = input.shape();
    entry.dtype = input.dtype();
    entry.strided = !input.is_contiguous();
    entry.checked = is_floating(input.dtype());
    if (entry.checked) {
      places.push_back(i);
      variables.emplace_back(entry.name, detail::widened(input));
    }
  }
  for (const auto& [name, cell] : cells) {
    const Tensor value = cell.value().detach();
    GradcheckInput& entry = report.inputs.emplace_back();
    entry.name = name;
    entry.shape = value.shape();
    entry.dtype = value.dtype();
    entry.checked = cell.requires_grad();
    if (entry.checked) {
      variables.emplace_back(entry.name, value, cell);
    }
  }
  if (variables.empty()) {
    fail(
        "gradcheck: no input is float32 or float64, and no cell requires a gradient: there is "
        "nothing to check");
  }
  const auto function = [&](std::span<const Tensor> leaves) {
    std::vector<Tensor> arguments = inputs;
    for (std::size_t k = 0; k < places.size(); ++k) {
      arguments[places[k]] = leaves[k];
    }
    return f(arguments);
  };
  detail::Problem problem(std::move(variables), function,
                          [](std::size_t k) { return fmt::format("output {}", k); });
  const int failing = detail::check_orders(problem, options, report);
  if (failing != 0 && options.locate) {
    detail::locate(problem, failing, options, report);
  }
  return report;
}

}  // namespace cadena
