#pragma once

// What the functions of lanes are built from: powers of two, exponents, polynomials, and halves of
// a float lane in double. All of it is one operation after another on every number alike: a result
// never depends on the neighbours in the lane.

#include <cmath>
#include <cstdint>

#include <cadena/autograd/kernels/lane_core.hpp>

namespace cadena::kernels {

template <class T> struct Format;
template <> struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int digits = 23, bias = 127;
  static constexpr Bits root_half = 0x3f3504f3, sign = 0x80000000, upper_half = 0xfffff000;
  // ln 2 in two parts: the first times an exponent is exact.
  static constexpr double ln2_high = 0.693145751953125, ln2_low = 1.42860682030941723e-6;
};
template <> struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int digits = 52, bias = 1023;
  static constexpr Bits root_half = 0x3fe6a09e667f3bcd, sign = 0x8000000000000000,
                        upper_half = 0xfffffffff8000000;
  static constexpr double ln2_high = 0x1.62e42feep-1, ln2_low = 1.9082149292705877e-10;
};

template <class L>
using BitsOf =
    xsimd::batch<typename Format<typename L::value_type>::Bits, typename L::Batch::arch_type>;

template <class L> CADENA_INLINE BitsOf<L> to_bits(L x) {
  return xsimd::bitwise_cast<BitsOf<L>>(x.batch());
}
template <class L> CADENA_INLINE L from_bits(BitsOf<L> bits) {
  return L(xsimd::bitwise_cast<typename L::Batch>(bits));
}

/// c0 + c1 x + c2 x^2 + ...
template <class L> CADENA_INLINE L polynomial(L, double c0) { return c0; }
template <class L, class... C> CADENA_INLINE L polynomial(L x, double c0, C... c) {
  return mul_add(x, polynomial(x, c...), L(c0));
}

/// x brought into [low, high]; NaN stays, because the machine's min and max give their second
/// operand then.
template <class L> CADENA_INLINE L bounded(L x, double low, double high) {
  return L(xsimd::max(L(low).batch(), xsimd::min(L(high).batch(), x.batch())));
}

/// This added to an integer leaves it in the lowest bits (of 22 or 51).
template <class T>
constexpr double integer_shift = 1.5 * double(typename Format<T>::Bits(1) << Format<T>::digits);

/// The nearest integer for |x| < 2^21 (float) or 2^50 (double).
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> nearest_integer(Lane<T, Arch> x) {
  return (x + integer_shift<T>)-integer_shift<T>;
}

/// 2^n for an integer n that is the exponent of a normal number.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> power_of_two(Lane<T, Arch> n) {
  const auto shifted = to_bits(n + (integer_shift<T> + Format<T>::bias));
  return from_bits<Lane<T, Arch>>(shifted << Format<T>::digits);
}

/// x 2^n for 0.5 < x < 2 (or any x neither large nor small if n < 0) and any integer n within 1.2
/// of the range of exponents; the result may be subnormal or infinite and is rounded once.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> scale(Lane<T, Arch> x, Lane<T, Arch> n) {
#ifdef __AVX512F__
  if constexpr (std::is_same_v<T, float>) {
    return Lane<T, Arch>(_mm512_scalef_ps(x.batch(), n.batch()));
  } else {
    return Lane<T, Arch>(_mm512_scalef_pd(x.batch(), n.batch()));
  }
#else
  // Two factors, the first well inside the range.
  constexpr int half = (Format<T>::bias + 1) / 2;
  constexpr double step = half;
  constexpr double up = sizeof(T) == 4 ? 0x1p64 : 0x1p512;
  const auto small = n < 0;
  return x * power_of_two(n + where(small, step, -step)) * where(small, 1 / up, up);
#endif
}

template <class L> struct Split { L fraction, exponent; };
/// x = fraction 2^exponent with sqrt(1/2) <= fraction < sqrt(2), for x > 0 normal and finite.
template <class T, class Arch> CADENA_INLINE Split<Lane<T, Arch>> split_normal(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  using F = Format<T>;
  using Bits = typename F::Bits;
  constexpr Bits one = Bits(F::bias) << F::digits;
  const auto bits = to_bits(x);
  const auto biased = (bits + BitsOf<L>(one - F::root_half)) >> F::digits;
  // An integer below 2^digits or'ed into 2^digits is their sum.
  constexpr double shift = double(Bits(1) << F::digits);
  const L exponent = L(from_bits<L>(biased | to_bits(L(shift)))) - (shift + F::bias);
  return {from_bits<L>(bits - (biased << F::digits) + BitsOf<L>(one)), exponent};
}
/// The same for x > 0 finite.
template <class T, class Arch> CADENA_INLINE Split<Lane<T, Arch>> split(Lane<T, Arch> x) {
  constexpr double up = double(typename Format<T>::Bits(1) << (Format<T>::digits + 1));
  const auto subnormal = x < std::numeric_limits<T>::min();
  auto parts = split_normal(where(subnormal, x * up, x));
  parts.exponent -= where(subnormal, Format<T>::digits + 1, 0);
  return parts;
}

// The vectors of this translation unit in the compiler's own terms, for its conversions.
constexpr int register_bytes = sizeof(xsimd::batch<double, Simd<Arch>>);
typedef float HalfOfFloats __attribute__((vector_size(register_bytes / 2)));
typedef double Doubles __attribute__((vector_size(register_bytes)));

/// A float lane as two double lanes.
template <class Arch> struct Wide { Lane<double, Arch> low, high; };

template <class Arch> CADENA_INLINE Wide<Arch> widen(Lane<float, Arch> x) {
  using D = Lane<double, Arch>;
  const auto from = x.batch().data;
  HalfOfFloats halves[2];
  __builtin_memcpy(halves, &from, sizeof from);
  const Doubles doubles[2] = {__builtin_convertvector(halves[0], Doubles),
                              __builtin_convertvector(halves[1], Doubles)};
  decltype(D::Batch::data) to[2];
  __builtin_memcpy(to, doubles, sizeof to);
  return {D(typename D::Batch(to[0])), D(typename D::Batch(to[1]))};
}

template <class Arch>
CADENA_INLINE Lane<float, Arch> narrow(Lane<double, Arch> low, Lane<double, Arch> high) {
  using F = Lane<float, Arch>;
  const decltype(low.batch().data) from[2] = {low.batch().data, high.batch().data};
  Doubles doubles[2];
  __builtin_memcpy(doubles, from, sizeof from);
  const HalfOfFloats halves[2] = {__builtin_convertvector(doubles[0], HalfOfFloats),
                                  __builtin_convertvector(doubles[1], HalfOfFloats)};
  decltype(F::Batch::data) to;
  __builtin_memcpy(&to, halves, sizeof to);
  return F(typename F::Batch(to));
}

}  // namespace cadena::kernels
