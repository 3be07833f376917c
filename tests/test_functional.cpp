// vjp, jvp, jacobian, hessian, hvp and high orders against closed forms and finite differences.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/slice.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include <cmath>
#include <functional>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr TensorOptions wide{.dtype = float64};

void check_close(const Tensor& got, const Values& expected, double tolerance = 1e-12) {
  const Values numbers = values(got);
  REQUIRE(numbers.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(numbers[i] == Approx(expected[i]).epsilon(tolerance).margin(tolerance));
  }
}

/// (x₀²·x₁, sin x₁, x₀) with its Jacobian {{2x₀x₁, x₀²}, {0, cos x₁}, {1, 0}}.
Tensor curve(const Tensor& x) {
  const Tensor a = x[0], b = x[1];
  return a * a * b * tensor({1.0, 0.0, 0.0}, wide) + sin(b) * tensor({0.0, 1.0, 0.0}, wide) +
         a * tensor({0.0, 0.0, 1.0}, wide);
}

const Tensor& point() {
  static const Tensor x = tensor({1.5, 0.7}, wide);
  return x;
}

/// The derivatives of order 1 to n of f at a number, each by differentiating the one before. Those
/// of a constant, which has no graph, are 0.
Values derivatives(const std::function<Tensor(const Tensor&)>& f, double at, int n) {
  const Tensor x = tensor(at, wide).requires_grad_leaf();
  Tensor value = f(x);
  Values found;
  for (int i = 0; i < n; ++i) {
    value = value.requires_grad() ? grad(value, {x}, {.create_graph = true})[0] : zeros_like(x);
    found.push_back(value.item());
  }
  return found;
}

}  // namespace

TEST_CASE("value_and_grad") {
  const auto f = value_and_grad([](const Tensor& x) { return sum(x * x); });
  const ValueAndGrad found = f(tensor({1.0, 2.0}, wide));
  CHECK(found.value.item() == 5);
  CHECK(values(found.grad) == Values{2, 4});
  CHECK_FALSE(found.value.requires_grad());
  CHECK_FALSE(found.grad.requires_grad());
  {
    const NoGrad guard;
    CHECK(values(f(tensor({1.0, 2.0}, wide)).grad) == Values{2, 4});
  }
  CHECK(values(value_and_grad([](const Tensor&) { return tensor(1.0, wide); })(point()).grad) ==
        Values{0, 0});
  CHECK_THROWS_AS(value_and_grad([](const Tensor& x) { return x; })(point()), Error);
  CHECK_THROWS_AS(f(tensor({1, 2})), Error);
  CHECK_THROWS_AS(f(Tensor()), Error);
}

TEST_CASE("vjp, jvp and jacobian agree with a known Jacobian") {
  const Values j{2 * 1.5 * 0.7, 2.25, 0, std::cos(0.7), 1, 0};
  const Tensor full = jacobian(curve, point());
  CHECK(full.shape() == Shape{3, 2});
  check_close(full, j);
  const Product pulled = vjp(curve, point(), tensor({1.0, 10.0, 100.0}, wide));
  check_close(pulled.value, {2.25 * 0.7, std::sin(0.7), 1.5});
  check_close(pulled.product, {j[0] + 100, j[1] + 10 * j[3]});
  const Product pushed = jvp(curve, point(), tensor({1.0, 10.0}, wide));
  check_close(pushed.value, values(pulled.value));
  check_close(pushed.product, {j[0] + 10 * j[1], 10 * j[3], 1});
  CHECK_FALSE(pushed.product.requires_grad());
  {
    const NoGrad guard;
    check_close(jvp(curve, point(), tensor({1.0, 10.0}, wide)).product, values(pushed.product));
    check_close(jacobian(curve, point()), j);
  }
}

TEST_CASE("jacobians of constants, of linear functions, of matrices and of nothing") {
  const auto constant = [](const Tensor&) { return tensor({1.0, 2.0, 3.0}, wide); };
  check_close(jacobian(constant, point()), Values(6, 0));
  check_close(jvp(constant, point(), point()).product, {0, 0, 0});
  check_close(vjp(constant, point(), tensor({1.0, 1.0, 1.0}, wide)).product, {0, 0});
  const Tensor a = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}, wide);
  const auto linear_map = [&](const Tensor& x) { return matmul(a, x); };
  check_close(jacobian(linear_map, point()), values(a));
  check_close(jvp(linear_map, point(), tensor({1.0, -1.0}, wide)).product, {-1, -1, -1});
  const Tensor transposed = jacobian([](const Tensor& x) { return transpose(x); },
                                     tensor({{1.0, 2.0}, {3.0, 4.0}}, wide));
  CHECK(transposed.shape() == Shape{2, 2, 2, 2});
  check_close(transposed, {1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1});
  CHECK(jacobian([](const Tensor& x) { return slice(x, 0, 0, 0); }, point()).shape() ==
        Shape{0, 2});
  CHECK(jacobian([](const Tensor& x) { return exp(x); }, tensor(0.0, wide)).item() == 1);
  check_close(jacobian([](const Tensor& x) { return x; }, point()), {1, 0, 0, 1});
}

TEST_CASE("vjp and jvp refuse what does not fit") {
  CHECK_THROWS_AS(vjp(curve, point(), tensor({1.0, 2.0}, wide)), Error);
  CHECK_THROWS_AS(jvp(curve, point(), tensor({1.0, 2.0, 3.0}, wide)), Error);
  CHECK_THROWS_AS(jvp(curve, point(), ones({2})), Error);
  CHECK_THROWS_AS(hessian(curve, point()), Error);
  CHECK_THROWS_AS(hvp(curve, point(), point()), Error);
  CHECK_THROWS_AS(jacobian(curve, tensor({1, 2})), Error);
  const auto wide_result = [](const Tensor& x) { return reshape(x, {1, 1, 1, 1, 1, 1, 1, 2}); };
  CHECK_THROWS_AS(jacobian(wide_result, point()), Error);  // nine dimensions
}

TEST_CASE("what is not there to differentiate is refused") {
  const TensorFunction none;
  CHECK_THROWS_AS(value_and_grad(none), Error);
  CHECK_THROWS_AS(jacobian(none, point()), Error);
  CHECK_THROWS_AS(hessian(none, point()), Error);
  CHECK_THROWS_AS(jacobian([](const Tensor& x) { return argmax(x); }, point()), Error);
  const auto constant = [](const Tensor&) { return ones({3}, wide); };
  CHECK_THROWS_AS(vjp(constant, point(), ones({2}, wide)), Error);
  check_close(vjp(constant, point(), ones({3}, wide)).product, {0, 0});
  check_close(jvp(constant, point(), ones({2}, wide)).product, {0, 0, 0});
}

TEST_CASE("derivatives are differentiable along what the function reads") {
  const Tensor w = tensor(2.0, {.dtype = float64, .requires_grad = true});
  const auto cube = [&](const Tensor& x) { return sum(w * x * x * x); };
  const Tensor x = tensor({1.5, 0.5}, wide);
  check_close(jacobian([&](const Tensor& q) { return value_and_grad(cube)(q).grad; }, x),
              {18, 0, 0, 6});
  const auto check_along_w = [&](const Tensor& derivative, double expected) {
    REQUIRE(derivative.requires_grad());
    CHECK(grad(sum(derivative), {w})[0].item() == Approx(expected));
  };
  const auto cubes = [&](const Tensor& at) { return w * at * at * at; };
  check_along_w(value_and_grad(cube)(x).grad, 7.5);
  check_along_w(value_and_grad(cube)(x).value, 3.5);
  check_along_w(jacobian(cubes, x), 7.5);
  check_along_w(hessian(cube, x), 12);
  check_along_w(hvp(cube, x, ones({2}, wide)).product, 12);
  check_along_w(vjp(cubes, x, ones({2}, wide)).product, 7.5);
  check_along_w(jvp(cubes, x, ones({2}, wide)).product, 7.5);
  {
    const NoGrad guard;
    CHECK_FALSE(jacobian(cubes, x).requires_grad());
    CHECK_FALSE(value_and_grad(cube)(x).grad.requires_grad());
  }
  CHECK_FALSE(hessian([](const Tensor& at) { return sum(at * at * at); }, x).requires_grad());
}

TEST_CASE("hessian and hvp of a function with a known one") {
  // f = x₀²·x₁ + x₁³: Hessian {{2x₁, 2x₀}, {2x₀, 6x₁}}.
  const auto f = [](const Tensor& x) { return x[0] * x[0] * x[1] + x[1] * x[1] * x[1]; };
  const Values h{1.4, 3, 3, 4.2};
  check_close(hessian(f, point()), h);
  const Product product = hvp(f, point(), tensor({1.0, 10.0}, wide));
  check_close(product.value, {2.1, 2.25 + 3 * 0.49});
  check_close(product.product, {h[0] + 10 * h[1], h[2] + 10 * h[3]});
  check_close(hessian([](const Tensor& x) { return sum(x * 3.0); }, point()), Values(4, 0));
  check_close(hessian([](const Tensor&) { return tensor(1.0, wide); }, point()), Values(4, 0));
}

TEST_CASE("products nest and are differentiable along x and v") {
  const auto cube = [](const Tensor& x) { return x * x * x; };
  const Tensor ones2 = ones({2}, wide);
  // d/dx (3x²·v) along w = 6x·v·w.
  const auto slope = [&](const Tensor& x) { return jvp(cube, x, ones2).product; };
  check_close(jvp(slope, point(), ones2).product, {9, 4.2});
  const auto pulled = [&](const Tensor& x) { return vjp(cube, x, ones2).product; };
  check_close(jacobian(pulled, point()), {9, 0, 0, 4.2});
  const auto along = [&](const Tensor& v) { return jvp(cube, point(), v).product; };
  check_close(jacobian(along, ones2), {3 * 2.25, 0, 0, 3 * 0.49});
  // The third derivative as the Jacobian of a Hessian: 6 where all three indices agree.
  const Tensor third = jacobian(
      [&](const Tensor& x) { return hessian([&](const Tensor& y) { return sum(cube(y)); }, x); },
      point());
  CHECK(third.shape() == Shape{2, 2, 2});
  check_close(third, {6, 0, 0, 0, 0, 0, 0, 6});
  // hvp of hvp.
  const auto once = [&](const Tensor& x) {
    return sum(hvp([&](const Tensor& y) { return sum(cube(y) * y); }, x, ones2).product);
  };
  check_close(hvp(once, point(), ones2).product, {24, 24});
  // Gradients reach a leaf outside through a product.
  const Tensor leaf = point().requires_grad_leaf();
  sum(jvp(cube, leaf, ones2).product).backward();
  check_close(leaf.grad(), {9, 4.2});
}

TEST_CASE("the fourth derivative of tanh, of a product, of powers and others") {
  const double x = 0.4, t = std::tanh(x), s = 1 - t * t;
  const Values of_tanh = derivatives([](const Tensor& v) { return tanh(v); }, x, 4);
  CHECK(of_tanh[0] == Approx(s));
  CHECK(of_tanh[1] == Approx(-2 * t * s));
  CHECK(of_tanh[2] == Approx(s * (6 * t * t - 2)));
  CHECK(of_tanh[3] == Approx(8 * t * s * (2 - 3 * t * t)));

  const Values product = derivatives([](const Tensor& v) { return v * v * exp(v); }, x, 4);
  CHECK(product[3] == Approx((x * x + 8 * x + 12) * std::exp(x)));

  const Values power = derivatives([](const Tensor& v) { return pow(v, 3.5); }, x, 4);
  CHECK(power[3] == Approx(3.5 * 2.5 * 1.5 * 0.5 * std::pow(x, -0.5)));
  for (const int exponent : {0, 1, 2, 3}) {
    Values expected(6, 0.0);
    if (exponent > 0) {
      expected[static_cast<std::size_t>(exponent - 1)] = std::tgamma(exponent + 1);
    }
    CHECK(derivatives([=](const Tensor& v) { return pow(v, exponent); }, 0, 6) == expected);
  }
  CHECK(derivatives([](const Tensor& v) { return pow(v, 0); }, 1e-320, 3) == Values{0, 0, 0});
  const Values integer = derivatives([](const Tensor& v) { return pow(v, 3.0); }, 0, 4);
  CHECK(integer == Values{0, 0, 6, 0});
  const Values exponent = derivatives([](const Tensor& v) { return pow(2.0, v); }, x, 4);
  CHECK(exponent[3] == Approx(std::pow(std::log(2), 4) * std::pow(2, x)));

  CHECK(derivatives([](const Tensor& v) { return sin(v); }, x, 5)[4] == Approx(std::cos(x)));
  CHECK(derivatives([](const Tensor& v) { return log(v); }, x, 4)[3] ==
        Approx(-6 / std::pow(x, 4)));
  CHECK(derivatives([](const Tensor& v) { return 1.0 / v; }, x, 4)[3] ==
        Approx(24 / std::pow(x, 5)));
  const double q = 1 / (1 + std::exp(-x)), v = q * (1 - q);
  CHECK(derivatives([](const Tensor& z) { return softplus(z); }, x, 4)[3] ==
        Approx(v * (1 - 6 * v)));
  CHECK(derivatives([](const Tensor& z) { return tanh(z) * tanh(z); }, 0, 4)[3] == Approx(-16));
}

TEST_CASE("the Hessian of a small network agrees with finite differences") {
  const Generator generator(3);
  const Tensor input = randn({5, 3}, wide, generator), target = randn({5, 2}, wide, generator);
  const Tensor weights = randn({3 * 4 + 4 + 4 * 2 + 2}, wide, generator) * 0.5;
  const auto loss = [&](const Tensor& w) {
    const Tensor hidden =
        tanh(matmul(input, reshape(slice(w, 0, 0, 12), {3, 4})) + slice(w, 0, 12, 16));
    const Tensor output = matmul(hidden, reshape(slice(w, 0, 16, 24), {4, 2})) + slice(w, 0, 24);
    const Tensor error = output - target;
    return mean(error * error);
  };
  const Tensor h = hessian(loss, weights);
  CHECK(h.shape() == Shape{26, 26});
  const Values got = values(h);
  const auto gradient = value_and_grad(loss);
  const double step = 1e-5;
  for (std::int64_t i = 0; i < 26; ++i) {
    Values unit(26, 0);
    unit[static_cast<std::size_t>(i)] = step;
    const Tensor shift = from_vector(unit, {26});
    const Values up = values(gradient(weights + shift).grad),
                 down = values(gradient(weights - shift).grad);
    for (std::size_t j = 0; j < 26; ++j) {
      const double expected = (up[j] - down[j]) / (2 * step);
      CHECK(got[static_cast<std::size_t>(i) * 26 + j] ==
            Approx(expected).epsilon(1e-6).margin(1e-8));
      CHECK(got[static_cast<std::size_t>(i) * 26 + j] ==
            Approx(got[j * 26 + static_cast<std::size_t>(i)]).epsilon(1e-12).margin(1e-14));
    }
  }
}
