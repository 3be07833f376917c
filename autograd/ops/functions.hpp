#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Elementary functions, elementwise; integers give float32. At most 4 ulp from the true value.

Tensor exp(const Tensor& x);    ///< e^x
Tensor exp2(const Tensor& x);   ///< 2^x, exact for integers x
Tensor expm1(const Tensor& x);  ///< e^x - 1, exact for small x
Tensor log(const Tensor& x);    ///< ln x
Tensor log2(const Tensor& x);   ///< ln x / ln 2, exact for powers of two
Tensor log1p(const Tensor& x);  ///< ln(1 + x), exact for small x
Tensor erf(const Tensor& x);    ///< 2/√π · ∫₀ˣ e^(-t²) dt
Tensor erfc(const Tensor& x);   ///< 1 - erf x, accurate where that is small too
/// The distribution function Φ of the standard normal, accurate where it is small too.
Tensor normal_cdf(const Tensor& x);
Tensor rsqrt(const Tensor& x);  ///< x^(-1/2)
Tensor floor(const Tensor& x);  ///< the largest integer <= x; derivative 0

}  // namespace cadena
