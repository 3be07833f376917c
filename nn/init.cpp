#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/nn/init.hpp>

#include <boost/math/special_functions/erf.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace cadena::nn {
namespace {

TensorOptions options_of(const Cell& cell, const char* initialiser) {
  const Dtype dtype = cell.value().dtype();
  if (!is_floating(dtype)) {
    fail("{}: expected float32 or float64, got {}", initialiser, name(dtype));
  }
  return {.dtype = dtype};
}

Fans fans_of(const Place& weight, const char* initialiser) {
  const Shape& shape = weight.cell().value().shape();
  if (shape.size() < 2) {
    fail("{}: expected a weight [outputs, inputs, ...], got shape {}", initialiser, shape);
  }
  return fans(shape);
}

double kaiming_scale(const Place& weight, const KaimingOptions& options, const char* initialiser) {
  const Fans both = fans_of(weight, initialiser);
  const double fan = options.fan == Fan::in ? both.in : both.out;
  const double gain = options.gain.value_or(std::sqrt(2 / (1 + options.slope * options.slope)));
  return fan > 0 ? gain / std::sqrt(fan) : 0;
}

double xavier_scale(const Place& weight, const XavierOptions& options, const char* initialiser) {
  const Fans both = fans_of(weight, initialiser);
  const double sum = both.in + both.out;
  return sum > 0 ? options.gain * std::sqrt(2 / sum) : 0;
}

void fill_uniform(const Place& place, double low, double high, const Generator& generator,
                  const char* initialiser) {
  const NoGrad no_grad;
  const TensorOptions options = options_of(place.cell(), initialiser);
  if (!std::isfinite(low) || !std::isfinite(high) || low > high) {
    fail("{}: expected finite bounds, low at most high, got {} and {}", initialiser, low, high);
  }
  const Shape shape = place.cell().value().shape();
  place.cell().assign(low + (high - low) * rand(shape, options, generator));
}

void fill_normal(const Place& place, double mean, double deviation, const Generator& generator,
                 const char* initialiser) {
  const NoGrad no_grad;
  const TensorOptions options = options_of(place.cell(), initialiser);
  if (!std::isfinite(mean) || !std::isfinite(deviation) || deviation < 0) {
    fail("{}: expected a finite mean and a finite deviation of at least 0, got {} and {}",
         initialiser, mean, deviation);
  }
  const Shape shape = place.cell().value().shape();
  place.cell().assign(mean + deviation * randn(shape, options, generator));
}

}  // namespace

Fans fans(const Shape& weight) {
  if (weight.size() < 2) {
    fail("fans: expected a weight [outputs, inputs, ...], got shape {}", weight);
  }
  double window = 1;
  for (int axis = 2; axis < weight.size(); ++axis) {
    window *= static_cast<double>(weight[axis]);
  }
  return {static_cast<double>(weight[1]) * window, static_cast<double>(weight[0]) * window};
}

void zeros(Place place) { place.cell().assign(zeros_like(place.cell().value())); }
void ones(Place place) { place.cell().assign(ones_like(place.cell().value())); }
void constant(Place place, double value) {
  const TensorOptions options = options_of(place.cell(), "constant");
  place.cell().assign(full(place.cell().value().shape(), value, options));
}

void uniform(Place place, double low, double high, const Generator& generator) {
  fill_uniform(place, low, high, generator, "uniform");
}

void normal(Place place, double mean, double deviation, const Generator& generator) {
  fill_normal(place, mean, deviation, generator, "normal");
}

namespace {

/// The z with Φ(z) = p. Exact for small p; the upper half of the line is for the caller to mirror.
double normal_quantile(double p) {
  constexpr double least = std::numeric_limits<double>::min();
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * std::max(p, least));
}

double normal_probability(double z) { return std::erfc(-z / std::numbers::sqrt2) / 2; }

/// A normal number beyond `start` > 0 and before `start + width`, less `start`, for a uniform
/// number in [0, 1]. For starts so large that probabilities underflow: with Φ(-z) ≈ φ(z) / z
/// (Laplace's first term) ln Φ(-start) - ln Φ(-start - d) = d (start + d / 2) + ln(1 + d / start),
/// which is to be the exponential number that the uniform one stands for.
double tail_excess(double start, double width, double uniform) {
  const auto decay = [=](double d) { return d * (start + d / 2) + std::log1p(d / start); };
  const double wanted = -std::log1p(uniform * std::expm1(-decay(width)));
  double d = 2 * wanted / (start + std::sqrt(start * start + 2 * wanted));  // without the logarithm
  for (int step = 0; step < 3; ++step) {                                    // Newton's
    d -= (decay(d) - wanted) / (start + d + 1 / (start + d));
  }
  return std::clamp(d, 0.0, width);
}

}  // namespace

void truncated_normal(Place place, double mean, double deviation, double low, double high,
                      const Generator& generator) {
  const NoGrad no_grad;
  const TensorOptions options = options_of(place.cell(), "truncated_normal");
  if (!(std::isfinite(mean) && std::isfinite(deviation) && deviation > 0 && std::isfinite(low) &&
        std::isfinite(high) && low < high)) {
    fail(
        "truncated_normal: expected finite numbers, a deviation above 0 and low < high, got mean "
        "{}, deviation {}, low {}, high {}",
        mean, deviation, low, high);
  }
  // Where most of the interval is above the mean it is mirrored: probabilities near 0 are exact.
  const double sign = low + high > 2 * mean ? -1 : 1;
  const double from = sign * ((sign > 0 ? low : high) - mean) / deviation,
               to = sign * ((sign > 0 ? high : low) - mean) / deviation;
  const double least = normal_probability(from), most = normal_probability(to);
  constexpr double far = -30;  // φ and Φ are above 1e-198 up to there
  const Shape shape = place.cell().value().shape();
  std::vector<double> values = rand(shape, {.dtype = float64}, generator).to_vector<double>();
  parallel_for(std::ssize(values), 512, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const double z = to < far ? to - tail_excess(-to, to - from, values[i])
                                : normal_quantile(least + (most - least) * values[i]);
      values[i] = std::clamp(mean + sign * deviation * z, low, high);
    }
  });
  place.cell().assign(from_vector(values, shape, options));
}

void identity(Place place) {
  const Tensor value = place.cell().value();
  if (value.dim() != 2) {
    fail("identity: expected a matrix, got shape {}", value.shape());
  }
  place.cell().assign(eye(value.size(0), value.size(1), options_of(place.cell(), "identity")));
}

void sparse(Place place, double sparsity, double deviation, const Generator& generator) {
  const NoGrad no_grad;
  const Shape shape = place.cell().value().shape();
  if (shape.size() != 2 || !(sparsity >= 0 && sparsity <= 1)) {
    fail("sparse: expected a matrix and a sparsity in [0, 1], got shape {} and {}", shape,
         sparsity);
  }
  fill_normal(place, 0, deviation, generator, "sparse");
  const std::int64_t rows = shape[0], columns = shape[1];
  const auto zeros_in_column =
      static_cast<std::size_t>(std::ceil(sparsity * static_cast<double>(rows)));
  std::vector<double> values = place.cell().value().to_vector<double>();
  for (std::int64_t column = 0; column < columns; ++column) {
    const auto order = randperm(rows, {}, generator).to_vector<std::int64_t>();
    for (std::size_t k = 0; k < zeros_in_column; ++k) {
      values[static_cast<std::size_t>(order[k] * columns + column)] = 0;
    }
  }
  place.cell().assign(from_vector(values, shape, {.dtype = place.cell().value().dtype()}));
}

double calculate_gain(std::string_view nonlinearity, std::optional<double> slope) {
  if (nonlinearity == "linear" || nonlinearity == "identity" || nonlinearity == "sigmoid") {
    return 1;
  }
  if (nonlinearity == "tanh") {
    return 5.0 / 3;
  }
  if (nonlinearity == "relu") {
    return std::numbers::sqrt2;
  }
  if (nonlinearity == "leaky_relu") {
    const double a = slope.value_or(0.01);
    return std::sqrt(2 / (1 + a * a));
  }
  if (nonlinearity == "selu") {
    return 0.75;
  }
  fail(
      "calculate_gain: expected linear, identity, sigmoid, tanh, relu, leaky_relu or selu, got "
      "\"{}\"",
      nonlinearity);
}

void lecun_uniform(Place weight, const Generator& generator) {
  constexpr const char* name = "lecun_uniform";
  const double bound = std::sqrt(3.0) * kaiming_scale(weight, {.gain = 1}, name);
  fill_uniform(weight, -bound, bound, generator, name);
}

void lecun_normal(Place weight, const Generator& generator) {
  constexpr const char* name = "lecun_normal";
  fill_normal(weight, 0, kaiming_scale(weight, {.gain = 1}, name), generator, name);
}

void xavier_uniform(Place weight, const XavierOptions& options) {
  constexpr const char* name = "xavier_uniform";
  const double bound = std::sqrt(3.0) * xavier_scale(weight, options, name);
  fill_uniform(weight, -bound, bound, options.generator, name);
}

void xavier_normal(Place weight, const XavierOptions& options) {
  constexpr const char* name = "xavier_normal";
  fill_normal(weight, 0, xavier_scale(weight, options, name), options.generator, name);
}

void kaiming_uniform(Place weight, const KaimingOptions& options) {
  constexpr const char* name = "kaiming_uniform";
  const double bound = std::sqrt(3.0) * kaiming_scale(weight, options, name);
  fill_uniform(weight, -bound, bound, options.generator, name);
}

void kaiming_normal(Place weight, const KaimingOptions& options) {
  constexpr const char* name = "kaiming_normal";
  fill_normal(weight, 0, kaiming_scale(weight, options, name), options.generator, name);
}

void orthogonal(Place weight, const OrthogonalOptions& options) {
  const NoGrad no_grad;
  const TensorOptions type = options_of(weight.cell(), "orthogonal");
  static_cast<void>(fans_of(weight, "orthogonal"));  // two dimensions at least
  const Shape shape = weight.cell().value().shape();
  const auto rows = shape[0], columns = shape[0] > 0 ? numel(shape) / shape[0] : 0;
  const Tensor q =
      qr(randn({std::max(rows, columns), std::min(rows, columns)}, type, options.generator)).q;
  weight.cell().assign(reshape(options.gain * (rows < columns ? transpose(q) : q), shape));
}

}  // namespace cadena::nn
