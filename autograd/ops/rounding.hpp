#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// To integers and what is left beside them, elementwise; int64 stays int64. The derivative of a
// rounded number is 0, at the steps too. See floor in functions.hpp as well.

Tensor ceil(const Tensor& x);   ///< the smallest integer >= x
Tensor round(const Tensor& x);  ///< the integer nearest to x; of two as near the even one
Tensor trunc(const Tensor& x);  ///< x without what is behind the point

/// x - trunc(x / y) y, with the sign of x, exact for any quotient; NaN for y = 0, but 0 among
/// integers. The gradient is 1 in x and -trunc(x / y) in y, at jumps too. Broadcasts and promotes.
Tensor fmod(const Tensor& x, const Tensor& y);
/// x - floor(x / y) y, with the sign of y, rounded once; NaN for y = 0, but 0 among integers. The
/// gradient is 1 in x and -floor(x / y) in y, at jumps too. Broadcasts and promotes.
Tensor remainder(const Tensor& x, const Tensor& y);

}  // namespace cadena
