#pragma once

#include <cadena/autograd/kernels/lane_bits.hpp>

namespace cadena {
namespace kernels {

/// k ln 2 + ln(1 + f) for sqrt(1/2) <= 1 + f <= sqrt(2) and an integer k. With s = f / (2 + f),
/// ln(1 + f) = 2 s + (2/3) s^3 + (2/5) s^5 + ..., arranged so that f itself is the largest term.
/// Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> log_of_parts(Lane<T, Arch> f, Lane<T, Arch> k) {
  using L = Lane<T, Arch>;
  using F = Format<T>;
  const L s = f / (2 + f);
  const L z = s * s;
  L tail;
  if constexpr (std::is_same_v<T, float>) {
    tail = polynomial(z, 0.666666858362329192, 0.399884869437881751, 0.295924796499518809);
  } else {
    tail = polynomial(z, 0.666666666666666995, 0.399999999998921585, 0.285714286292302074,
                      0.222222106139328897, 0.181829264303898113, 0.153305001150606248,
                      0.146313458821115229);
  }
  const L half_square = 0.5 * f * f;
  const L small = mul_add(s, mul_add(z, tail, half_square), k * F::ln2_low);
  return mul_add(k, L(F::ln2_high), f - (half_square - small));
}

/// `log_x` where x > 0 is finite, infinity at infinity, -infinity at 0, else NaN.
template <class L> CADENA_INLINE L log_with_ends(L x, L log_x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const L right = where(x < infinity, log_x, x);
  return where(x > 0, right, where(x == 0, -infinity, nan));
}

}  // namespace kernels

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> log(Lane<T, Arch> x) {
  const auto [fraction, exponent] = kernels::split(x);
  return kernels::log_with_ends(x, kernels::log_of_parts(fraction - 1, exponent));
}

/// The integers k of x = 2^k are exact.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> log2(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  constexpr double log2_e = 1.44269504088896340736, high = static_cast<T>(log2_e);
  constexpr double low = sizeof(T) == 4 ? log2_e - high : 2.0355273740931033e-17;
  const auto [fraction, exponent] = kernels::split(x);
  const L log_m = kernels::log_of_parts(fraction - 1, L(0));
  return kernels::log_with_ends(x, kernels::mul_add(log_m, L(high), exponent) + log_m * low);
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> log1p(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L sum = 1 + x;
  const auto [fraction, exponent] = kernels::split_normal(sum);
  // fraction - 1 without the rounding of the sum; where x is large that does not matter.
  const L factor = kernels::power_of_two(-exponent);
  const L f = where(x < 0x1p60, kernels::mul_add(x, factor, factor - 1), fraction - 1);
  const L log_sum = kernels::log_with_ends(sum, kernels::log_of_parts(f, exponent));
  return where(x == 0, x, log_sum);
}

}  // namespace cadena
