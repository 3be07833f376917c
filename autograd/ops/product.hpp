#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

/// The matrix product in all of NumPy's cases: [m, k] x [k, n]; vectors on either side, [k] x [k]
/// being the inner product; leading dimensions are batches and broadcast. float32 or float64, both
/// the same. Transposed views are not copied.
Tensor matmul(const Tensor& x, const Tensor& y);

/// x·Wᵀ + b: x [..., inputs], weight [outputs, inputs], bias [outputs] or undefined.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace cadena

namespace cadena::ops {

/// Error unless a matrix product takes the dtypes of x and y.
void check_product_dtypes(const char* operation, const Tensor& x, const Tensor& y);

}  // namespace cadena::ops
