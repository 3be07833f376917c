#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// The gamma function's logarithm and its derivatives, elementwise; integers give float32. At most 4
// ulp from the true value in float32 everywhere and in float64 for x > 0 (there lgamma near 1 and 2
// and digamma near its zero 1.46 too). For x < 0 they have a zero or two between poles; there the
// error in float64 is at most 4 ulp of the larger terms that cancel: of lgamma(1 - x) for lgamma,
// of n! / r^(n+1) with the distance r to the nearest pole for digamma (n = 0) and polygamma of even
// n (for digamma also of ln(1 - x)).

/// ln |Γ(x)|; +∞ at 0, -1, -2, ... and at ±∞.
Tensor lgamma(const Tensor& x);
/// ψ(x), the derivative of ln Γ(x): -∞ at 0, +∞ at -0, NaN at -1, -2, ... and at -∞.
Tensor digamma(const Tensor& x);
/// The n-th derivative of digamma(x), digamma itself for n = 0. At 0, -1, -2, ... it is +∞ for odd
/// n; for even n ∓∞ at ±0 and NaN at -1, -2, ... The bound of 4 ulp holds for n <= 4 (measured);
/// beyond that it grows slowly. Error unless 0 <= n <= 100; derivatives count.
Tensor polygamma(int n, const Tensor& x);

}  // namespace cadena
