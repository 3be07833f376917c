#pragma once

#include <cadena/autograd/kernels/lane_exp.hpp>

namespace cadena::kernels {

/// A number as the sum of two: about twice the digits.
template <class L> struct Pair { L high, low; };

/// a + b exactly, for |a| >= |b| or a = 0.
template <class L> CADENA_INLINE Pair<L> sum_of(L a, L b) {
  const L sum = a + b;
  return {sum, b - (sum - a)};
}

/// a b: exactly with fma, else (Dekker) to about 2^-105.
template <class Arch>
CADENA_INLINE Pair<Lane<double, Arch>> product_of(Lane<double, Arch> a, Lane<double, Arch> b) {
  using L = Lane<double, Arch>;
  const L product = a * b;
  if constexpr (has_fma<Arch>) {
    return {product, mul_add(a, b, -product)};
  } else {
    const BitsOf<L> upper(Format<double>::upper_half);
    const L a_high = from_bits<L>(to_bits(a) & upper), a_low = a - a_high;
    const L b_high = from_bits<L>(to_bits(b) & upper), b_low = b - b_high;
    return {product,
            ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
  }
}

/// ln x for x > 0 finite, to about 2^-64 of itself. With s = (m - 1) / (m + 1),
/// ln m = 2 s + s ((2/3) s^2 + s^4 Q(s^2)); all but Q is worked out in pairs.
template <class Arch> CADENA_INLINE Pair<Lane<double, Arch>> log_pair(Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  using F = Format<double>;
  constexpr double third_2 = 2.0 / 3.0, third_2_low = 0x1.5555555555555p-55;
  const auto [m, k] = split(x);
  const L f = m - 1, over = m + 1, over_low = m - (over - 1), inverse = 1 / over;
  const L s = f * inverse;
  const auto back = product_of(s, over);
  const L s_low = (((f - back.high) - back.low) - s * over_low) * inverse;
  const auto z = product_of(s, s);
  const L z_low = z.low + 2 * s * s_low;
  const L q = polynomial(z.high, 0.399999999999999998, 0.28571428571429433, 0.222222222216158708,
                         0.181818183443036588, 0.153845940251452523, 0.133348549712757589,
                         0.117049068081737545, 0.117369222144277801);
  const auto first = product_of(z.high, L(third_2));
  const auto w =
      sum_of(first.high, first.low + z.high * third_2_low + z_low * third_2 + z.high * z.high * q);
  const auto u = product_of(s, w.high);
  const auto log_m = sum_of(2 * s, u.high);
  const L log_m_low = log_m.low + (2 * s_low + (u.low + s * w.low + s_low * w.high));
  const auto sum = sum_of(k * F::ln2_high, log_m.high);
  return sum_of(sum.high, sum.low + (log_m_low + k * F::ln2_low));
}

/// factor e^(high + low) for |low| far below |high|, rounded to subnormal or 0 once, at the end;
/// the factor alone is to be neither large nor small.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> exp_of_pair(Pair<Lane<T, Arch>> x, Lane<T, Arch> factor) {
  using L = Lane<T, Arch>;
  using F = Format<T>;
  constexpr double log2_e = 1.44269504088896340736;
  const L n = nearest_integer(x.high * log2_e);
  const L r = mul_add(n, L(-F::ln2_high), x.high), r_low = mul_add(n, L(-F::ln2_low), x.low);
  const L both = r + r_low;
  const L p = r + mul_add(both * both, exp_tail(both), r_low);
  return scale(mul_add(factor, p, factor), n);
}

/// factor x^y for x >= 0 but for x = 1 with infinite y, and for y = 0. The factor is to be neither
/// large nor small.
template <class Arch>
CADENA_INLINE Lane<double, Arch> power_of_size(Lane<double, Arch> x, Lane<double, Arch> y,
                                               Lane<double, Arch> factor = 1) {
  using L = Lane<double, Arch>;
  auto log_x = log_pair(x);
  const auto usual = (x > 0) & (x < std::numeric_limits<double>::infinity());
  log_x.high = where(usual, log_x.high, log_with_ends(x, log_x.high));
  const auto product = product_of(y, log_x.high);
  const auto within = usual & (abs(product.high) < 800);
  return exp_of_pair(
      Pair<L>{bounded(product.high, -800, 800), where(within, product.low + y * log_x.low, 0)},
      factor);
}

/// The same for what was float: float's digits with some to spare suffice.
template <class Arch>
CADENA_INLINE Lane<double, Arch> power_of_float_size(Lane<double, Arch> x, Lane<double, Arch> y) {
  using L = Lane<double, Arch>;
  using F = Format<double>;
  constexpr double ln2 = 0.693147180559945309, log2_e = 1.44269504088896340736;
  const auto [m, k] = split_normal(x);
  const L s = (m - 1) / (m + 1), z = s * s;
  const L tail = polynomial(z, 0.666666666674215158, 0.399999987371132566, 0.285717664037785587,
                            0.221906676649887668, 0.193765877730304388);
  const L log_x = mul_add(k, L(ln2), mul_add(s * z, tail, 2 * s));
  const L t = bounded(y * log_with_ends(x, log_x), -110, 110);
  const L n = nearest_integer(t * log2_e);
  const L r = mul_add(n, L(-F::ln2_low), mul_add(n, L(-F::ln2_high), t));
  const L p = polynomial(r, 0.500000001429430192, 0.166666667618005559, 0.0416664567703811354,
                         0.00833328415869550961, 0.00139345450241421356, 0.00019908869556940957);
  return mul_add(r * r, p, 1 + r) * power_of_two(n);
}

/// x^y with all the cases of std::pow.
template <class T, class Arch> inline Lane<T, Arch> power(Lane<T, Arch> x, Lane<T, Arch> y) {
  using L = Lane<T, Arch>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const L size = abs(x);
  L result;
  if constexpr (std::is_same_v<T, float>) {
    const auto xs = widen(size), ys = widen(y);
    result = narrow(power_of_float_size(xs.low, ys.low), power_of_float_size(xs.high, ys.high));
  } else {
    result = power_of_size(size, y);
  }
  const L half = 0.5 * y;
  const auto integer = floor(y) == y;
  const auto odd = integer & (floor(half) != half);
  // A negative x: NaN unless y is an integer (or x infinite), the sign that of x for odd y.
  const L sign = from_bits<L>(to_bits(x) & to_bits(L(-0.0)));
  result = where(odd, from_bits<L>(to_bits(result) | to_bits(sign)), result);
  result = where((x < 0) & (x > -infinity) & !integer, nan, result);
  result = where(isnan(x) | isnan(y), nan, result);
  const auto one = (x == 1) | (y == 0) | ((x == -1) & (abs(y) == infinity));
  return where(one, 1, result);
}

}  // namespace cadena::kernels
