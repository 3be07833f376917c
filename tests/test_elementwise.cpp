// Operators made of lambdas: values, derivatives of orders 1 to 4, shapes, dtypes and bits.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr TensorOptions wide{.dtype = float64};

const auto cubic = elementwise("cubic", [](auto x) { return x * x * x - 2.0 * x; });
const auto own_mish = elementwise("mish", [](auto x) { return x * tanh(log1p(exp(x))); });
const auto product = elementwise("product", [](auto x, auto y) { return x * x * exp(y); });
const auto bent = elementwise("bent", [](auto x) { return where(x > 0.0, x * x, -x * 0.5); });

/// The derivatives of order 0 to n of f(x) at a number.
template <class F> Values orders(const F& f, double at, int n, Dtype dtype = float64) {
  const Tensor x = tensor({at}, {.dtype = dtype, .requires_grad = true});
  Tensor value = f(x);
  Values found{value.item()};
  for (int i = 0; i < n; ++i) {
    // A derivative that depends on nothing any more has derivative 0.
    value =
        value.requires_grad() ? grad(sum(value), {x}, {.create_graph = true})[0] : zeros_like(x);
    CHECK(value.dtype() == dtype);
    found.push_back(value.item());
  }
  return found;
}

void check_all(const Values& got, const Values& expected, double tolerance = 1e-12) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("order or element " << i);
    CHECK(got[i] == Approx(expected[i]).epsilon(tolerance).margin(tolerance));
  }
}

}  // namespace

TEST_CASE("values in float64, float32 and from integers") {
  CHECK(values(cubic(tensor({1.0, 2.0, -3.0}, wide))) == Values{-1, 4, -21});
  CHECK(cubic(tensor({1.5})).dtype() == float32);
  CHECK(cubic(tensor({1, 2})).dtype() == float32);
  CHECK(values(cubic(tensor({1, 2}))) == Values{-1, 4});
  CHECK(values(own_mish(tensor({0.7}, wide)))[0] ==
        Approx(0.7 * std::tanh(std::log1p(std::exp(0.7)))).epsilon(1e-14));
  CHECK_THROWS_AS(cubic(tensor({true})), Error);
  CHECK_THROWS_AS(cubic(tensor({1}, {.dtype = uint8})), Error);
  CHECK_THROWS_AS(cubic(Tensor()), Error);
  CHECK(cubic(Tensor(2.0)).item() == 4);
  CHECK(cubic(zeros({0, 3})).shape() == Shape{0, 3});
  CHECK(cubic(tensor(2.0)).shape() == Shape{});
  const Parameter p(tensor({2.0}));
  CHECK(cubic(p).item() == 4);
  CHECK(cubic(p).requires_grad());
}

TEST_CASE("derivatives of orders 1 to 4 against closed forms") {
  const double x = 0.7;
  check_all(orders(cubic, x, 4), {x * x * x - 2 * x, 3 * x * x - 2, 6 * x, 6, 0});
  const auto wave = elementwise("wave", [](auto v) { return sin(v) * exp(-v); });
  const double e = std::exp(-x), s = std::sin(x), c = std::cos(x);
  check_all(orders(wave, x, 4), {s * e, (c - s) * e, -2 * c * e, 2 * (s + c) * e, -4 * s * e});
  const auto root = elementwise("root", [](auto v) { return sqrt(v) + 1.0 / v; });
  check_all(orders(root, x, 4), {std::sqrt(x) + 1 / x, 0.5 * std::pow(x, -0.5) - std::pow(x, -2),
                                 -0.25 * std::pow(x, -1.5) + 2 * std::pow(x, -3),
                                 0.375 * std::pow(x, -2.5) - 6 * std::pow(x, -4),
                                 -0.9375 * std::pow(x, -3.5) + 24 * std::pow(x, -5)});
  const double t = std::tanh(x), d = 1 - t * t;
  const auto hyperbolic = elementwise("hyperbolic", [](auto v) { return tanh(v); });
  check_all(orders(hyperbolic, x, 4),
            {t, d, -2 * t * d, d * (6 * t * t - 2), 8 * t * d * (2 - 3 * t * t)});
  check_all(orders(cubic, 0.5, 4, float32), {-0.875, -1.25, 3, 6, 0}, 1e-6);
}

TEST_CASE("where chooses values and slopes") {
  CHECK(values(bent(tensor({2.0, -4.0, 0.0}, wide))) == Values{4, 2, 0});
  check_all(orders(bent, 3, 3), {9, 6, 2, 0});
  check_all(orders(bent, -3, 2), {1.5, -0.5, 0});
  CHECK(std::isnan(bent(tensor({std::nan("")}, wide)).item()));
  const auto larger = elementwise("larger", [](auto x, auto y) { return where(x < y, y, x); });
  const Tensor x = tensor({1.0, 5.0}, wide).requires_grad_leaf(),
               y = tensor({2.0, 4.0}, wide).requires_grad_leaf();
  sum(larger(x, y)).backward();
  CHECK(values(x.grad()) == Values{0, 1});
  CHECK(values(y.grad()) == Values{1, 0});
}

TEST_CASE("one to eight inputs: each has its own derivative") {
  const Tensor base = tensor({0.5, 1.5}, wide);
  std::vector<Tensor> in;
  for (int i = 0; i < 8; ++i) {
    in.push_back((base + 0.25 * i).requires_grad_leaf());
  }
  const auto check = [&](const Tensor& value, int count) {
    // f = Π x_k · Σ k·x_k over the inputs, k from 1: ∂f/∂x_j = P/x_j·S + P·j.
    const std::vector<Tensor> given(in.begin(), in.begin() + count);
    const std::vector<Tensor> found = grad(sum(value), given, {.create_graph = true});
    for (int element = 0; element < 2; ++element) {
      const auto at = [&](int k) {
        return values(in[static_cast<std::size_t>(k)])[static_cast<std::size_t>(element)];
      };
      double p = 1, s = 0;
      for (int k = 0; k < count; ++k) {
        p *= at(k);
        s += (k + 1) * at(k);
      }
      CHECK(values(value)[static_cast<std::size_t>(element)] == Approx(p * s));
      for (int j = 0; j < count; ++j) {
        CHECK(values(found[static_cast<std::size_t>(j)])[static_cast<std::size_t>(element)] ==
              Approx(p / at(j) * s + p * (j + 1)));
      }
      // Mixed second derivative along the first and the last input.
      const int z = count - 1;
      const double second =
          values(grad(sum(found[0]), {in[static_cast<std::size_t>(z)]},
                      {.retain_graph = true})[0])[static_cast<std::size_t>(element)];
      const double expected =
          count == 1 ? 2 * 1.0 : p / at(0) / at(z) * s + p / at(0) * (z + 1) + p / at(z);
      CHECK(second == Approx(expected));
    }
  };
  check(elementwise("f1", [](auto a) { return a * a; })(in[0]), 1);
  check(elementwise("f2", [](auto a, auto b) { return a * b * (a + 2.0 * b); })(in[0], in[1]), 2);
  check(
      elementwise("f3", [](auto a, auto b, auto c) { return a * b * c * (a + 2.0 * b + 3.0 * c); })(
          in[0], in[1], in[2]),
      3);
  check(elementwise("f5",
                    [](auto a, auto b, auto c, auto d, auto e) {
                      return a * b * c * d * e * (a + 2.0 * b + 3.0 * c + 4.0 * d + 5.0 * e);
                    })(in[0], in[1], in[2], in[3], in[4]),
        5);
  check(elementwise("f8",
                    [](auto a, auto b, auto c, auto d, auto e, auto f, auto g, auto h) {
                      return a * b * c * d * e * f * g * h *
                             (a + 2.0 * b + 3.0 * c + 4.0 * d + 5.0 * e + 6.0 * f + 7.0 * g +
                              8.0 * h);
                    })(in[0], in[1], in[2], in[3], in[4], in[5], in[6], in[7]),
        8);
}

TEST_CASE("inputs broadcast, promote and may be numbers") {
  const Tensor x = tensor({{1.0}, {2.0}}).requires_grad_leaf();
  const Tensor y = tensor({0.0, 1.0, 2.0}).requires_grad_leaf();
  const Tensor z = product(x, y);
  CHECK(z.shape() == Shape{2, 3});
  CHECK(values(z)[4] == Approx(4 * std::exp(1)).epsilon(1e-6));
  sum(z).backward();
  CHECK(x.grad().shape() == Shape{2, 1});
  const double total = 1 + std::exp(1) + std::exp(2);
  CHECK(values(x.grad())[1] == Approx(4 * total).epsilon(1e-6));
  CHECK(values(y.grad())[2] == Approx(5 * std::exp(2)).epsilon(1e-6));
  CHECK(product(x, 0.0).dtype() == float32);
  CHECK(product(2, tensor({0.0}, wide)).item() == 4);
  CHECK(product(x, tensor({1.0}, wide)).dtype() == float64);
  CHECK_THROWS_AS(product(ones({2}), ones({3})), Error);
}

TEST_CASE("third and fourth mixed derivatives, also of inputs that depend on each other") {
  const Tensor x = tensor({1.3}, wide).requires_grad_leaf();
  // f(x, x) = x²·eˣ as a function of one variable: derivatives (x² + 2kx + k(k-1))·eˣ.
  Tensor value = product(x, x);
  for (int k = 1; k <= 4; ++k) {
    value = grad(sum(value), {x}, {.create_graph = true})[0];
    CHECK(value.item() == Approx((1.69 + 2.6 * k + k * (k - 1)) * std::exp(1.3)));
  }
  const Tensor y = tensor({0.4}, wide).requires_grad_leaf();
  Tensor mixed = product(x, y);
  for (const Tensor& along : {x, y, x, y}) {
    mixed = grad(sum(mixed), {along}, {.create_graph = true})[0];
  }
  CHECK(mixed.item() == Approx(2 * std::exp(0.4)));
}

TEST_CASE("captures are part of the operator") {
  std::vector<Tensor> found;
  for (double slope : {1.0, 2.0, 3.0}) {
    const auto scaled = elementwise("scaled", [slope](auto x) { return slope * x * x; });
    const Tensor x = tensor({2.0}, wide).requires_grad_leaf();
    CHECK(scaled(x).item() == slope * 4);
    check_all(orders(scaled, 2, 3), {slope * 4, slope * 4, slope * 2, 0});
    const auto copy = scaled;
    CHECK(copy(x).item() == slope * 4);
  }
  const auto constant = elementwise("constant", [](auto x) { return decltype(x)(2.5); });
  check_all(orders(constant, 1, 4), {2.5, 0, 0, 0, 0});
  const auto identity = elementwise("identity", [](auto x) { return x; });
  check_all(orders(identity, 1.5, 4), {1.5, 1, 0, 0, 0});
}

TEST_CASE("numbers in a lambda keep their precision at every order") {
  const auto shaped = elementwise("shaped", [](auto x) {
    using T = decltype(x);
    return exp(T(0.3)) * x * x * x * x;
  });
  const double scale = std::exp(0.3);
  check_all(orders(shaped, 1.1, 4),
            {scale * std::pow(1.1, 4), 4 * scale * std::pow(1.1, 3), 12 * scale * 1.21,
             24 * scale * 1.1, 24 * scale},
            1e-13);
}

TEST_CASE("every length of tail gives the same values, and writes no further") {
  const Tensor all = linspace(-3, 3, 71, wide);
  for (Dtype dtype : {float32, float64}) {
    const Tensor x = all.to(dtype);
    const Values whole = values(own_mish(x));
    for (std::int64_t n = 0; n <= 70; ++n) {
      const Tensor part = slice(x, 0, 0, n).contiguous().requires_grad_leaf();
      const Tensor y = own_mish(part);
      const Values got = values(y);
      REQUIRE(got.size() == static_cast<std::size_t>(n));
      CHECK(std::equal(got.begin(), got.end(), whole.begin()));
      if (n > 0) {
        const Values slope = values(grad(sum(y), {part})[0]);
        const Tensor one = slice(x, 0, n - 1, n).contiguous().requires_grad_leaf();
        CHECK(slope.back() == grad(sum(own_mish(one)), {one})[0].item());
      }
    }
  }
}

TEST_CASE("strided, transposed and repeated inputs") {
  const Tensor x = reshape(linspace(0, 1, 600, wide), {20, 30});
  const Tensor turned = transpose(x), stepped = slice(x, 1, 1, {}, 2);
  CHECK(values(cubic(turned)) == values(cubic(turned.contiguous())));
  CHECK(values(cubic(stepped)) == values(cubic(stepped.contiguous())));
  const Tensor splat = expand(tensor(0.5, wide), {20, 30});
  CHECK(values(product(x, splat)) == values(product(x, splat.contiguous())));
  const Tensor row = expand(slice(x, 0, 3, 4), {20, 30}),
               column = expand(slice(x, 1, 3, 4), {20, 30});
  CHECK(values(product(row, column)) == values(product(row.contiguous(), column.contiguous())));
  CHECK(cubic(turned).is_contiguous());
  const Tensor leaf = x.requires_grad_leaf();
  sum(product(transpose(leaf), transpose(splat))).backward();
  CHECK(values(leaf.grad())[599] == Approx(2 * std::exp(0.5)));
}

TEST_CASE("one, two and eight threads give the same bits") {
  const Tensor x = randn({300'001}, wide, Generator(5)).requires_grad_leaf();
  const Tensor y = expand(randn({1}, wide, Generator(6)), {300'001});
  const auto run = [&] {
    const Tensor z = product(x, y);
    const Tensor slope = grad(sum(z), {x}, {.create_graph = true})[0];
    return std::array{values(z), values(slope), values(grad(sum(slope * slope), {x})[0])};
  };
  const int before = threads();
  set_threads(1);
  const auto expected = run();
  for (int n : {2, 8}) {
    set_threads(n);
    const bool same = run() == expected;
    CHECK(same);
  }
  set_threads(before);
}
