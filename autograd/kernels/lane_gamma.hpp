#pragma once

// The logarithm of the gamma function and its derivatives. They are worked out in double: for
// float, too, whose zeros on the negative axis need the digits.

#include <cadena/autograd/kernels/lane_pow.hpp>

namespace cadena {
namespace kernels {

/// x less the nearest integer.
template <class Arch> CADENA_INLINE Lane<double, Arch> beside_integer(Lane<double, Arch> x) {
  return where(abs(x) < 0x1p52, x - floor(x + 0.5), 0);
}

/// ln gamma(x) for x >= 0. Down to (5/4, 9/4] by gamma(x + 1) = x gamma(x), where it is t P(t) with
/// t = x - 2; from 6.25 on Stirling's formula. Coefficients: scripts/fit_polynomials.py.
template <class Arch> inline Lane<double, Arch> lgamma_of_positive(Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  constexpr double half_ln_two_pi_less_half = 0.4189385332046727417803297;
  const auto large = x > 6.25;
  L y = where(large, 2, x), product = 1;
  for (int k = 0; k < 4; ++k) {
    const auto above = y > 2.25;
    y = where(above, y - 1, y);
    product = where(above, product * y, product);
  }
  // Below 5/4 the other way: ln gamma(2 + t) - ln x, or - ln(x (x + 1)).
  const auto below = y < 1.25, far_below = y < 0.25;
  product = where(below, where(far_below, mul_add(y, y, y), y), product);
  const L t = where(below, where(far_below, y, y - 1), y - 2);
  const auto log_x = log_pair(where(large, x, product));
  const L sign = where(below, -1, 1);
  const L near =
      t * polynomial(t, 0.422784335098467139, 0.322467033424113259, -0.0673523010531977791,
                     0.0205808084277706742, -0.00738555102875150968, 0.00289051033202220253,
                     -0.00119275390397930033, 0.000509669480780390484, -0.000223155114768481372,
                     0.0000994578530439099174, -0.0000449185486461483173, 0.0000205194833738180865,
                     -9.50179169062616498e-6, 4.1177037807678493e-6, -2.19114495190853142e-6,
                     2.03081971917152222e-6, 2.73551115159241661e-6, 4.38112152491234074e-6,
                     2.75523574103593267e-6, 9.24453880919932804e-7);
  const L middle = sign * log_x.high + (near + sign * log_x.low);
  const L inverse = 1 / x;
  const L tail =
      inverse * polynomial(inverse * inverse, 0.0833333333333333333, -0.0027777777777776602,
                           0.000793650793525551464, -0.000595238043727803812,
                           0.000841740170126513797, -0.00191627242051928195, 0.00632197967208112022,
                           -0.0257860084462311883, 0.0842819168236777382);
  const L factor = x - 0.5;
  const L far =
      factor * (log_x.high - 1) + (factor * log_x.low + (tail + half_ln_two_pi_less_half));
  return where((x == 0) | (x == infinity), infinity, where(large, far, middle));
}

/// By reflection for x < 0: -ln |sin(pi x) / pi| - ln gamma(1 - x).
template <class Arch> inline Lane<double, Arch> lgamma_of_double(Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  const auto negative = x < 0;
  // gamma(1 - x) = -x gamma(-x) spares the rounding of 1 - x; near 0 that does not matter.
  const auto far = x < -0.5;
  const L result = lgamma_of_positive(where(negative, where(far, -x, 1 - x), x));
  if (!any(negative)) return result;
  const L r = beside_integer(x);
  const L sine =
      where(far, -x, 1) * abs(r) *
      polynomial(r * r, 1.0, -1.6449340668482263, 0.811742425283339355, -0.190751824121497004,
                 0.0261478478055641097, -0.00234608089557638271, 0.000148427841951205591,
                 -6.97210097286574434e-6, 2.45030749752672267e-7);
  const auto log_sine = log_pair(where(r == 0, 1, sine));
  const L reflected = -((log_sine.high + result) + log_sine.low);
  return where(negative, where(r == 0, std::numeric_limits<double>::infinity(), reflected), result);
}

/// digamma(x) for x > 0 or zero of either sign. Down to [1, 3] by digamma(x + 1) = digamma(x) +
/// 1 / x, where it is (x - its zero) P(x - 2) / (x (x + 1)); asymptotic from 6 on. Coefficients:
/// scripts/fit_polynomials.py.
template <class Arch> inline Lane<double, Arch> digamma_of_positive(Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  // Where digamma(1 + u) is zero, in two parts.
  constexpr double zero = 0x1.d8b618d5af8fep-2, zero_low = -1.5522348162858676891e-17;
  const auto large = x > 6, below = x < 1;
  L y = where(large, 2, x);
  // 1 / (x - 1) + 1 / (x - 2) + ... as one fraction; below 1 it is -1 / x.
  L numerator = where(below, -1, 0), denominator = where(below, x, 1);
  for (int k = 0; k < 3; ++k) {
    const auto above = y > 3;
    y = where(above, y - 1, y);
    numerator = where(above, mul_add(numerator, y, denominator), numerator);
    denominator = where(above, denominator * y, denominator);
  }
  const L u = where(below, y, y - 1);
  const L distance = (u - zero) - zero_low;
  const L near =
      distance *
      polynomial(u - 1, 4.71184523162463161, 2.36210396492251796, 0.135612267294868871,
                 -0.013045567100900039, 0.00192861001464737612, -0.000345080249427699904,
                 0.0000686718874272419984, -0.0000145989857417391921, 3.24246206161953653e-6,
                 -7.42297161657701565e-7, 1.73643441995324097e-7, -4.12595479565293663e-8,
                 9.91932638744772378e-9, -2.41379347468530413e-9, 5.90242750565791692e-10,
                 -1.37726687774012574e-10, 3.34936208360902067e-11, -1.18531283791085984e-11,
                 3.03482516264858953e-12) /
      mul_add(u, u + 3, L(2));
  const L middle = near + numerator / denominator;
  const L inverse = 1 / x, square = inverse * inverse;
  const L far = log(x) - mul_add(square,
                                 polynomial(square, 0.0833333333333333199, -0.0083333333332697906,
                                            0.00396825391899616913, -0.00416665206030411169,
                                            0.00757361282481160196, -0.0209189841678092479,
                                            0.0752593011514633949, -0.230562586280613293),
                                 0.5 * inverse);
  return where(large, far, middle);
}

/// By reflection for x < 0: digamma(1 - x) - pi / tan(pi x), where that is
/// 1 / r - (digamma(1 + r) - digamma(1 - r)) with the distance r to the nearest integer.
template <class Arch> inline Lane<double, Arch> digamma_of_double(Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  const auto negative = x < 0;
  const L result = digamma_of_positive(where(negative, 1 - x, x));
  if (!any(negative)) return result;
  const L r = beside_integer(x), size = abs(r);
  const L difference = digamma_of_positive(1 + size) - digamma_of_positive(1 - size);
  const L reflected = (result + copysign(L(1), r) * difference) - 1 / r;
  return where(negative, where(r == 0, std::numeric_limits<double>::quiet_NaN(), reflected),
               result);
}

/// n! times the sum of (x + k)^-(n + 1) over k = 0, 1, 2, ...: what polygamma is but for its sign.
template <class Arch> class PolygammaSum {
 public:
  using L = Lane<double, Arch>;

  explicit PolygammaSum(int n) : n_(n), from_(10 + 1.2 * n) {
    // n! x^-(n+1) = factor (unit x)^-(n+1) with a power of two that leaves a moderate factor.
    double logarithm = 0;
    for (int k = 2; k <= n; ++k) logarithm += std::log2(k);
    const double step = std::exp2(-std::round(logarithm / (n + 1)));
    long double factor = static_cast<long double>(step);
    for (int k = 1; k <= n; ++k) factor *= static_cast<long double>(step) * k;
    unit_ = step;
    factor_ = static_cast<double>(factor);
    integral_factor_ = static_cast<double>(factor / (step * static_cast<long double>(n)));
    // B_2k / (2k)! (n + 2k - 1)! / (n - 1)! with Bernoulli's numbers B.
    constexpr double bernoulli[terms] = {1.0 / 12,
                                         -1.0 / 720,
                                         1.0 / 30240,
                                         -1.0 / 1209600,
                                         1.0 / 47900160,
                                         -691.0 / 1307674368000,
                                         1.0 / 74724249600,
                                         -3617.0 / 10670622842880000,
                                         43867.0 / 5109094217170944000,
                                         -174611.0 / 802857662698291200000.0};
    double rising = 1;
    for (int k = 0; k < terms; ++k) {
      rising *= (n + 2.0 * k) * (n + 2.0 * k + 1);
      coefficients_[k] = bernoulli[k] * rising;
    }
  }

  /// For x >= 0. The first terms, then Euler and Maclaurin's formula for the rest.
  L operator()(L x) const {
    L y = x, sum = 0, low = 0;
    for (auto near = y < from_; any(near); near = y < from_) {
      const auto next = sum_of(sum, where(near, power(y, n_ + 1, factor_), 0));
      sum = next.high;
      low += next.low;
      y = where(near, y + 1, y);
    }
    const L inverse = 1 / y, square = inverse * inverse;
    L series = coefficients_[terms - 1];
    for (int k = terms - 1; k-- > 0;) series = mul_add(series, square, L(coefficients_[k]));
    const L rest = power(y, n_, integral_factor_);
    const L tail = mul_add(rest, mul_add(square, series, 0.5 * n_ * inverse), rest);
    return where(sum < std::numeric_limits<double>::infinity(), sum + (tail + low), sum);
  }

 private:
  static constexpr int terms = 10;

  /// factor (unit x)^-p.
  L power(L x, int p, double factor) const {
    if (p > 2) return power_of_size(x * unit_, L(-p), L(factor));
    const L inverse = 1 / (x * unit_);
    return factor * (p == 1 ? inverse : inverse * inverse);
  }

  int n_;
  double from_, unit_, factor_, integral_factor_;
  double coefficients_[terms];
};

/// By reflection for x < 0: the sum over all integers k of (r + k)^-(n+1), with the distance r to
/// the nearest integer, less the part that belongs to 1 - x.
template <class Arch> inline Lane<double, Arch> polygamma_of_double(int n, Lane<double, Arch> x) {
  using L = Lane<double, Arch>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const PolygammaSum<Arch> sum(n);
  const bool odd = n % 2 == 1;
  const auto negative = x < 0;
  const L positive = sum(where(negative, 1 - x, abs(x)));
  // The sign of zero is that of the pole's side.
  const L result = odd ? positive : -copysign(positive, where(x == 0, x, 1));
  if (!any(negative)) return result;
  const L r = beside_integer(x), size = abs(r);
  L reflected;
  if (odd) {
    reflected = where(x > -infinity, sum(size) + sum(1 - size) - positive,
                      std::numeric_limits<double>::quiet_NaN());
  } else {
    const L all = copysign(sum(size) - sum(1 - size), r);
    reflected = where(r == 0, std::numeric_limits<double>::quiet_NaN(), -(all + positive));
  }
  return where(negative, reflected, result);
}

/// f of a lane of doubles for lanes of either type.
template <class T, class Arch, class F>
CADENA_INLINE Lane<T, Arch> in_double(Lane<T, Arch> x, F f) {
  if constexpr (std::is_same_v<T, float>) {
    const auto [low, high] = widen(x);
    return narrow(f(low), f(high));
  } else {
    return f(x);
  }
}

}  // namespace kernels

/// ln |gamma(x)|.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> lgamma(Lane<T, Arch> x) {
  return kernels::in_double(x, [](auto at) { return kernels::lgamma_of_double(at); });
}

/// The derivative of ln gamma(x).
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> digamma(Lane<T, Arch> x) {
  return kernels::in_double(x, [](auto at) { return kernels::digamma_of_double(at); });
}

/// The n-th derivative of digamma; n from 0 to 100.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> polygamma(int n, Lane<T, Arch> x) {
  if (n == 0) return digamma(x);
  return kernels::in_double(x, [n](auto at) { return kernels::polygamma_of_double(n, at); });
}

}  // namespace cadena
