#pragma once

// The rest of a division whose quotient is an integer. It has no rounding error, whatever the
// sizes.

#include <cmath>

#include <cadena/autograd/kernels/lane_bits.hpp>

namespace cadena {
namespace kernels {

template <class L> struct Rest {
  L size;                         ///< |x| - trunc(|x| / |y|) |y|
  typename L::mask_type certain;  ///< Whether it is that. Not of NaN, infinities and 0 for y.
};

/// The rest by one division, for quotients up to `most`: their products with y must be free of
/// rounding, or fused with the subtraction.
template <class L> CADENA_INLINE Rest<L> rest_of_quotient(L x, L y, double most) {
  const L size = abs(x), step = abs(y);
  const L quotient = trunc(size / step);
  const L rest = mul_add(-quotient, step, size);
  const auto small = size < step;
  // A quotient just below an integer may have been rounded up to it, never down past one.
  return {where(small, size, where(rest < 0, rest + step, rest)), small | (quotient <= most)};
}

/// finish(x - trunc(x / y) y, y), the rest with the sign of x.
template <class T, class Arch, class Finish>
CADENA_INLINE Lane<T, Arch> with_rest(Lane<T, Arch> x, Lane<T, Arch> y, Finish finish) {
  const auto one_by_one = [&] {
    return finish(each([](T a, T b) { return std::fmod(a, b); }, x, y), y);
  };
  if constexpr (std::is_same_v<T, float>) {
    // In double: 29 bits of quotient times 24 of y fit, and nothing on the way is subnormal. A sum
    // of two floats may be rounded to double first.
    const Wide<Arch> wide_x = widen(x), wide_y = widen(y);
    const auto low = rest_of_quotient(wide_x.low, wide_y.low, 0x1p29);
    const auto high = rest_of_quotient(wide_x.high, wide_y.high, 0x1p29);
    if (!(all(low.certain) && all(high.certain))) return one_by_one();
    return narrow(finish(copysign(low.size, wide_x.low), wide_y.low),
                  finish(copysign(high.size, wide_x.high), wide_y.high));
  } else if constexpr (has_fma<Arch>) {
    const auto rest = rest_of_quotient(x, y, 0x1p52);
    if (!all(rest.certain)) return one_by_one();
    return finish(copysign(rest.size, x), y);
  } else {
    return one_by_one();
  }
}

template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> rest_of_trunc(Lane<T, Arch> x, Lane<T, Arch> y) {
  return with_rest(x, y, [](auto rest, auto) { return rest; });
}

template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> rest_of_floor(Lane<T, Arch> x, Lane<T, Arch> y) {
  return with_rest(x, y, [](auto rest, auto step) {
    const auto apart = ((rest < 0) & (step > 0)) | ((rest > 0) & (step < 0));
    return where(apart, rest + step, where(rest == 0, copysign(rest, step), rest));
  });
}

}  // namespace kernels
}  // namespace cadena
