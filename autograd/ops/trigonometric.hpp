#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Functions of angles, in radians, and of the hyperbola, elementwise; integers give float32. At
// most 4 ulp from the true value, for angles of any size.

Tensor sin(const Tensor& x);   ///< sin x
Tensor cos(const Tensor& x);   ///< cos x
Tensor tan(const Tensor& x);   ///< sin x / cos x
Tensor asin(const Tensor& x);  ///< The angle in [-π/2, π/2] whose sine is x; NaN for |x| > 1.
Tensor acos(const Tensor& x);  ///< The angle in [0, π] whose cosine is x; NaN for |x| > 1.
Tensor atan(const Tensor& x);  ///< The angle in [-π/2, π/2] whose tangent is x.
/// The angle of the point (x, y), from -π to π, with broadcasting; the cases of zeros and
/// infinities as std::atan2 has them. Both derivatives are 0 at the origin, where there is none.
Tensor atan2(const Tensor& y, const Tensor& x);
Tensor sinh(const Tensor& x);  ///< (e^x - e^(-x)) / 2
Tensor cosh(const Tensor& x);  ///< (e^x + e^(-x)) / 2

}  // namespace cadena
