// What single elementwise operators do at their edges.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/product.hpp>

#include <cmath>
#include <cstring>
#include <limits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

bool same_values(const Values& a, const Values& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool both_nan = std::isnan(a[i]) && std::isnan(b[i]);
    if (!both_nan && (a[i] != b[i] || std::signbit(a[i]) != std::signbit(b[i]))) {
      return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("powers by a number are those by a tensor, with their derivatives") {
  for (Dtype dtype : {float32, float64}) {
    const double top = dtype == float32 ? 2e38 : 1e308;
    const Tensor x = from_vector<double>({0.0, -0.0, 1, -1, 2.5, -3, infinity, -infinity,
                                          not_a_number, top, -top, 1 / top, 0.1, -0.75},
                                         {14})
                         .to(dtype);
    for (double exponent : {2.0, -1.0, 0.5, 1.0, 3.0, 0.0, -2.0}) {
      CAPTURE(dtype, exponent);
      const Tensor by_tensor = full({14}, exponent, {.dtype = dtype});
      const auto orders = [&](const Tensor& y) {
        std::vector<Values> all;
        const Tensor at = x.requires_grad_leaf();
        Tensor value = pow(at, y);
        CHECK(value.dtype() == dtype);
        for (int order = 0; order < 3; ++order) {
          all.push_back(values(value));
          if (order < 2) {
            value = grad(sum(value), {at}, {.create_graph = true})[0];
          }
        }
        return all;
      };
      const auto by_number = orders(Tensor(exponent)), expected = orders(by_tensor);
      CHECK(same_values(by_number[0], expected[0]));
      for (std::size_t order = 1; order < 3; ++order) {
        for (std::size_t i = 0; i < 14; ++i) {
          CAPTURE(order, i);
          const double got = by_number[order][i], wanted = expected[order][i];
          // The general formula has no value where 0 · ∞ stands in it; that of the number has.
          if (std::isfinite(wanted)) {
            CHECK(got == Approx(wanted).epsilon(1e-6));
          } else if (!std::isnan(wanted)) {
            CHECK(got == wanted);
          }
        }
      }
    }
  }
  CHECK(pow(tensor({1, 2, 3}), 2).dtype() == float32);
  CHECK(values(pow(tensor({1, 2, 3}), 2)) == Values{1, 4, 9});
  CHECK(error_of([] { pow(Tensor(), 2); }).find("pow: ") == 0);
}

TEST_CASE("the gradient of a maximum goes to the NaN that it is") {
  const auto slopes = [](auto f, double a, double b) {
    const Tensor x = from_vector<double>({a}, {1}, {.requires_grad = true});
    const Tensor y = from_vector<double>({b}, {1}, {.requires_grad = true});
    const std::vector<Tensor> gradients = grad(sum(f(x, y)), {x, y});
    return Values{gradients[0].item(), gradients[1].item()};
  };
  for (const auto f : {&maximum, &minimum}) {
    CHECK(slopes(f, not_a_number, 1) == Values{1, 0});
    CHECK(slopes(f, 1, not_a_number) == Values{0, 1});
    CHECK(slopes(f, not_a_number, not_a_number) == Values{0.5, 0.5});
    CHECK(slopes(f, infinity, infinity) == Values{0.5, 0.5});
  }
  CHECK(slopes(&maximum, 2, 1) == Values{1, 0});
  CHECK(slopes(&minimum, 2, 1) == Values{0, 1});
}

TEST_CASE("a maximum of integers is an integer") {
  const Tensor x = tensor({16777217, -3, 5}), y = tensor({0, 16777219, 5});
  CHECK(maximum(x, y).dtype() == int64);
  CHECK(maximum(x, y).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{16777217, 16777219, 5});
  CHECK(minimum(x, y).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, -3, 5});
}

TEST_CASE("where keeps boolean and uint8") {
  const Tensor c = tensor({true, false, true});
  const Tensor x = tensor({1, 2, 3}).to(uint8), y = tensor({7, 8, 9}).to(uint8);
  CHECK(where(c, x, y).dtype() == uint8);
  CHECK(values(where(c, x, y)) == Values{1, 8, 3});
  CHECK(where(c, x, 0).dtype() == uint8);
  CHECK(values(where(c, 255, y)) == Values{255, 8, 255});
  CHECK(where(c, c, !c).dtype() == boolean);
  CHECK(values(where(c, c, !c)) == Values{1, 1, 1});
  CHECK(where(c, c, false).dtype() == boolean);
  CHECK(where(c, c, x).dtype() == uint8);
  CHECK(where(c, x, tensor({1, 2, 3})).dtype() == int64);
  CHECK(where(c, x, 0.5).dtype() == float32);
  CHECK(where(c, c, 2).dtype() == int64);
  const Tensor grid = where(reshape(c, {3, 1}), x, y);
  CHECK(grid.shape() == Shape{3, 3});
  CHECK(values(grid) == Values{1, 2, 3, 7, 8, 9, 1, 2, 3});
  CHECK(error_of([&] { where(c, x, 300); }).find("300") != std::string::npos);
  CHECK(error_of([&] { where(c, x, tensor({1, 2}).to(uint8)); }).find("where") == 0);
  CHECK(error_of([&] { where(x, x, y); }) == "where: the condition is uint8, expected boolean");
}

TEST_CASE("linear names both numbers that differ") {
  CHECK(error_of([] {
          linear(zeros({2, 9}), zeros({3, 8}));
        }) ==
        "linear: expected x [..., inputs] and weight [outputs, inputs], got [2, 9] and [3, 8] (9 "
        "against 8)");
}
