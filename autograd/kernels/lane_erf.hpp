#pragma once

#include <cadena/autograd/kernels/lane_pow.hpp>

namespace cadena {

namespace kernels {

/// erf(x) / x for |x| <= 1 as a function of x^2. Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> erf_over_x(Lane<T, Arch> square) {
  if constexpr (std::is_same_v<T, float>) {
    return polynomial(square, 1.12837916591389935, -0.376126271355286262, 0.112836001691261404,
                      -0.0268544442371710027, 0.00518953459338771628, -0.000802083429867888894,
                      7.88909510551047758e-5);
  } else {
    return polynomial(square, 1.12837916709551257, -0.376126389031835466, 0.112837916709452522,
                      -0.0268661706432760725, 0.00522397760742250279, -0.000854832598966141561,
                      0.000120552953197305842, -1.49247446535676513e-5, 1.6447517609499445e-6,
                      -1.62091757319230076e-7, 1.37229767707988164e-8, -7.80119188834191384e-10);
  }
}

}  // namespace kernels

/// x P(x^2) below 1, 1 - e^(-x^2) Q(1/(|x| + 2)) from there on. Coefficients:
/// scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> erf(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  using kernels::polynomial;
  // From there on it rounds to 1.
  const L size = kernels::bounded(abs(x), 0, sizeof(T) == 4 ? 4 : 6);
  const L square = size * size;
  const L t = 1 / (size + 2);
  L large;
  if constexpr (std::is_same_v<T, float>) {
    large = polynomial(t, -0.0135061443753107036, 0.784918349093689095, -0.245785610586819778,
                       5.78923426999343062, -0.62015805954551727);
  } else {
    large = polynomial(t, 2.85657480333271445e-5, 0.562944114134702889, 1.15287398153918461,
                       1.68898751427400384, 5.00031562636573713, -8.58311733376153999,
                       38.8160472223644476, -92.1628175211348762, 73.1663674213736191,
                       40.4065287932695455, -103.177643082784372, 50.0080287378139241);
  }
  const L above_one = copysign(1 - exp(-square) * large, x);
  return where(size < 1, x * kernels::erf_over_x(square), above_one);
}

namespace kernels {

/// factor e^(-c x^2) for x >= 0 and c = 1 or 1/2: the square in two parts, for its rounding would
/// count as often as it is large.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> times_exp_of_minus_square(Lane<T, Arch> factor, Lane<T, Arch> x,
                                                      double c) {
  using L = Lane<T, Arch>;
  const L high = from_bits<L>(to_bits(x) & BitsOf<L>(Format<T>::upper_half)), low = x - high;
  const auto square = sum_of(high * high, low * (x + high));
  return exp_of_pair(Pair<L>{-c * square.high, -c * square.low}, factor);
}

/// e^(y^2) erfc(y) at y = x / unit, from 0 to 11 (28 in double): R(q) / (1.5 + 3 y) with
/// q = (y - k) / (y + k) (Shepherd and Laframboise 1981; here times 1.5, since R is rounded less
/// between 1.5 and 2). Both parts of the quotient are scaled so that the lower one is slope x and a
/// constant. Coefficients: scripts/fit_polynomials.py.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> scaled_erfc(Lane<T, Arch> x, double unit, double slope) {
  using L = Lane<T, Arch>;
  const double k = (sizeof(T) == 4 ? 3 : 3.5) * unit, c = slope * unit / 3;
  const L q = (x - k) / (x + k);
  L r;
  if constexpr (std::is_same_v<T, float>) {
    r = polynomial(q, 1.87951209012034917 * c, -0.203431718491339238 * c,
                   -0.0713437496563959083 * c, 0.194469809339506066 * c, -0.178903960544662164 * c,
                   0.102444071543053942 * c, -0.0357094371873037457 * c, 0.00383870233878061967 * c,
                   0.00302110225338683999 * c, -0.00113444461139489721 * c,
                   -0.000389621035433279027 * c);
  } else {
    r = polynomial(
        q, 1.86352386730673156 * c, -0.210013770206428909 * c, -0.0158333944983230418 * c,
        0.146278642729861139 * c, -0.172634397240550181 * c, 0.1319747307382351 * c,
        -0.0732349887356185894 * c, 0.0286489963988150803 * c, -0.00632252993922523255 * c,
        -0.000453401689493133397 * c, 0.000846577199230390586 * c, -0.000182269276584275299 * c,
        -0.0000641760209038090235 * c, 0.0000363934394392747149 * c, 3.50056178676717495e-6 * c,
        -5.72564200438840179e-6 * c, -8.22114533799903599e-8 * c, 9.05191131139890517e-7 * c,
        7.46116943592449521e-9 * c, -1.42907182841854963e-7 * c, -1.25362941896486681e-8 * c,
        1.65840143471258337e-8 * c, 4.01325279564123404e-9 * c);
  }
  return r / mul_add(x, L(slope), L(1.5 * c));
}

}  // namespace kernels

/// 1 - erf x, accurate where that is small too.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> erfc(Lane<T, Arch> x) {
  // From there on it rounds to 0.
  const auto size = kernels::bounded(abs(x), 0, sizeof(T) == 4 ? 10.5 : 28);
  const auto tail = kernels::times_exp_of_minus_square(kernels::scaled_erfc(size, 1, 3), size, 1);
  const auto near_zero = 1 - x * kernels::erf_over_x(x * x);
  return where(size < 0.5, near_zero, where(x < 0, 2 - tail, tail));
}

namespace kernels {

inline constexpr double root_two = 1.41421356237309504880;

/// |x|, but no more than where the distribution function of -|x| rounds to 0.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> normal_size(Lane<T, Arch> x) {
  return bounded(abs(x), 0, sizeof(T) == 4 ? 14.5 : 39);
}
/// factor times the distribution function of the standard normal at -size; best from 0.6 on.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> normal_tail(Lane<T, Arch> size, Lane<T, Arch> factor) {
  return times_exp_of_minus_square(0.5 * factor * scaled_erfc(size, root_two, 1), size, 0.5);
}
/// The same function for |x| < 0.6.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> normal_middle(Lane<T, Arch> x) {
  return mul_add(x, erf_over_x(0.5 * (x * x)) * (0.25 * root_two), Lane<T, Arch>(0.5));
}

}  // namespace kernels

/// erfc(-x / sqrt 2) / 2, without the rounding of that argument.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> normal_cdf(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  const L size = kernels::normal_size(x), tail = kernels::normal_tail(size, L(1));
  return where(size < 0.6, kernels::normal_middle(x), where(x < 0, tail, 1 - tail));
}

}  // namespace cadena
