#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/nn/init.hpp>
#include <cadena/nn/linear.hpp>

#include <cmath>

namespace cadena::nn {

Linear::Linear(std::int64_t inputs, std::int64_t outputs, const LinearOptions& options) {
  if (inputs < 0 || outputs < 0) {
    fail("Linear: expected numbers of inputs and outputs of at least 0, got {} and {}", inputs,
         outputs);
  }
  if (!is_floating(options.dtype)) {
    fail("Linear: expected float32 or float64 as dtype, got {}", name(options.dtype));
  }
  weight = Parameter(cadena::zeros({outputs, inputs}, {.dtype = options.dtype}));
  const double bound = inputs > 0 ? 1 / std::sqrt(static_cast<double>(inputs)) : 0;
  uniform(weight, -bound, bound, options.generator);
  if (options.bias) {
    bias = Parameter(cadena::zeros({outputs}, {.dtype = options.dtype}));
    uniform(bias, -bound, bound, options.generator);
  }
}

Tensor Linear::operator()(const Tensor& x) const {
  return linear(x, weight, bias.defined() ? bias.value() : Tensor());
}

}  // namespace cadena::nn
