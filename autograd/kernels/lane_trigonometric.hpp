#pragma once

#include <cadena/autograd/kernels/lane_bits.hpp>

namespace cadena {
namespace kernels {

// pi/2 in parts of 33 bits, so that a part times an integer below 2^20 is exact.
inline constexpr double half_pi_1 = 0x1.921fb544p+0, half_pi_2 = 0x1.0b4611a6p-34,
                        half_pi_3 = 0x1.3198a2ep-69, half_pi_4 = 0x1.b839a252049c1p-104;
inline constexpr double largest_reduced_angle = 1.6e6;

/// a + b = sum + error, exactly.
template <class L> CADENA_INLINE void add_exactly(L a, L b, L& sum, L& error) {
  sum = a + b;
  const L from_b = sum - a;
  error = (a - (sum - from_b)) + (b - from_b);
}

/// x = quadrant pi/2 + r with |r| <= pi/4, as sin r and cos r. Coefficients:
/// scripts/fit_polynomials.py.
template <class L> struct Angle { L quadrant, sine, cosine; };

template <bool of_float, class L> CADENA_INLINE Angle<L> reduce_angle(L x) {
  constexpr double two_over_pi = 0.636619772367581343;
  const L n = nearest_integer(x * two_over_pi);
  L r = x - n * half_pi_1, r_low = 0;
  L sin_tail, cos_tail;
  if constexpr (of_float) {
    r = r - n * (half_pi_2 + half_pi_3);
  } else {
    // What is left may be 2^-60, and has 53 right bits then, too.
    L error_2, error_3;
    add_exactly(r, -n * half_pi_2, r, error_2);
    add_exactly(r, -n * half_pi_3, r, error_3);
    const L low = error_2 + (error_3 - n * half_pi_4);
    const L sum = r + low;
    r_low = (r - sum) + low;
    r = sum;
  }
  const L z = r * r;
  if constexpr (of_float) {
    sin_tail =
        polynomial(z, -0.166666645457188746, 0.00833272540379617656, -0.000195829548249809236);
    cos_tail =
        polynomial(z, 0.0416666645416676898, -0.00138882799912720766, 2.45429747152410454e-5);
  } else {
    sin_tail =
        polynomial(z, -0.166666666666666644, 0.00833333333333070149, -0.000198412698363881274,
                   2.75573159121351031e-6, -2.50510925257375598e-8, 1.5915322996119726e-10);
    cos_tail = polynomial(z, 0.0416666666666666652, -0.00138888888888872426, 2.48015872985337567e-5,
                          -2.7557317152523848e-7, 2.08761216554225218e-9, -1.1380875851025643e-11);
  }
  const L half = 0.5 * z, near_one = 1 - half;
  return {n, r + (r * z * sin_tail + r_low * near_one),
          near_one + (((1 - near_one) - half) + (z * z * cos_tail - r * r_low))};
}

/// Whether the integer n is even.
template <class L> CADENA_INLINE auto even(L n) { return n == 2 * nearest_integer(0.5 * n); }

template <class L> CADENA_INLINE L sine_of(const Angle<L>& angle) {
  const L value = where(even(angle.quadrant), angle.sine, angle.cosine);
  const auto second_bit = to_bits(angle.quadrant + integer_shift<double>) << 62;
  return from_bits<L>(to_bits(value) ^ (second_bit & to_bits(L(-0.0))));
}
/// The cosine is the sine a quadrant later.
template <class L> CADENA_INLINE L cosine_of(const Angle<L>& angle) {
  return sine_of(Angle<L>{angle.quadrant + 1, angle.sine, angle.cosine});
}
template <class L> CADENA_INLINE L tangent_of(const Angle<L>& angle) {
  const auto first = even(angle.quadrant);
  return where(first, angle.sine, -angle.cosine) / where(first, angle.cosine, angle.sine);
}

/// f of the reduced angle; `slow` for angles that are too large, infinite or NaN.
template <class T, class Arch, class F, class Slow>
inline Lane<T, Arch> of_angle(Lane<T, Arch> x, F f, Slow slow) {
  using L = Lane<T, Arch>;
  const auto large = !(abs(x) <= largest_reduced_angle);
  const L angle = where(large, 0, x);
  L result;
  if constexpr (std::is_same_v<T, float>) {
    const auto [low, high] = widen(angle);
    result = narrow(f(reduce_angle<true>(low)), f(reduce_angle<true>(high)));
  } else {
    result = f(reduce_angle<false>(angle));
  }
  if (any(large)) [[unlikely]]
    result = where(large, each(slow, x), result);
  return result;
}

}  // namespace kernels

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> sin(Lane<T, Arch> x) {
  const auto f = [](const auto& angle) CADENA_INLINE_LAMBDA { return kernels::sine_of(angle); };
  const auto slow = [](double angle) { return static_cast<T>(std::sin(angle)); };
  return where(x == 0, x, kernels::of_angle(x, f, slow));
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> cos(Lane<T, Arch> x) {
  const auto f = [](const auto& angle) CADENA_INLINE_LAMBDA { return kernels::cosine_of(angle); };
  const auto slow = [](double angle) { return static_cast<T>(std::cos(angle)); };
  return kernels::of_angle(x, f, slow);
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> tan(Lane<T, Arch> x) {
  const auto f = [](const auto& angle) CADENA_INLINE_LAMBDA { return kernels::tangent_of(angle); };
  const auto slow = [](double angle) { return static_cast<T>(std::tan(angle)); };
  return where(x == 0, x, kernels::of_angle(x, f, slow));
}

}  // namespace cadena
