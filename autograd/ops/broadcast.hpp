#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

/// A view with dimensions of size 1 repeated, as NumPy broadcasts; -1 keeps a dimension. Its
/// gradient is the sum over what was repeated.
Tensor expand(const Tensor& x, const Shape& shape);

/// Sum over the axes (all if none are named), in an order that the shape alone decides; integers
/// and booleans give int64; 0 over nothing. `keepdim` leaves dimensions of size 1.
Tensor sum(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// x summed over what was broadcast to make it from `shape`.
Tensor sum_to(const Tensor& x, const Shape& shape);

/// Mean over the axes (all if none are named); integers give float32; NaN over nothing.
Tensor mean(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

}  // namespace cadena
