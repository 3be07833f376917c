#pragma once

#include <cadena/autograd/kernels/lane_erf.hpp>

namespace cadena {

// x times a function that vanishes as e^x or e^(-x^2/2) does for x < 0: the factor x is in it
// before the power of two is, for the function alone would be subnormal (or flushed to zero) where
// the product is not.

/// x / (1 + e^(-x)), for x < 0 as x e^x / (1 + e^x); -0 for -infinity.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> silu(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  // Below that it rounds to -0.
  constexpr double low = sizeof(T) == 4 ? -115 : -760;
  const L at = kernels::bounded(x, low, std::numeric_limits<double>::infinity());
  const auto [n, r] = kernels::reduce_by_ln2(kernels::bounded(-abs(at), low, 0));
  const L p = kernels::mul_add(r * r, kernels::exp_tail(r), r);
  const L quotient = at / (1 + kernels::scale(1 + p, n));
  const L product = kernels::mul_add(quotient, p, quotient);
  // n = 0 is where x may be small; an underflow may have lost the sign.
  const L negative = -abs(where(n < 0, kernels::scale(product, n), product));
  return where(x < 0, negative, quotient);
}

/// x tanh(ln(1 + e^x)) = x e (e + 2) / (e (e + 2) + 2) with e = e^x; for x > 0 divided by e^(2x).
/// -0 for -infinity.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> mish(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  // Below that it rounds to -0.
  constexpr double low = sizeof(T) == 4 ? -115 : -760;
  const L at = kernels::bounded(x, low, std::numeric_limits<double>::infinity());
  const auto [n, r] = kernels::reduce_by_ln2(kernels::bounded(-abs(at), low, 0));
  const L p = kernels::mul_add(r * r, kernels::exp_tail(r), r);
  const L e = kernels::scale(1 + p, n);
  const auto negative = x < 0;
  const L above = where(negative, e + 2, 1 + 2 * e);
  const L below = where(negative, kernels::mul_add(e, above, L(2)), 1 + 2 * e * (1 + e));
  const L quotient = at * (above / below);
  const L product = kernels::mul_add(quotient, p, quotient);
  // n = 0 is where x may be small; an underflow may have lost the sign.
  const L small = -abs(where(n < 0, kernels::scale(product, n), product));
  return where(negative, small, quotient);
}

/// x normal_cdf(x); -0 for -infinity.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> gelu(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = kernels::normal_size(x);
  const auto negative = x < 0;
  const L tail = kernels::normal_tail(size, where(negative, -size, 1));
  return where(size < 0.6, x * kernels::normal_middle(x), where(negative, tail, x * (1 - tail)));
}

}  // namespace cadena
