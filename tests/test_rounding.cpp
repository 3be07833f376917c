// Rounding and remainders against the C library, at halves, zeros and beyond, for all sizes.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/rounding.hpp>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr double infinity = std::numeric_limits<double>::infinity();

using Rounding = Tensor (*)(const Tensor&);

template <class T> bool same(T a, T b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

/// Halves and whole numbers with their neighbours, both zeros, and what has no fraction.
template <class T> std::vector<T> edges() {
  std::vector<T> all{T(0.0),
                     T(-0.0),
                     T(infinity),
                     T(-infinity),
                     std::numeric_limits<T>::max(),
                     std::numeric_limits<T>::quiet_NaN(),
                     std::numeric_limits<T>::min()};
  for (double base : {0.5, 1.0, 1.5, 2.5, 3.0, 4194304.5, 8388609.0, 2147483647.5,
                      4503599627370495.5, 4503599627370497.0, 9007199254740993.0, 1e18, 9.3e18}) {
    for (T x : {T(base), std::nextafter(T(base), T(0)), std::nextafter(T(base), T(infinity))}) {
      all.push_back(x);
      all.push_back(-x);
    }
  }
  return all;
}

template <class T> void check_each(Rounding f, T (*plain)(T), const std::vector<T>& in) {
  const Tensor x = from_vector(in, {static_cast<std::int64_t>(in.size())});
  const std::vector<T> got = f(x).to_vector<T>();
  for (std::size_t i = 0; i < in.size(); ++i) {
    INFO(in[i] << " gives " << got[i] << ", expected " << plain(in[i]));
    CHECK(same(got[i], plain(in[i])));
  }
}

template <class T> T plain_remainder(T x, T y) {
  const T rest = std::fmod(x, y);
  if (rest == 0) return std::copysign(rest, y);
  return (rest < 0) != (y < 0) ? rest + y : rest;
}

template <class T> void check_remainders() {
  // Quotients of all sizes; every other x is next to a multiple of y.
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  std::mt19937_64 engine(3);
  std::vector<T> x, y;
  for (int i = 0; i < 20000; ++i) {
    T a = std::bit_cast<T>(static_cast<Bits>(engine()));
    const T b = i % 4 == 3 ? T(0.1) * static_cast<T>(i % 101 - 50)
                           : std::bit_cast<T>(static_cast<Bits>(engine()));
    if (i % 2 == 1) {
      a = b * static_cast<T>(engine() >> (40 + i % 24));
      a = i % 3 == 0 ? a : std::nextafter(a, i % 3 == 1 ? T(0) : T(infinity));
    }
    x.push_back(a);
    y.push_back(b);
  }
  for (T a : edges<T>()) {
    for (T b : edges<T>()) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  const auto line = [](const std::vector<T>& v) {
    return from_vector(v, {static_cast<std::int64_t>(v.size())});
  };
  const std::vector<T> rest = fmod(line(x), line(y)).template to_vector<T>();
  const std::vector<T> python = remainder(line(x), line(y)).template to_vector<T>();
  constexpr T normal = std::numeric_limits<T>::min();
  const auto agrees = [](T got, T expected) {
    const bool flushed = sizeof(T) == 4 && std::abs(expected) < normal;
    return same(got, expected) || (flushed && got == 0);
  };
  int wrong = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const bool right =
        agrees(rest[i], std::fmod(x[i], y[i])) && agrees(python[i], plain_remainder(x[i], y[i]));
    if (!right && wrong++ < 5) {
      UNSCOPED_INFO(x[i] << " over " << y[i] << ": " << rest[i] << " and " << python[i]
                         << ", expected " << std::fmod(x[i], y[i]) << " and "
                         << plain_remainder(x[i], y[i]));
    }
  }
  CHECK(wrong == 0);
}

Values slope(const Tensor& x, const TensorFunction& f) { return values(grad(f(x), {x})[0]); }

}  // namespace

TEST_CASE("rounding is the C library's, signs of zeros included") {
  check_each<float>(floor, std::floor, edges<float>());
  check_each<float>(ceil, std::ceil, edges<float>());
  check_each<float>(trunc, std::trunc, edges<float>());
  check_each<float>(round, std::nearbyint, edges<float>());
  check_each<double>(floor, std::floor, edges<double>());
  check_each<double>(ceil, std::ceil, edges<double>());
  check_each<double>(trunc, std::trunc, edges<double>());
  check_each<double>(round, std::nearbyint, edges<double>());
  CHECK(values(round(tensor({0.5, 1.5, 2.5, -0.5, -1.5}))) == Values{0, 2, 2, 0, -2});
}

TEST_CASE("remainders are exact for quotients of any size") {
  check_remainders<float>();
  check_remainders<double>();
  CHECK(fmod(tensor(1e300, {.dtype = float64}), 3.0).item() == std::fmod(1e300, 3.0));
  CHECK(values(fmod(tensor({-5.0, 5.0}), 3.0)) == Values{-2, 2});
  CHECK(values(remainder(tensor({-5.0, 5.0, -5.0}), tensor({3.0, -3.0, -3.0}))) ==
        Values{1, -1, -2});
  CHECK(remainder(tensor(-5.0), infinity).item() == infinity);
}

TEST_CASE("integers stay integers") {
  constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();
  const Tensor x = from_vector<std::int64_t>({7, -7, 7, -7, smallest, 5, smallest}, {7});
  const Tensor y = from_vector<std::int64_t>({3, 3, -3, -3, -1, 0, 10}, {7});
  CHECK(fmod(x, y).dtype() == int64);
  CHECK(values(fmod(x, y)) == Values{1, -1, 1, -1, 0, 0, -8});
  CHECK(values(remainder(x, y)) == Values{1, 2, -2, -1, 0, 0, 2});
  for (Rounding f : {Rounding(cadena::floor), Rounding(cadena::ceil), Rounding(cadena::round),
                     Rounding(cadena::trunc)}) {
    CHECK(f(x).dtype() == int64);
    CHECK(f(x).to_vector<std::int64_t>() == x.to_vector<std::int64_t>());
  }
  CHECK(fmod(tensor({7, 8}), 2.5).dtype() == float32);
  CHECK(values(fmod(tensor({7, 8}), 2.5)) == Values{2, 0.5});
  check_error([] { ceil(tensor({true})); }, {"ceil", "boolean"});
  check_error([] { fmod(zeros({2}), zeros({3})); }, {"fmod", "[2]", "[3]"});
}

TEST_CASE("gradients of rounding and remainders, at steps and jumps too") {
  for (Rounding f : {Rounding(cadena::floor), Rounding(cadena::ceil), Rounding(cadena::round),
                     Rounding(cadena::trunc)}) {
    CHECK(slope(tensor(2.0, {.dtype = float64, .requires_grad = true}), f) == Values{0});
    CHECK(slope(tensor(-2.5, {.dtype = float64, .requires_grad = true}), f) == Values{0});
  }
  const auto in_divisor = [](double x, double y, Tensor (*f)(const Tensor&, const Tensor&)) {
    return slope(tensor(y, {.dtype = float64, .requires_grad = true}),
                 [&](const Tensor& d) { return f(Tensor(x), d); })[0];
  };
  CHECK(slope(tensor(6.0, {.dtype = float64, .requires_grad = true}),
              [](const Tensor& x) { return fmod(x, 3.0); }) == Values{1});
  CHECK(in_divisor(7, 3, fmod) == -2);
  CHECK(in_divisor(-7, 3, fmod) == 2);
  CHECK(in_divisor(6, 3, fmod) == -2);
  CHECK(in_divisor(-7, 3, remainder) == 3);
  CHECK(in_divisor(7, -3, remainder) == 3);
  CHECK(in_divisor(-6, 3, remainder) == 2);
  CHECK(in_divisor(-5, infinity, remainder) == 1);
  // x / y rounds up to 3, which is not reached.
  const double below = 0.8999999999999999;
  CHECK(below / 0.3 == 3);
  CHECK(in_divisor(below, 0.3, fmod) == -2);
  CHECK(in_divisor(below, 0.3, remainder) == -2);
}

TEST_CASE("rounding in functions of one's own, up to the third derivative") {
  const auto sawtooth = elementwise("sawtooth", [](auto x) {
    return x * x * x * trunc(x) + fmod(x, 2.0) * remainder(x, 2.0) + ceil(x) - round(x);
  });
  const Tensor x = tensor(-1.75, {.dtype = float64, .requires_grad = true});
  const Tensor once = grad(sawtooth(x), {x}, {.create_graph = true})[0];
  // -x³ + x (x + 2) + constants, for -2 < x < -1
  CHECK(once.item() == Approx(-3 * 1.75 * 1.75 + 2 * -1.75 + 2));
  const Tensor twice = grad(once, {x}, {.create_graph = true})[0];
  CHECK(twice.item() == Approx(6 * 1.75 + 2));
  CHECK(grad(twice, {x})[0].item() == Approx(-6));
}
