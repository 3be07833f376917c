#pragma once

#include <cadena/autograd/kernels/lane_bits.hpp>

namespace cadena {
namespace kernels {

// pi/2 as T, and what is missing; pi and pi/4 are these times a power of two.
template <class T> inline constexpr double half_pi_high = static_cast<T>(0x1.921fb54442d18p+0);
template <class T>
inline constexpr double half_pi_low = sizeof(T) == 4 ? 0x1.921fb54442d18p+0 - half_pi_high<float>
                                                     : 0x1.1a62633145c07p-54;

/// asin x = s + tail for |x| <= 1/2 and pi/2 - 2 (s + tail) for larger x, with a square root for s.
template <class L> struct Arcsine { L s, tail; };

/// Of size = |x|. Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Arcsine<Lane<T, Arch>> arcsine_of(Lane<T, Arch> size) {
  using L = Lane<T, Arch>;
  const auto small = size <= 0.5;
  const L z = where(small, size * size, 0.5 - 0.5 * size);
  const L s = where(small, size, sqrt(z));
  if constexpr (std::is_same_v<T, float>) {
    return {s, s * z *
                   polynomial(z, 0.166666731353630785, 0.0749876168416468769, 0.0450202090103171265,
                              0.0264333731833106314, 0.038328324160080118)};
  } else {
    return {s,
            s * z *
                polynomial(z, 0.166666666666666461, 0.0750000000002326027, 0.0446428570994105509,
                           0.0303819476184995961, 0.0223720395602031, 0.0173554110578077222,
                           0.0139278901832120533, 0.0118886958553119457, 0.00773945556316540189,
                           0.0162250918106084268, -0.0110688586318279208, 0.0284021502130149337)};
  }
}

/// atan(a / b) for 0 <= a <= b, b > 0; where it is steep as pi/4 + atan((a - b) / (a + b)).
/// Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> arctangent_of(Lane<T, Arch> a, Lane<T, Arch> b) {
  using L = Lane<T, Arch>;
  const auto steep = a > 0.5 * b;
  const L t = where(steep, a - b, a) / where(steep, a + b, b);
  const L z = t * t;
  L tail;
  if constexpr (std::is_same_v<T, float>) {
    tail = t * z *
           polynomial(z, -0.333333252364719519, 0.199983137672711447, -0.142292263650396421,
                      0.104355973049290137, -0.0560733737903639366);
  } else {
    tail = t * z *
           polynomial(z, -0.333333333333333268, 0.199999999999922773, -0.142857142842141464,
                      0.111111109968474736, -0.0909090458435161657, 0.0769220243679652347,
                      -0.0666509913379886221, 0.0586684189755919201, -0.0515917014151948588,
                      0.0428850059555225065, -0.0290363040299255335, 0.0112130401910767937);
  }
  const L near_diagonal = (0.5 * half_pi_high<T> + t) + (tail + 0.5 * half_pi_low<T>);
  return where(steep, near_diagonal, t + tail);
}

}  // namespace kernels

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> asin(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = abs(x);
  const auto [s, tail] = kernels::arcsine_of(size);
  const L large = (kernels::half_pi_high<T> - 2 * s) + (kernels::half_pi_low<T> - 2 * tail);
  return copysign(where(size <= 0.5, s + tail, large), x);
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> acos(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = abs(x);
  const auto [s, tail] = kernels::arcsine_of(size);
  const L small = kernels::half_pi_high<T> - (x - (kernels::half_pi_low<T> - copysign(tail, x)));
  const L beyond_half_pi =
      (2 * kernels::half_pi_high<T> - 2 * s) + (2 * kernels::half_pi_low<T> - 2 * tail);
  return where(size <= 0.5, small, where(x < 0, beyond_half_pi, 2 * (s + tail)));
}

template <class T, class Arch> CADENA_INLINE Lane<T, Arch> atan(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = abs(x);
  const auto above = size > 1;
  const L angle = kernels::arctangent_of(where(above, 1, size), where(above, size, 1));
  const L rest = kernels::half_pi_high<T> - (angle - kernels::half_pi_low<T>);
  return copysign(where(above, rest, angle), x);
}

/// The angle of the point (x, y), as std::atan2.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> atan2(Lane<T, Arch> y, Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double small = std::numeric_limits<T>::min() * 0x1p30,
                   large = std::numeric_limits<T>::max() / 4;
  L width = abs(x), height = abs(y);
  // 45 degrees between two infinite ones; 0 between two zeros; no sum that overflows, no
  // difference that underflows.
  const auto infinite = (width == infinity) & (height == infinity);
  width = where(infinite | ((width == 0) & (height == 0)), 1, width);
  height = where(infinite, 1, height);
  const auto above = height > width;
  L a = where(above, width, height), b = where(above, height, width);
  // Not by a factor of 1: that would flush a subnormal float.
  const auto tiny = b<small, huge = b> large;
  a = where(tiny, 0x1p64 * a, where(huge, 0.25 * a, a));
  b = where(tiny, 0x1p64 * b, where(huge, 0.25 * b, b));
  const L acute = kernels::arctangent_of(a, b);
  const L right = where(above, kernels::half_pi_high<T> - (acute - kernels::half_pi_low<T>), acute);
  const auto left = copysign(L(1), x) < 0;
  const L obtuse = 2 * kernels::half_pi_high<T> - (right - 2 * kernels::half_pi_low<T>);
  return copysign(where(left, obtuse, right), y);
}

}  // namespace cadena
