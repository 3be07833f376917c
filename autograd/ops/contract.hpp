#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Sums of products over some dimensions. Those lowered to matrix products (dot, tensordot) take
// float32 or float64, both operands the same; outer and kron also int64, trace any dtype.

/// Σ_i x_i y_i of two vectors of one size, 0-d; 0 for no elements.
Tensor dot(const Tensor& x, const Tensor& y);

/// z_ij = x_i y_j of two vectors; dtypes are promoted.
Tensor outer(const Tensor& x, const Tensor& y);

/// The sum over the last `axes` dimensions of x and the first `axes` ones of y, which agree: first
/// with first. 0 gives all products of an element of x and one of y. Shape: the other dimensions
/// of x, then those of y.
Tensor tensordot(const Tensor& x, const Tensor& y, std::int64_t axes = 2);
/// The sum over pairs of dimensions, x_axes[i] of x with y_axes[i] of y, which have the same size.
Tensor tensordot(const Tensor& x, const Tensor& y, const Axes& x_axes, const Axes& y_axes);

/// Σ_i x[..., i, ..., i + offset, ...] over the diagonal of two dimensions, which disappear;
/// integers and booleans give int64.
Tensor trace(const Tensor& x, std::int64_t offset = 0, std::int64_t axis1 = 0,
             std::int64_t axis2 = 1);

/// The Kronecker product: z[i·q + k, j·r + l] = x[i, j] y[k, l] for y [q, r], alike for up to four
/// dimensions; dimensions of 1 come before the shape of lower rank. Dtypes are promoted.
Tensor kron(const Tensor& x, const Tensor& y);

}  // namespace cadena
