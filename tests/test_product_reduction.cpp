// Products over axes against plain loops, and their derivatives beside zeros.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/rounding.hpp>

#include <cmath>
#include <limits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

Tensor leaf(const Values& v) {
  return from_vector(v, {static_cast<std::int64_t>(v.size())}, {.requires_grad = true});
}

Values slope(const Tensor& x) { return values(grad(prod(x), {x})[0]); }

/// ∂²/∂x_i∂x_j of the product of all.
Values plain_hessian(const Values& x) {
  Values result;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      double product = i == j ? 0 : 1;
      for (std::size_t k = 0; k < x.size(); ++k) {
        product *= k == i || k == j ? 1 : x[k];
      }
      result.push_back(product);
    }
  }
  return result;
}

}  // namespace

TEST_CASE("products over any axes") {
  const Tensor x = reshape(arange(1, 25, 1, {.dtype = float64}), {2, 3, 4});
  CHECK(prod(x, {2}).shape() == Shape{2, 3});
  CHECK(values(prod(x, {2})) == Values{24, 1680, 11880, 43680, 116280, 255024});
  CHECK(values(prod(x, {0, 2})) == Values{24.0 * 43680, 1680.0 * 116280, 11880.0 * 255024});
  CHECK(prod(x, {0, -1}, true).shape() == Shape{1, 3, 1});
  CHECK(prod(x).item() == Approx(std::tgamma(25)));
  CHECK(values(prod(permute(x, {2, 0, 1}), {0})) == values(prod(x, {2})));
  CHECK(values(prod(zeros({2, 0}), {1})) == Values{1, 1});
  CHECK(prod(zeros({0})).item() == 1);
  CHECK(prod(Tensor(2.5)).item() == 2.5);
  CHECK(prod(tensor({2, 3, 4})).dtype() == int64);
  CHECK(prod(tensor({2, 3, 4})).item<std::int64_t>() == 24);
  CHECK(prod(full({3}, 200, {.dtype = uint8})).item<std::int64_t>() == 8'000'000);
  CHECK(prod(tensor({true, false})).dtype() == int64);
  CHECK(std::isnan(prod(tensor({0.0, std::nan("")})).item()));
  check_error([] { prod(zeros({2}), {1}); }, {"prod", "1"});
  check_error([] { prod(zeros({2, 2}), {0, -2}); }, {"prod"});
  check_error([] { prod(Tensor()); }, {"prod", "undefined"});
}

TEST_CASE("products of integers in every size of work wrap around") {
  for (const Shape& shape :
       {Shape{3, 7, 5}, Shape{2, 3000, 40}, Shape{1, 200'001, 1}, Shape{2, 70'000, 1},
        Shape{40, 2000, 3}, Shape{70, 9, 700}, Shape{30'000, 5, 1}, Shape{5, 300, 2}}) {
    // Odd factors, or nothing would be left.
    const Tensor x = sample_values(shape, -1e6, 1e6, 5).to(int64) * 2 + 1;
    const std::vector<std::int64_t> all = x.to_vector<std::int64_t>();
    const std::int64_t outer = shape[0], reduced = shape[1], inner = shape[2];
    std::vector<std::int64_t> expected;
    for (std::int64_t o = 0; o < outer; ++o) {
      for (std::int64_t i = 0; i < inner; ++i) {
        std::uint64_t product = 1;
        for (std::int64_t r = 0; r < reduced; ++r) {
          product *= static_cast<std::uint64_t>(
              all[static_cast<std::size_t>((o * reduced + r) * inner + i)]);
        }
        expected.push_back(static_cast<std::int64_t>(product));
      }
    }
    CAPTURE(shape);
    CHECK(prod(x, {1}).to_vector<std::int64_t>() == expected);
  }
}

TEST_CASE("long products have small errors") {
  for (const Shape& shape : {Shape{1'000'000, 1}, Shape{3, 100'000}, Shape{100'000, 3}}) {
    const std::int64_t axis = shape[0] < shape[1] ? 1 : 0;
    const Tensor x = sample_values(shape, 0.99, 1.01, 6);
    const Tensor logarithm = sum(log(x), {axis});
    CHECK(allclose(log(prod(x, {axis})), logarithm, 1e-12, 1e-12));
    CHECK(allclose(log(prod(x.to(float32), {axis})), logarithm, 1e-4, 1e-3));
  }
}

TEST_CASE("the gradient of a product is the product of the others, zeros or not") {
  CHECK(slope(leaf({2, 3, 5})) == Values{15, 10, 6});
  CHECK(slope(leaf({2, 0, 5, 7})) == Values{0, 70, 0, 0});
  CHECK(slope(leaf({0, 3, 0})) == Values{0, 0, 0});
  CHECK(slope(leaf({0})) == Values{1});
  CHECK(slope(leaf({0, -4})) == Values{-4, 0});
  // The product is lost to underflow and overflow, those of the others are not.
  CHECK(slope(leaf({1e-200, 1e-150}))[0] == 1e-150);
  CHECK(slope(leaf({1e200, 1e150}))[1] == 1e200);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(slope(leaf({infinity, 2, 3}))[0] == 6);
  // All lengths, so that pairs are left over on each level of the tree.
  for (int n = 1; n <= 40; ++n) {
    for (int zeros = 0; zeros <= 3 && zeros <= n; ++zeros) {
      Values x = values(round(sample_values({n}, -2, 2, static_cast<std::uint64_t>(n)) * 8.0));
      for (double& each : x) each = each == 0 ? 1.5 : each / 8;
      for (int z = 0; z < zeros; ++z) x[static_cast<std::size_t>((7 * z + 3) % n)] = 0;
      const Values got = slope(leaf(x));
      for (std::size_t i = 0; i < x.size(); ++i) {
        double others = 1;
        for (std::size_t k = 0; k < x.size(); ++k) others *= k == i ? 1 : x[k];
        CHECK(got[i] == Approx(others));
      }
    }
  }
}

TEST_CASE("the gradient of a product beside a zero is 0 where the others overflow") {
  const auto large = [](const Values& x) { return leaf(x).to(float32).detach(); };
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(slope(large({0, 1e30, 1e30, 1e30}).requires_grad_leaf()) == Values{infinity, 0, 0, 0});
  CHECK(slope(large({1e30, -1e30, 0, 1e30, 0}).requires_grad_leaf()) == Values(5, 0));
  const Values around = slope(large({1e-30, 1e30, 1e30, 1e-30}).requires_grad_leaf());
  CHECK(around[0] == Approx(1e30));
  CHECK(around[1] == Approx(1e-30));
}

TEST_CASE("second derivatives of products beside zeros") {
  for (const Values& x : {Values{2, 3, 5, 7}, Values{2, 0, 5, 7, 3}, Values{0, 3, 0, 5},
                          Values{0, 0, 0, 2}, Values{0, 0}, Values{3}}) {
    const Tensor h = hessian([](const Tensor& y) { return prod(y); }, leaf(x));
    CHECK(values(h) == plain_hessian(x));
  }
  const Tensor rows = from_vector<double>({2, 0, 3, 1, 5, 4}, {2, 3}, {.requires_grad = true});
  const Tensor g = grad(sum(prod(rows, {1}) * tensor({1.0, 10.0}).to(float64)), {rows},
                        {.create_graph = true})[0];
  CHECK(values(g) == Values{0, 6, 0, 200, 40, 50});
  CHECK(values(grad(sum(square(g)), {rows})[0])[0] == 2 * 6 * 3);
}
