// Lanes, masks, partial tails, and jets against derivatives in closed form.

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <cadena/autograd/kernels/jet.hpp>

#include "test.hpp"

namespace {

using namespace cadena;

template <class T> using L = Lane<T, kernels::Arch>;

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

template <class T> struct List {
  T at[64];
  T operator[](int i) const { return at[i]; }
};
template <class T> List<T> numbers(L<T> x) {
  List<T> out{};
  x.store(out.at);
  return out;
}
template <class T> T first(L<T> x) { return numbers(x)[0]; }
template <class T> List<bool> answers(Mask<T, kernels::Arch> m) {
  List<bool> out{};
  m.store(out.at);
  return out;
}
/// -2, -1, 0, 1, ...
template <class T> L<T> counting() {
  T in[64];
  for (int i = 0; i < 64; ++i) in[i] = T(i - 2);
  return L<T>::load(in);
}

// An `if` on a comparison of lanes does not compile.
template <class T> using Answer = Mask<T, kernels::Arch>;
static_assert(!std::is_convertible_v<Answer<float>, bool>);
static_assert(!std::is_constructible_v<bool, Answer<float>>);
static_assert(!std::is_constructible_v<bool, Answer<double>>);
static_assert(!std::is_constructible_v<bool, Answer<std::int64_t>>);
static_assert(std::is_same_v<decltype(Jet<L<float>>() < 1), Answer<float>>);
static_assert(!std::is_convertible_v<Jet<L<float>>, L<float>>);

}  // namespace

TEMPLATE_TEST_CASE("lane arithmetic mixes with numbers", "", float, double, std::int64_t) {
  using T = TestType;
  const auto x = counting<T>();
  auto y = 2 * x + 3.0 - x * x;
  y -= 1;
  y *= x;
  y /= 2;
  const auto z = -(1 - x) + +x;
  for (int i = 0; i < L<T>::width; ++i) {
    const T v = T(i - 2);
    CHECK(numbers(y)[i] == (2 * v + 3 - v * v - 1) * v / 2);
    CHECK(numbers(z)[i] == 2 * v - 1);
  }
}

TEMPLATE_TEST_CASE("masks choose", "", float, double, std::int64_t) {
  using T = TestType;
  const auto x = counting<T>();
  for (int i = 0; i < L<T>::width; ++i) {
    const T v = T(i - 2);
    CHECK(answers<T>(x < 0)[i] == (v < 0));
    CHECK(answers<T>(x <= 0)[i] == (v <= 0));
    CHECK(answers<T>(0 < x)[i] == (v > 0));
    CHECK(answers<T>(x >= 0)[i] == (v >= 0));
    CHECK(answers<T>(x == 0)[i] == (v == 0));
    CHECK(answers<T>(x != 0)[i] == (v != 0));
    CHECK(answers<T>((x < 0) | (x > 0))[i] == (v != 0));
    CHECK(answers<T>((x >= 0) & (x <= 0))[i] == (v == 0));
    CHECK(answers<T>(!(x < 0))[i] == (v >= 0));
    CHECK(numbers(where(x > 0, x, -7))[i] == (v > 0 ? v : -7));
    CHECK(numbers(where(x > 0, 1, x))[i] == (v > 0 ? 1 : v));
    CHECK(numbers(where(x > 0, 1, 0))[i] == (v > 0));
  }
  CHECK(any(x == -1));
  CHECK_FALSE(all(x == -1));
  CHECK(all(x > -3));
  CHECK_FALSE(any(x < -3));
}

TEMPLATE_TEST_CASE("partial tails read and write nothing beyond", "", float, double, std::int64_t) {
  using T = TestType;
  constexpr int width = L<T>::width;
  for (int n = 0; n <= width; ++n) {
    const std::vector<T> in(std::size_t(n), T(5));  // a sanitizer sees what is read beyond
    const auto x = numbers(L<T>::load_partial(in.data(), n));
    for (int i = 0; i < width; ++i) CHECK(x[i] == (i < n ? 5 : 1));
    T out[width];
    for (T& v : out) v = T(9);
    counting<T>().store_partial(out, n);
    for (int i = 0; i < width; ++i) CHECK(out[i] == (i < n ? T(i - 2) : T(9)));
    bool bits[64] = {}, back[64] = {};
    for (int i = 0; i < n; ++i) bits[i] = i % 3 == 0;
    const auto m = Answer<T>::load_partial(bits, n);
    for (int i = 0; i < width; ++i) CHECK(answers<T>(m)[i] == (i < n && i % 3 == 0));
    m.store_partial(back, n);
    for (int i = 0; i < 64; ++i) CHECK(back[i] == (i < n && i % 3 == 0));
  }
}

TEMPLATE_TEST_CASE("NaN stays in maximum, minimum and clamp", "", float, double) {
  using T = TestType;
  using V = L<T>;
  const V bad = not_a_number;
  CHECK(std::isnan(first(maximum(bad, 0))));
  CHECK(std::isnan(first(maximum(0, bad))));
  CHECK(std::isnan(first(minimum(bad, 0))));
  CHECK(std::isnan(first(minimum(0, bad))));
  CHECK(std::isnan(first(clamp(bad, 0, 1))));
  CHECK(std::isnan(first(clamp(V(0), bad, 1))));
  CHECK(std::isnan(first(clamp(V(0), 0, bad))));
  CHECK(std::isnan(first(sign(bad))));
  CHECK(all(isnan(bad)));
  CHECK(all(bad != bad));
  CHECK_FALSE(any(bad == bad));
  CHECK_FALSE(any((bad < 1) | (bad >= 1)));
  CHECK_FALSE(any(isnan(V(infinity))));
  CHECK(first(maximum(V(2), 3)) == 3);
  CHECK(first(maximum(V(infinity), -infinity)) == T(infinity));
  CHECK(first(minimum(V(2), 3)) == 2);
  CHECK(first(clamp(V(-2), -1, 1)) == -1);
  CHECK(first(clamp(V(2), -1, 1)) == 1);
  CHECK(first(clamp(V(0.5), -1, 1)) == T(0.5));
}

TEMPLATE_TEST_CASE("signs, zeros and the single rounding of fma", "", float, double) {
  using T = TestType;
  using V = L<T>;
  CHECK(std::signbit(first(-V(0))));
  CHECK(first(sign(V(-3))) == -1);
  CHECK(first(sign(V(0))) == 0);
  CHECK(first(copysign(V(3), V(-0.0))) == -3);
  CHECK(first(floor(V(-1.5))) == -2);
  const T u = T(1) + std::numeric_limits<T>::epsilon();
  CHECK(first(fma(V(u), V(u), V(-1))) == std::fma(u, u, T(-1)));
  CHECK(first(full_like(V(3), 2)) == 2);
}

TEST_CASE("integer lanes wrap around and divide without a trap") {
  using V = L<std::int64_t>;
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  CHECK(first(V(7) / 2) == 3);
  CHECK(first(V(-7) / 2) == -3);
  CHECK(first(V(7) / 0) == 0);
  CHECK(first(V(least) / -1) == least);
  CHECK(first(V(least) - 1) == std::numeric_limits<std::int64_t>::max());
  CHECK(first(abs(V(-4))) == 4);
  CHECK(first(maximum(V(3), 4) * minimum(V(3), 4) + sign(V(-9)) + square(V(2))) == 15);
}

TEMPLATE_TEST_CASE("a number does not depend on its neighbours", "", float, double) {
  using T = TestType;
  using V = L<T>;
  const T around[] = {T(not_a_number), T(infinity), T(0), T(-1e30),
                      std::numeric_limits<T>::min() / 4};
  const T x = T(0.7);
  for (T other : around) {
    T in[64];
    for (T& v : in) v = other;
    in[1] = x;
    const V mixed = V::load(in);
    CHECK(numbers(sin(mixed))[1] == first(sin(V(x))));
    CHECK(numbers(cos(mixed))[1] == first(cos(V(x))));
    CHECK(numbers(exp(mixed))[1] == first(exp(V(x))));
    CHECK(numbers(log(mixed))[1] == first(log(V(x))));
    CHECK(numbers(pow(mixed, 1.7))[1] == first(pow(V(x), 1.7)));
    CHECK(numbers(erf(mixed))[1] == first(erf(V(x))));
    CHECK(numbers(tanh(mixed))[1] == first(tanh(V(x))));
  }
}

namespace {

using D = L<double>;
using J = Jet<D>;
using J2 = Jet<Jet<D>>;

struct Derivatives {
  double value, first, second;
};
/// f, f' and f'' at x.
template <class F> Derivatives of(F f, double x) {
  const J once = f(J(x, 1.0));
  const J2 twice = f(J2(J(x, 1.0), J(1.0)));
  CHECK(first(twice.value.slope) == Approx(first(once.slope)).epsilon(1e-13));
  return {first(once.value), first(once.slope), first(twice.slope.slope)};
}
template <class F> void check(F f, double x, double value, double slope, double second) {
  INFO("x = " << x);
  const auto d = of(f, x);
  CHECK(d.value == Approx(value).epsilon(1e-13).margin(1e-14));
  CHECK(d.first == Approx(slope).epsilon(1e-13).margin(1e-14));
  CHECK(d.second == Approx(second).epsilon(1e-12).margin(1e-13));
}

}  // namespace

TEST_CASE("jets of each function, first and second derivative") {
  for (double x : {0.3, 0.9, 2.5}) {
    const double e = std::exp(x), t = std::tanh(x), s = 1 / (1 + std::exp(-x));
    check([](auto v) { return exp(v); }, x, e, e, e);
    check([](auto v) { return expm1(v); }, x, std::expm1(x), e, e);
    check([](auto v) { return log(v); }, x, std::log(x), 1 / x, -1 / (x * x));
    check([](auto v) { return log1p(v); }, x, std::log1p(x), 1 / (1 + x), -1 / ((1 + x) * (1 + x)));
    check([](auto v) { return sin(v); }, x, std::sin(x), std::cos(x), -std::sin(x));
    check([](auto v) { return cos(v); }, x, std::cos(x), -std::sin(x), -std::cos(x));
    check([](auto v) { return tanh(v); }, x, t, 1 - t * t, -2 * t * (1 - t * t));
    const double g = 2 / std::sqrt(std::acos(-1.0)) * std::exp(-x * x);
    check([](auto v) { return erf(v); }, x, std::erf(x), g, -2 * x * g);
    const double r = std::sqrt(x);
    check([](auto v) { return sqrt(v); }, x, r, 0.5 / r, -0.25 / (r * x));
    check([](auto v) { return rsqrt(v); }, x, 1 / r, -0.5 / (r * x), 0.75 / (r * x * x));
    check([](auto v) { return square(v); }, x, x * x, 2 * x, 2);
    check([](auto v) { return reciprocal(v); }, x, 1 / x, -1 / (x * x), 2 / (x * x * x));
    check([](auto v) { return sigmoid(v); }, x, s, s * (1 - s), s * (1 - s) * (1 - 2 * s));
    check([](auto v) { return softplus(v); }, x, std::log1p(e), s, s * (1 - s));
    check([](auto v) { return abs(-v); }, x, x, 1, 0);
    check([](auto v) { return v * v * v / (1 + v) - 2 / v + (v - 3.0) * 2.0; }, x,
          x * x * x / (1 + x) - 2 / x + (x - 3) * 2,
          (3 * x * x * (1 + x) - x * x * x) / ((1 + x) * (1 + x)) + 2 / (x * x) + 2,
          2 - 2 / std::pow(1 + x, 3) - 4 / (x * x * x));
    check([](auto v) { return fma(v, v, v) + v / v; }, x, x * x + x + 1, 2 * x + 1, 2);
    check([](auto v) { return copysign(v, v - 10.0); }, x, -x, -1, 0);
    check([](auto v) { return clamp(v, 0.5, 2.0) * v; }, x,
          (x < 0.5 ? 0.5
           : x > 2 ? 2
                   : x) *
              x,
          x < 0.5 ? 0.5
          : x > 2 ? 2
                  : 2 * x,
          x < 0.5 || x > 2 ? 0 : 2);
    check([](auto v) { return where(v > 1, square(v), v); }, x, x > 1 ? x * x : x,
          x > 1 ? 2 * x : 1, x > 1 ? 2 : 0);
    check([](auto v) { return floor(v) + sign(v) + v; }, x, std::floor(x) + 1 + x, 1, 0);
    check([](auto v) { return pow(v, v); }, x, std::pow(x, x), std::pow(x, x) * (std::log(x) + 1),
          std::pow(x, x) * ((std::log(x) + 1) * (std::log(x) + 1) + 1 / x));
  }
}

TEST_CASE("a softplus in jets has no kink at its seam") {
  check([](auto v) { return softplus(v); }, 0, std::log(2.0), 0.5, 0.25);
  check([](auto v) { return sigmoid(v); }, 0, 0.5, 0.25, 0);
}

TEST_CASE("a result that does not vary has slope 0") {
  const J one = [](auto) { return 1.0; }(J(2.0, 1.0));
  CHECK(first(one.value) == 1);
  CHECK(first(one.slope) == 0);
  check([](auto v) { return where(v > 0, 1, 0) * v; }, 3, 3, 1, 0);
  check([](auto v) { return full_like(v, 4.0) + v; }, 3, 7, 1, 0);
}

TEST_CASE("a number times an infinite jet keeps its slope") {
  CHECK(first((J(infinity, 1.0) * 2.0).slope) == 2);
  CHECK(first((2.0 / J(infinity, 1.0)).slope) == 0);
}

TEST_CASE("the slopes of pow at its corners") {
  const auto to = [](double y) { return [y](auto x) { return pow(x, y); }; };
  check(to(2), 0, 0, 0, 2);
  check(to(1), 0, 0, 1, 0);
  check(to(0), 0, 1, 0, 0);
  check(to(3), 0, 0, 0, 0);
  check(to(3), -2, -8, 12, -12);
  check(to(-1), -2, -0.5, -0.25, -0.25);
  check(to(0.5), 4, 2, 0.25, -1.0 / 32);
  CHECK(first(pow(J(0.0, 1.0), 0.5).slope) == infinity);

  // Exponents that are jets but do not vary; then ones that do.
  const J x(-2.0, 1.0);
  CHECK(first(pow(x, J(3.0)).slope) == Approx(12));
  CHECK(first(pow(J(0.0, 1.0), J(0.0)).slope) == 0);
  const J2 twice = pow(J2(J(-2.0, 1.0), J(1.0)), J2(3.0));
  CHECK(first(twice.slope.slope) == Approx(-12));
  CHECK(first(pow(J(0.0), J(2.0, 1.0)).slope) == 0);
  CHECK(std::isnan(first(pow(J(-2.0), J(3.0, 1.0)).slope)));
  const double log_2 = std::log(2.0);
  check([](auto y) { return pow(2.0, y); }, 3, 8, 8 * log_2, 8 * log_2 * log_2);
  const auto [to_x, to_y] = ops::Pow{}.derivative(D(0), D(2));
  CHECK(first(to_x) == 0);
  CHECK(first(to_y) == 0);
}

TEST_CASE("ties and kinks have the stated subgradients") {
  const auto both = [](auto f, double a, double b) {
    return std::vector<double>{first(f(J(a, 1.0), J(b)).slope), first(f(J(a), J(b, 1.0)).slope)};
  };
  const auto max = [](auto a, auto b) { return maximum(a, b); };
  const auto min = [](auto a, auto b) { return minimum(a, b); };
  CHECK(both(max, 1, 2) == std::vector<double>{0, 1});
  CHECK(both(max, 2, 1) == std::vector<double>{1, 0});
  CHECK(both(max, 1, 1) == std::vector<double>{0.5, 0.5});
  CHECK(both(max, infinity, infinity) == std::vector<double>{0.5, 0.5});
  CHECK(both(min, 1, 2) == std::vector<double>{1, 0});
  CHECK(both(min, 2, 1) == std::vector<double>{0, 1});
  CHECK(both(min, 1, 1) == std::vector<double>{0.5, 0.5});
  CHECK(first(abs(J(0.0, 1.0)).slope) == 0);
  CHECK(first(clamp(J(1.0, 1.0), 0.0, 1.0).slope) == 1);
  CHECK(first(clamp(J(2.0), J(0.0), J(1.0, 1.0)).slope) == 1);
}
