// Known answers of the functions of angles, of the gamma function and of activations, at their
// special values, and their derivatives at infinities, kinks and of high order.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/nn/activation.hpp>

#include <cmath>
#include <limits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr TensorOptions wide{.dtype = float64};
constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double pi = 3.14159265358979323846;
constexpr double euler = 0.57721566490153286061;  // the constant of Euler and Mascheroni
constexpr double zeta_3 = 1.20205690315959428540;

template <class F> double at(const F& f, double x) { return f(tensor(x, wide)).item(); }

/// The derivative of order n of f at x.
template <class F> double derivative(const F& f, double x, int n) {
  const Tensor leaf = tensor(x, wide).requires_grad_leaf();
  Tensor value = f(leaf);
  for (int i = 0; i < n; ++i) {
    value =
        value.requires_grad() ? grad(value, {leaf}, {.create_graph = true})[0] : zeros_like(leaf);
  }
  return value.item();
}

}  // namespace

TEST_CASE("powers of two and their logarithms are exact") {
  for (int k : {-1022, -3, 0, 1, 10, 1023}) {
    CHECK(at([](auto x) { return exp2(x); }, k) == std::ldexp(1.0, k));
    CHECK(at([](auto x) { return log2(x); }, std::ldexp(1.0, k)) == k);
  }
  CHECK(at([](auto x) { return log2(x); }, 0) == -infinity);
  CHECK(std::isnan(at([](auto x) { return log2(x); }, -1)));
  CHECK(derivative([](auto x) { return exp2(x); }, 3, 2) ==
        Approx(8 * std::log(2.0) * std::log(2.0)).epsilon(1e-14));
}

TEST_CASE("angles at special values") {
  CHECK(at([](auto x) { return asin(x); }, 1) == pi / 2);
  CHECK(at([](auto x) { return acos(x); }, -1) == pi);
  CHECK(at([](auto x) { return acos(x); }, 1) == 0);
  CHECK(at([](auto x) { return atan(x); }, -infinity) == -pi / 2);
  CHECK(std::isnan(at([](auto x) { return asin(x); }, 1.5)));
  CHECK(std::isnan(at([](auto x) { return acos(x); }, -1.5)));
  CHECK(at([](auto x) { return tan(x); }, 1e300) ==
        Approx(static_cast<double>(std::tan(static_cast<long double>(1e300)))).epsilon(1e-15));
  const auto angle = [](double y, double x) {
    return atan2(tensor(y, wide), tensor(x, wide)).item();
  };
  CHECK(angle(0.0, -1) == pi);
  CHECK(angle(-0.0, -1) == -pi);
  CHECK(angle(0.0, -0.0) == pi);
  CHECK(angle(infinity, infinity) == pi / 4);
  CHECK(angle(-infinity, -infinity) == -3 * pi / 4);
  CHECK(angle(1e308, 1e308) == pi / 4);
  CHECK(angle(5e-324, 5e-324) == pi / 4);
}

TEST_CASE("derivatives of atan2 neither overflow nor end in NaN at the origin") {
  const auto slopes = [](double y, double x) {
    const Tensor first = tensor(y, wide).requires_grad_leaf(),
                 second = tensor(x, wide).requires_grad_leaf();
    const std::vector<Tensor> found = grad(atan2(first, second), {first, second});
    return Values{found[0].item(), found[1].item()};
  };
  CHECK(slopes(0, 0) == Values{0, 0});
  CHECK(slopes(0, 2) == Values{0.5, 0});
  CHECK(slopes(2, 0) == Values{0, -0.5});
  const Values large = slopes(3e200, 4e200);
  CHECK(large[0] == Approx(4e-200 / 25).epsilon(1e-14));
  CHECK(large[1] == Approx(-3e-200 / 25).epsilon(1e-14));
}

TEST_CASE("higher derivatives of asin and acos have all digits from 0 to 1") {
  using Real = long double;
  for (double x : {0.0, 1e-300, -1e-20, 1e-10, 1e-3, -0.3, 0.49, 0.5, 0.51, -0.9, 0.999999}) {
    INFO("at " << x);
    const Real rest = (1 - Real(x)) * (1 + Real(x));
    const auto second = static_cast<double>(x / (rest * std::sqrt(rest)));
    const auto third = static_cast<double>((1 + 2 * Real(x) * x) / (rest * rest * std::sqrt(rest)));
    CHECK(derivative([](auto v) { return asin(v); }, x, 2) == Approx(second).epsilon(2e-15));
    CHECK(derivative([](auto v) { return acos(v); }, x, 2) == Approx(-second).epsilon(2e-15));
    CHECK(derivative([](auto v) { return asin(v); }, x, 3) == Approx(third).epsilon(1e-14));
    CHECK(derivative([](auto v) { return acos(v); }, x, 3) == Approx(-third).epsilon(1e-14));
  }
  CHECK(derivative([](auto v) { return asin(v); }, 1, 1) == infinity);
  CHECK(derivative([](auto v) { return acos(v); }, 1, 1) == -infinity);
}

TEST_CASE("derivatives of atan neither overflow nor end in NaN") {
  using Real = long double;
  const auto f = [](auto v) { return atan(v); };
  for (double x : {0.0, 1e-200, -1e-10, 0.5, 1.0, -1.0, 1.5, 30.0, -1e20, 1e70, 1e150, 1e300}) {
    INFO("at " << x);
    const Real square = Real(x) * x, inverse = 1 / (1 + square);
    const Real expected[] = {inverse, -2 * x * inverse * inverse,
                             (6 * square - 2) * inverse * inverse * inverse};
    for (int n : {1, 2, 3}) {
      const auto one = static_cast<double>(expected[n - 1]);
      if (one == 0 || std::abs(one) > 1e-307) {  // in between there are fewer digits
        CHECK(derivative(f, x, n) == Approx(one).epsilon(1e-14));
      }
    }
  }
  for (int n : {1, 2, 3, 4}) {
    CHECK(derivative(f, infinity, n) == 0);
    CHECK(derivative(f, -infinity, n) == 0);
  }
}

TEST_CASE("second derivatives of softplus and logsigmoid have all digits far out") {
  using Real = long double;
  for (double x : {0.0, 1.0, -5.0, 20.0, 40.0, -40.0, 300.0, 700.0, -700.0, infinity, -infinity}) {
    INFO("at " << x);
    const Real small = std::exp(-std::abs(Real(x)));
    const auto expected = static_cast<double>(small / ((1 + small) * (1 + small)));
    CHECK(derivative([](auto v) { return softplus(v); }, x, 2) == Approx(expected).epsilon(1e-15));
    CHECK(derivative([](auto v) { return logsigmoid(v); }, x, 2) ==
          Approx(-expected).epsilon(1e-15));
  }
}

TEST_CASE("the gamma function at known places") {
  const auto log_gamma = [](double x) { return at([](auto t) { return lgamma(t); }, x); };
  CHECK(log_gamma(1) == 0);
  CHECK(log_gamma(2) == 0);
  CHECK(log_gamma(0.5) == Approx(std::log(pi) / 2).epsilon(1e-15));
  CHECK(log_gamma(-0.5) == Approx(std::log(2 * std::sqrt(pi))).epsilon(1e-15));
  CHECK(log_gamma(11) == Approx(std::log(3628800.0)).epsilon(1e-15));
  CHECK(log_gamma(1 + 1e-12) == Approx(-euler * 1e-12).epsilon(1e-4));
  CHECK(log_gamma(0) == infinity);
  CHECK(log_gamma(-3) == infinity);
  CHECK(log_gamma(-infinity) == infinity);

  const auto psi = [](int n, double x) { return at([n](auto t) { return polygamma(n, t); }, x); };
  CHECK(psi(0, 1) == Approx(-euler).epsilon(1e-15));
  CHECK(psi(0, 0.5) == Approx(-euler - 2 * std::log(2.0)).epsilon(1e-15));
  CHECK(psi(0, 0.0) == -infinity);
  CHECK(psi(0, -0.0) == infinity);
  CHECK(std::isnan(psi(0, -2)));
  CHECK(psi(1, 1) == Approx(pi * pi / 6).epsilon(1e-15));
  CHECK(psi(1, -0.5) == Approx(pi * pi / 2 + 4).epsilon(1e-15));
  CHECK(psi(1, 1e200) == Approx(1e-200).epsilon(1e-15));
  CHECK(psi(2, 1) == Approx(-2 * zeta_3).epsilon(1e-15));
  CHECK(psi(2, -0.0) == infinity);
  CHECK(psi(3, 1) == Approx(std::pow(pi, 4) / 15).epsilon(1e-14));
  CHECK(psi(3, -2) == infinity);
  CHECK(psi(60, 1e5) == Approx(-std::exp(std::lgamma(60.0) - 60 * std::log(1e5))).epsilon(1e-3));
}

TEST_CASE("derivatives of lgamma of order 1 to 5 are polygamma") {
  const auto f = [](auto x) { return lgamma(x); };
  for (int n = 1; n <= 5; ++n) {
    INFO("order " << n);
    CHECK(derivative(f, 2.5, n) == polygamma(n - 1, tensor(2.5, wide)).item());
  }
}

TEST_CASE("polygamma refuses orders it does not have") {
  const Tensor x = tensor(1.0, wide);
  check_error([&] { polygamma(-1, x); }, {"polygamma", "0 to 100", "-1"});
  check_error([&] { polygamma(101, x); }, {"polygamma", "0 to 100", "101"});
}

TEST_CASE("higher derivatives at infinities are 0 or infinite, not NaN") {
  CHECK(derivative([](auto x) { return exp(x); }, 1000, 3) == infinity);
  CHECK(derivative([](auto x) { return exp(x); }, 1000, 4) == infinity);
  for (double x : {-infinity, infinity}) {
    for (int n : {1, 2}) {
      INFO("at " << x << ", order " << n);
      const double one = n == 1 && x > 0 ? 1 : 0;
      CHECK(derivative([](auto v) { return erf(v); }, x, n) == 0);
      CHECK(derivative([](auto v) { return erfc(v); }, x, n) == 0);
      CHECK(derivative([](auto v) { return normal_cdf(v); }, x, n) == 0);
      CHECK(derivative([](auto v) { return gelu(v); }, x, n) == one);
      CHECK(derivative([](auto v) { return silu(v); }, x, n) == one);
      CHECK(derivative([](auto v) { return mish(v); }, x, n) == one);
    }
  }
}

TEST_CASE("activations at special values") {
  CHECK(at([](auto x) { return mish(x); }, 1) == Approx(0.86509838826731034612).epsilon(1e-15));
  CHECK(at([](auto x) { return selu(x); }, 2) == Approx(2.10140197471096099).epsilon(1e-15));
  CHECK(at([](auto x) { return selu(x); }, -infinity) ==
        Approx(-1.75809934084737683).epsilon(1e-15));
  CHECK(at([](auto x) { return logsigmoid(x); }, -1000) == -1000);
  CHECK(at([](auto x) { return logsigmoid(x); }, 0) == Approx(-std::log(2.0)).epsilon(1e-15));
  CHECK(at([](auto x) { return softsign(x); }, -infinity) == -1);
  CHECK(at([](auto x) { return softsign(x); }, 3) == 0.75);
  CHECK(values(hardtanh(tensor({-3.0, 0.25, 3.0}), -2, 0.5)) == Values{-2, 0.25, 0.5});
  CHECK(values(hardswish(tensor({-4.0, -3.0, 0.0, 1.5, 3.0, 4.0}))) ==
        Values{0, 0, 0, 1.125, 3, 4});
  for (const auto& f : {relu, mish, selu, hardswish, softsign, logsigmoid}) {
    CHECK(std::isnan(at(f, std::numeric_limits<double>::quiet_NaN())));
  }
  CHECK(derivative([](auto x) { return hardtanh(x); }, 1, 1) == 0);
  CHECK(derivative([](auto x) { return hardtanh(x); }, 0.99, 1) == 1);
  CHECK(derivative([](auto x) { return hardswish(x); }, -3, 1) == 0);
  CHECK(derivative([](auto x) { return hardswish(x); }, 3, 1) == 1);
  check_error([] { hardtanh(tensor(1.0), 1, -1); }, {"hardtanh", "1", "-1"});
}

TEST_CASE("glu gates one half of an axis with the other") {
  const Tensor x = tensor({{1.0, -2.0, 0.0, 100.0}, {3.0, 4.0, -100.0, 0.0}}, wide);
  const Values got = values(glu(x));
  CHECK(got[0] == Approx(0.5));
  CHECK(got[1] == Approx(-2));
  CHECK(got[2] == Approx(3 / (1 + std::exp(100.0))));
  CHECK(got[3] == Approx(2));
  CHECK(glu(x, 0).shape() == Shape{1, 4});
  CHECK(values(nn::Glu{0}(x)) == values(glu(x, -2)));
  check_error([&] { glu(zeros({2, 3})); }, {"glu", "even", "[2, 3]"});
  check_error([&] { glu(tensor(1.0)); }, {"glu", "0-d"});
  check_error([&] { glu(x, 2); }, {"glu", "2"});
}

TEST_CASE("the functions are there for lambdas") {
  const auto all = elementwise("all", [](auto x) {
    return exp2(x) + log2(x) + tan(x) + asin(x) + acos(x) + atan(x) + sinh(x) + cosh(x) +
           atan2(x, 2.0 * x) + lgamma(x) + digamma(x) + polygamma(2, x) + mish(x);
  });
  const auto plain = [](const Tensor& x) {
    return exp2(x) + log2(x) + tan(x) + asin(x) + acos(x) + atan(x) + sinh(x) + cosh(x) +
           atan2(x, 2.0 * x) + lgamma(x) + digamma(x) + polygamma(2, x) + mish(x);
  };
  for (int n = 0; n <= 3; ++n) {
    INFO("order " << n);
    CHECK(derivative(all, 0.4, n) == Approx(derivative(plain, 0.4, n)).epsilon(1e-12));
  }
}
