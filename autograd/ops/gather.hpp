#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Elements chosen by tensors of indices. Indices are int64 in [0, size of the axis): an Error names
// the first one outside, its position and the size; negative ones do not count from the end.
// Additions are ordered: the same bits for any number of threads.

/// The slices of x at indices (0-d or [n]) along an axis, which then has size n.
Tensor index_select(const Tensor& x, std::int64_t axis, const Tensor& indices);

/// x with the slices of `source` added at indices (0-d or [n]) along an axis; source has x's dtype
/// (int64, float32 or float64), and x's shape but for n at the axis.
Tensor index_add(const Tensor& x, std::int64_t axis, const Tensor& indices, const Tensor& source);

/// y[i][j][k] = x[i][indices[i][j][k]][k] for axis 1: the shape of indices, which must not exceed
/// x's beside the axis.
Tensor gather(const Tensor& x, std::int64_t axis, const Tensor& indices);

/// x with source[i][j][k] added at [i][indices[i][j][k]][k] for axis 1, over the shape of indices,
/// which must not exceed source's, nor x's beside the axis. One dtype: int64, float32 or float64.
Tensor scatter_add(const Tensor& x, std::int64_t axis, const Tensor& indices, const Tensor& source);

}  // namespace cadena
