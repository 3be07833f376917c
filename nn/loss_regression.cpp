#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/nn/loss_regression.hpp>
#include <cadena/nn/loss_support.hpp>

#include <cmath>
#include <limits>
#include <numbers>

namespace cadena::nn {
namespace {

Tensor difference(const char* loss, const Tensor& prediction, const Tensor& target) {
  check_shapes(loss, prediction, target);
  return prediction - numeric(target, prediction);
}

/// d²/2 for |d| <= delta, else delta (|d| - delta/2). With c = d held within ±delta both are
/// c (d - c/2).
Tensor huber_of(const Tensor& d, double delta) {
  const Tensor held = clamp(d, -delta, delta);
  return held * (d - 0.5 * held);
}

/// The same divided by delta = beta, so that neither beta² nor delta |d| / beta is lost. A beta
/// whose inverse d's dtype does not hold counts as 0.
Tensor smooth_l1_of(const Tensor& d, double beta) {
  const double least =
      d.dtype() == float32 ? std::numeric_limits<float>::min() : std::numeric_limits<double>::min();
  if (beta < least) {
    return abs(d);
  }
  return clamp(d / beta, -1, 1) * (d - 0.5 * clamp(d, -beta, beta));
}

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  return ops::reduced(square(difference("mse", prediction, target)), reduction);
}

Tensor half_squared_error(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  const Tensor d = difference("half_squared_error", prediction, target);
  return ops::reduced(0.5 * of_examples(square(d)), reduction);
}

Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  return ops::reduced(abs(difference("l1", prediction, target)), reduction);
}

Tensor smooth_l1(const Tensor& prediction, const Tensor& target, const SmoothL1Options& options) {
  check_option("smooth_l1", "beta", options.beta, 0);
  const Tensor d = 1.0 * difference("smooth_l1", prediction, target);
  return ops::reduced(smooth_l1_of(d, options.beta), options.reduction);
}

Tensor huber(const Tensor& prediction, const Tensor& target, const HuberOptions& options) {
  check_option("huber", "delta", options.delta, std::numeric_limits<double>::min());
  const Tensor d = 1.0 * difference("huber", prediction, target);
  return ops::reduced(huber_of(d, options.delta), options.reduction);
}

Tensor poisson_nll(const Tensor& prediction, const Tensor& target, const PoissonOptions& options) {
  check_shapes("poisson_nll", prediction, target);
  check_option("poisson_nll", "epsilon", options.epsilon, 0);
  const Tensor y = numeric(target, prediction);
  Tensor losses = options.log_input ? exp(prediction) - y * prediction
                                    : prediction - y * log(prediction + options.epsilon);
  if (options.full) {
    const Tensor large = y > 1.0, count = where(large, y, 1.0);
    const Tensor stirling = count * log(count) - count + 0.5 * log((2 * std::numbers::pi) * count);
    losses = losses + where(large, stirling, 0.0);
  }
  return ops::reduced(losses, options.reduction);
}

Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianOptions& options) {
  constexpr const char* loss = "gaussian_nll";
  const Tensor d = difference(loss, prediction, target);
  check_option(loss, "epsilon", options.epsilon, 0);
  if (!variance.defined()) {
    fail("{}: the variance is undefined", loss);
  }
  Shape one_each = d.shape();
  if (!one_each.empty()) {
    one_each[one_each.size() - 1] = 1;
  }
  if (variance.shape() != d.shape() && variance.shape() != one_each) {
    fail("{}: expected a variance of shape {} or {} for the prediction, got {}", loss, d.shape(),
         one_each, variance.shape());
  }
  constexpr double infinity = std::numeric_limits<double>::infinity();
  check_range(loss, "variance", variance, 0, infinity, "below 0");
  const Tensor v = clamp(variance, options.epsilon, infinity);
  const Tensor losses = 0.5 * (log(v) + square(d) / v);
  return ops::reduced(options.full ? losses + 0.5 * std::log(2 * std::numbers::pi) : losses,
                      options.reduction);
}

}  // namespace cadena::nn
