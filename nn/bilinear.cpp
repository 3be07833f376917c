#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/nn/bilinear.hpp>
#include <cadena/nn/init.hpp>

#include <cmath>

namespace cadena::nn {

Bilinear::Bilinear(std::int64_t first, std::int64_t second, std::int64_t outputs,
                   const LinearOptions& options) {
  if (first < 0 || second < 0 || outputs < 0) {
    fail("Bilinear: expected numbers of inputs and outputs of at least 0, got {}, {} and {}", first,
         second, outputs);
  }
  if (!is_floating(options.dtype)) {
    fail("Bilinear: expected float32 or float64 as dtype, got {}", name(options.dtype));
  }
  weight = Parameter(cadena::zeros({outputs, first, second}, {.dtype = options.dtype}));
  const double bound = first > 0 ? 1 / std::sqrt(static_cast<double>(first)) : 0;
  uniform(weight, -bound, bound, options.generator);
  if (options.bias) {
    bias = Parameter(cadena::zeros({outputs}, {.dtype = options.dtype}));
    uniform(bias, -bound, bound, options.generator);
  }
}

Tensor Bilinear::operator()(const Tensor& x, const Tensor& z) const {
  const std::int64_t outputs = weight.shape()[0], first = weight.shape()[1],
                     second = weight.shape()[2];
  Shape expected = x.shape(), shape = x.shape();
  bool fits = !shape.empty() && shape.back() == first;
  if (fits) {
    expected[expected.size() - 1] = second;
    shape[shape.size() - 1] = outputs;
    fits = z.shape() == expected;
  }
  if (!fits) {
    fail("Bilinear: expected [..., {}] and [..., {}], got {} and {}", first, second, x.shape(),
         z.shape());
  }
  expected.erase(expected.size() - 1);
  const std::int64_t examples = numel(expected);
  // x against all W_k at once, then each with its z.
  const Tensor all = reshape(permute(weight, {1, 0, 2}), {first, outputs * second});
  const Tensor halves =
      reshape(matmul(reshape(x, {examples, first}), all), {examples, outputs, second});
  const Tensor result = reshape(matmul(halves, reshape(z, {examples, second, 1})), shape);
  return bias.defined() ? result + bias : result;
}

}  // namespace cadena::nn
