#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena::ops {

// Elementwise functions of several steps in one pass over memory, which operators are made of.

/// (x - center) scale + shift.
Tensor scale_about(const Tensor& x, const Tensor& center, const Tensor& scale, const Tensor& shift);

/// x y, but 0 where x is 0 and y infinite: for a y that is finite but for its dtype.
Tensor absorbing_product(const Tensor& x, const Tensor& y);

}  // namespace cadena::ops
