#pragma once

#include <cadena/autograd/kernels/lane_log.hpp>

namespace cadena {
namespace kernels {

/// (e^r - 1 - r) / r^2 for |r| <= ln(2)/2. Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> exp_tail(Lane<T, Arch> r) {
  if constexpr (std::is_same_v<T, float>) {
    return polynomial(r, 0.500000002859119982, 0.166665733579978286, 0.0416663634269171093,
                      0.00836377676770508159, 0.00139421633447587971);
  } else {
    return polynomial(r, 0.500000000000000113, 0.166666666666666753, 0.0416666666666206287,
                      0.00833333333332129466, 0.00138888889189432145, 0.000198412698893518383,
                      2.48015186361115197e-5, 2.75572392444585335e-6, 2.76213408256208323e-7,
                      2.51112039763078898e-8);
  }
}

/// x = n ln 2 + r with an integer n and |r| <= ln(2)/2.
template <class L> struct Reduced { L n, r; };
template <class T, class Arch> CADENA_INLINE Reduced<Lane<T, Arch>> reduce_by_ln2(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  using F = Format<T>;
  constexpr double log2_e = 1.44269504088896340736;
  const L n = nearest_integer(x * log2_e);
  return {n, mul_add(n, L(-F::ln2_low), mul_add(n, L(-F::ln2_high), x))};
}

/// e^x - 1 for x above -50 (-100 in double) up to what just overflows.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> expm1_above(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const auto [n, r] = reduce_by_ln2(x);
  const L p = mul_add(r * r, exp_tail(r), r);
  // Half of it first: 2^n alone may be infinite where 2^n e^r is not.
  const L half = power_of_two(n - 1);
  const L result = 2 * mul_add(half, p, half - 0.5);
  return where(abs(x) < 0x1p-60, x, result);
}

/// e^x / 2 for x >= 0, infinite only where that is.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> half_exp(Lane<T, Arch> x) {
  const auto [n, r] = reduce_by_ln2(bounded(x, 0, sizeof(T) == 4 ? 110 : 800));
  return scale(1 + mul_add(r * r, exp_tail(r), r), n - 1);
}

}  // namespace kernels

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> exp(Lane<T, Arch> x) {
  constexpr double beyond = sizeof(T) == 4 ? 110 : 800;
  const auto [n, r] = kernels::reduce_by_ln2(kernels::bounded(x, -beyond, beyond));
  return kernels::scale(1 + kernels::mul_add(r * r, kernels::exp_tail(r), r), n);
}

/// 2^n (1 + r P(r)) for x = n + r. Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> exp2(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  constexpr double beyond = sizeof(T) == 4 ? 160 : 1100;
  const L at = kernels::bounded(x, -beyond, beyond);
  const L n = kernels::nearest_integer(at), r = at - n;
  L slope;
  if constexpr (std::is_same_v<T, float>) {
    slope =
        kernels::polynomial(r, 0.69314718849022536, 0.240226511073597325, 0.0555035491764453267,
                            0.00961802689259933215, 0.00133920217796842128, 0.00015471033189854881);
  } else {
    slope =
        kernels::polynomial(r, 0.693147180559945309, 0.24022650695910101, 0.0555041086648216682,
                            0.00961812910760509698, 0.00133335581463933087, 0.000154035304447150245,
                            0.0000152527338563110366, 1.32154407904846403e-6,
                            1.01780503365324595e-7, 7.0729418384590003e-9, 4.45689907840511643e-10);
  }
  return kernels::scale(kernels::mul_add(r, slope, L(1)), n);
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> expm1(Lane<T, Arch> x) {
  constexpr double low = sizeof(T) == 4 ? -50 : -100, high = sizeof(T) == 4 ? 89 : 710;
  return kernels::expm1_above(kernels::bounded(x, low, high));
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> tanh(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  // From 10 (20 in double) on it rounds to 1.
  const L e = kernels::expm1_above(2 * kernels::bounded(abs(x), 0, sizeof(T) == 4 ? 10 : 20));
  return copysign(e / (e + 2), x);
}

/// x + x^3 P(x^2) below 1, (e^x - e^(-x)) / 2 from there on. Coefficients:
/// scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> sinh(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = abs(x), z = kernels::bounded(size, 0, 1) * size;
  L tail;
  if constexpr (std::is_same_v<T, float>) {
    tail = kernels::polynomial(z, 0.166666666467785768, 0.00833333968736496254,
                               0.000198380989149018759, 2.80630062080892162e-6);
  } else {
    tail =
        kernels::polynomial(z, 0.166666666666666667, 0.00833333333333329932,
                            0.000198412698413242401, 2.75573191913636425e-6, 2.50521176994245362e-8,
                            1.60576793108509227e-10, 7.7461890317983584e-13);
  }
  const L half = kernels::half_exp(size);
  return where(size < 1, kernels::mul_add(x * z, tail, x), copysign(half - 0.25 / half, x));
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> cosh(Lane<T, Arch> x) {
  const Lane<T, Arch> half = kernels::half_exp(abs(x));
  return half + 0.25 / half;
}

/// 1 / (1 + e^(-x)), also as e^x / (1 + e^x): the one that does not overflow.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> sigmoid(Lane<T, Arch> x) {
  const Lane<T, Arch> e = exp(-abs(x));
  return where(x < 0, e, 1) / (1 + e);
}

/// ln(1 + e^x) as max(x, 0) + ln(1 + e^(-|x|)).
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> softplus(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L e = exp(-abs(x));
  // 1 + e is m or 2 m with m in the range of log_of_parts.
  const auto twice = e > 0.4;
  const L log_sum = kernels::log_of_parts(where(twice, 0.5 * e - 0.5, e), where(twice, 1, 0));
  return maximum(x, 0) + log_sum;
}

}  // namespace cadena
