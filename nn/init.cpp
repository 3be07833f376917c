#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/random.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/nn/init.hpp>

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

double kaiming_scale(const Place& weight, const KaimingOptions& options) {
  const Fans both = fans(weight.cell().value().shape());
  const double fan = options.fan == Fan::in ? both.in : both.out;
  const double gain = options.gain.value_or(std::sqrt(2 / (1 + options.slope * options.slope)));
  return fan > 0 ? gain / std::sqrt(fan) : 0;
}

double xavier_scale(const Place& weight, const XavierOptions& options) {
  const Fans both = fans(weight.cell().value().shape());
  const double sum = both.in + both.out;
  return sum > 0 ? options.gain * std::sqrt(2 / sum) : 0;
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
  const NoGrad no_grad;
  const Shape shape = place.cell().value().shape();
  const TensorOptions options = options_of(place.cell(), "uniform");
  place.cell().assign(low + (high - low) * rand(shape, options, generator));
}

void normal(Place place, double mean, double deviation, const Generator& generator) {
  const NoGrad no_grad;
  const Shape shape = place.cell().value().shape();
  const TensorOptions options = options_of(place.cell(), "normal");
  place.cell().assign(mean + deviation * randn(shape, options, generator));
}

void xavier_uniform(Place weight, const XavierOptions& options) {
  const double bound = std::sqrt(3.0) * xavier_scale(weight, options);
  uniform(weight, -bound, bound, options.generator);
}

void xavier_normal(Place weight, const XavierOptions& options) {
  normal(weight, 0, xavier_scale(weight, options), options.generator);
}

void kaiming_uniform(Place weight, const KaimingOptions& options) {
  const double bound = std::sqrt(3.0) * kaiming_scale(weight, options);
  uniform(weight, -bound, bound, options.generator);
}

void kaiming_normal(Place weight, const KaimingOptions& options) {
  normal(weight, 0, kaiming_scale(weight, options), options.generator);
}

}  // namespace cadena::nn
