#pragma once

#include <cadena/autograd/kernels/lane_exp.hpp>

namespace cadena {

/// x P(x^2) below 1, 1 - e^(-x^2) Q(1/(|x| + 2)) from there on. Coefficients:
/// scripts/fit_polynomials.py.
template <class T, class Arch> CADENA_INLINE Lane<T, Arch> erf(Lane<T, Arch> x) {
  using L = Lane<T, Arch>;
  using kernels::polynomial;
  // From there on it rounds to 1.
  const L size = kernels::bounded(abs(x), 0, sizeof(T) == 4 ? 4 : 6);
  const L square = size * size;
  const L t = 1 / (size + 2);
  L small, large;
  if constexpr (std::is_same_v<T, float>) {
    small = polynomial(square, 1.12837916591389935, -0.376126271355286262, 0.112836001691261404,
                       -0.0268544442371710027, 0.00518953459338771628, -0.000802083429867888894,
                       7.88909510551047758e-5);
    large = polynomial(t, -0.0135061443753107036, 0.784918349093689095, -0.245785610586819778,
                       5.78923426999343062, -0.62015805954551727);
  } else {
    small = polynomial(square, 1.12837916709551257, -0.376126389031835466, 0.112837916709452522,
                       -0.0268661706432760725, 0.00522397760742250279, -0.000854832598966141561,
                       0.000120552953197305842, -1.49247446535676513e-5, 1.6447517609499445e-6,
                       -1.62091757319230076e-7, 1.37229767707988164e-8, -7.80119188834191384e-10);
    large = polynomial(t, 2.85657480333271445e-5, 0.562944114134702889, 1.15287398153918461,
                       1.68898751427400384, 5.00031562636573713, -8.58311733376153999,
                       38.8160472223644476, -92.1628175211348762, 73.1663674213736191,
                       40.4065287932695455, -103.177643082784372, 50.0080287378139241);
  }
  const L above_one = copysign(1 - exp(-square) * large, x);
  return where(size < 1, x * small, above_one);
}

}  // namespace cadena
