#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/random.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/nn/init.hpp>

#include <algorithm>
#include <cmath>

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

void zeros(Place place) { constant(place, 0); }
void ones(Place place) { constant(place, 1); }
void constant(Place place, double value) {
  place.cell().assign(full_like(place.cell().value(), value));
}

void uniform(Place place, double low, double high, const Generator& generator) {
  fill_uniform(place, low, high, generator, "uniform");
}

void normal(Place place, double mean, double deviation, const Generator& generator) {
  fill_normal(place, mean, deviation, generator, "normal");
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
