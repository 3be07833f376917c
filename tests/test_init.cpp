// Initialisers.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/nn/init.hpp>

#include <algorithm>
#include <cmath>

using namespace cadena;
using namespace support;

namespace {

struct Moments {
  double mean = 0, deviation = 0, low = 0, high = 0;
};
Moments moments(const Tensor& x) {
  const Values all = values(x);
  Moments result{0, 0, all[0], all[0]};
  for (double value : all) {
    result.mean += value / static_cast<double>(all.size());
    result.low = std::min(result.low, value);
    result.high = std::max(result.high, value);
  }
  for (double value : all) {
    result.deviation += (value - result.mean) * (value - result.mean);
  }
  result.deviation = std::sqrt(result.deviation / static_cast<double>(all.size()));
  return result;
}

}  // namespace

TEST_CASE("initialisers have the stated spread") {
  CHECK(nn::fans({5, 3, 2, 2}).in == 12);
  CHECK(nn::fans({5, 3, 2, 2}).out == 20);
  CHECK(error_of([] { nn::fans({5}); }).find("got shape [5]") != std::string::npos);
  const Parameter weight(zeros({300, 500}));
  const auto bound = [&](double expected) {
    const Moments m = moments(weight);
    CHECK(m.high <= expected * (1 + 1e-6));
    CHECK(m.high > 0.999 * expected);
    CHECK(m.low >= -expected * (1 + 1e-6));
    CHECK(m.low < -0.999 * expected);
  };
  const auto deviation = [&](double expected) {
    CHECK(moments(weight).deviation == Approx(expected).epsilon(0.02));
    CHECK(std::abs(moments(weight).mean) < 0.02 * expected);
  };
  nn::xavier_uniform(weight);
  bound(std::sqrt(6.0 / 800));
  nn::xavier_uniform(weight, {.gain = 2});
  bound(2 * std::sqrt(6.0 / 800));
  nn::xavier_normal(weight);
  deviation(std::sqrt(2.0 / 800));
  nn::kaiming_uniform(weight);
  bound(std::sqrt(6.0 / 500));
  nn::kaiming_uniform(weight, {.slope = std::sqrt(5.0)});
  bound(1 / std::sqrt(500.0));
  nn::kaiming_normal(weight, {.fan = nn::Fan::out});
  deviation(std::sqrt(2.0 / 300));
  nn::kaiming_normal(weight, {.gain = 1.0});
  deviation(1 / std::sqrt(500.0));
  nn::uniform(weight, -1, 1);
  bound(1);
  nn::normal(weight, 0, 3);
  deviation(3);
  nn::constant(weight.cell(), 0.5);
  CHECK(moments(weight).low == 0.5);
  CHECK(moments(weight).high == 0.5);
  nn::ones(weight);
  CHECK(moments(weight).low == 1);
  nn::zeros(weight);
  CHECK(moments(weight).high == 0);
  CHECK(weight.value().requires_grad());
  CHECK(weight.value().is_leaf());
  const Buffer steps(tensor({1, 2}));
  CHECK(error_of([&] { nn::uniform(steps, 0, 1); }).find("got int64") != std::string::npos);
  const double nan = std::nan("");
  CHECK(error_of([&] { nn::uniform(weight, 1, -1); }).find("got 1 and -1") != std::string::npos);
  CHECK(error_of([&] { nn::uniform(weight, nan, 1); }).find("uniform: expected finite") == 0);
  CHECK(error_of([&] { nn::normal(weight, 0, -1); }).find("got 0 and -1") != std::string::npos);
  CHECK(error_of([&] { nn::normal(weight, nan, 1); }).find("normal: expected a finite mean") == 0);
  CHECK(moments(weight).high == 0);
  const Parameter bias(zeros({3}));
  CHECK(error_of([&] { nn::xavier_uniform(bias); }).find("xavier_uniform: ") == 0);
  CHECK(error_of([&] { nn::xavier_normal(bias); }).find("xavier_normal: ") == 0);
  CHECK(error_of([&] { nn::kaiming_uniform(bias); }).find("kaiming_uniform: ") == 0);
  CHECK(error_of([&] { nn::kaiming_normal(bias); }).find("kaiming_normal: ") == 0);
}

TEST_CASE("initialisers by LeCun, and truncated normal") {
  const Parameter weight(zeros({200, 300}));
  const auto spread = [&] {
    const Values v = values(weight);
    double square = 0, largest = 0;
    for (double x : v) square += x * x, largest = std::max(largest, std::abs(x));
    return std::pair{std::sqrt(square / static_cast<double>(v.size())), largest};
  };
  nn::lecun_normal(weight);
  CHECK(spread().first == Approx(1 / std::sqrt(300.0)).epsilon(0.02));
  nn::lecun_uniform(weight);
  CHECK(spread().first == Approx(1 / std::sqrt(300.0)).epsilon(0.02));
  CHECK(spread().second <= std::sqrt(3.0 / 300));
  nn::truncated_normal(weight);
  // A standard normal within ±2 has the variance 1 - 4 φ(2) / (Φ(2) - Φ(-2)) = 0.77374.
  CHECK(spread().first == Approx(std::sqrt(0.77374)).epsilon(0.02));
  CHECK(spread().second <= 2);
  CHECK(spread().second > 1.99);
  // Far out the density falls like e^(-8 (x - 8)): the mean is 8.1214 (φ(8) / (1 - Φ(8))).
  for (double sign : {1.0, -1.0}) {
    nn::truncated_normal(weight, 0, 1, sign > 0 ? 8 : -20, sign > 0 ? 20 : -8);
    const Values v = values(weight);
    double total = 0;
    for (double x : v) total += sign * x;
    CHECK(total / static_cast<double>(v.size()) == Approx(8.1214).epsilon(1e-3));
    CHECK(*std::min_element(v.begin(), v.end()) >= (sign > 0 ? 8 : -20));
  }
  check_error([&] { nn::truncated_normal(weight, 0, 1, 2, 2); },
              {"truncated_normal", "low < high"});
}

TEST_CASE("initialisers: identity, sparse, gains") {
  const Parameter weight(ones({2, 3}));
  nn::identity(weight);
  CHECK(values(weight) == Values{1, 0, 0, 0, 1, 0});
  check_error([] { nn::identity(Parameter(ones({2}))); }, {"identity", "[2]"});
  const Parameter matrix(zeros({10, 50}));
  nn::sparse(matrix, 0.25, 2);
  const Values v = values(matrix);
  bool alike = true;
  for (std::size_t column = 0; column < 50; ++column) {
    int none = 0;
    for (std::size_t row = 0; row < 10; ++row) {
      none += v[row * 50 + column] == 0 ? 1 : 0;
      alike = alike && (v[row * 50 + column] == 0) == (v[row * 50] == 0);
    }
    CHECK(none == 3);
  }
  CHECK_FALSE(alike);
  check_error([&] { nn::sparse(matrix, 1.5); }, {"sparse", "1.5"});
  CHECK(nn::calculate_gain("tanh") == Approx(5.0 / 3));
  CHECK(nn::calculate_gain("relu") == Approx(std::sqrt(2.0)));
  CHECK(nn::calculate_gain("leaky_relu", 0.2) == Approx(std::sqrt(2 / 1.04)));
  CHECK(nn::calculate_gain("leaky_relu") == Approx(std::sqrt(2 / 1.0001)));
  CHECK(nn::calculate_gain("selu") == 0.75);
  CHECK(nn::calculate_gain("linear") == 1);
  check_error([] { nn::calculate_gain("swish"); }, {"calculate_gain", "swish", "leaky_relu"});
}

TEST_CASE("truncated normal far out, where probabilities underflow") {
  // The mean beyond a is φ(a) / (1 - Φ(a)) = a + 1 / a - 2 / a³ + 10 / a⁵ - ..., the variance
  // 1 / a² - 6 / a⁴ + 50 / a⁶ - ...
  const Parameter weight(zeros({100, 1000}, {.dtype = float64}));
  for (double a : {10.0, 29.0, 31.0, 40.0, 1e6}) {
    for (double sign : {1.0, -1.0}) {
      INFO("from " << a << ", sign " << sign);
      nn::truncated_normal(weight, 0, 1, sign > 0 ? a : -2 * a, sign > 0 ? 2 * a : -a);
      const Moments m = moments(sign * weight - a);
      const double b = a * a;
      const double excess = a == 10 ? 0.098093 : (1 - 2 / b + 10 / (b * b)) / a;
      const double deviation = std::sqrt(1 - 6 / b + (a == 10 ? 42 : 50) / (b * b)) / a;
      CHECK(m.mean == Approx(excess).epsilon(0.02));
      CHECK(m.deviation == Approx(deviation).epsilon(0.03));
      CHECK(m.low >= 0);
    }
  }
  // An interval so narrow that the density hardly changes: uniform.
  nn::truncated_normal(weight, 3, 2, 103, 103 + 1e-4);
  CHECK(moments(weight).mean - 103 == Approx(0.5e-4).epsilon(0.01));
  CHECK(moments(weight).high <= 103 + 1e-4);
}

TEST_CASE("initialisers of integers: zeros and ones alone") {
  const Buffer steps(tensor({3, 4}));
  nn::zeros(steps);
  CHECK(values(steps) == Values{0, 0});
  nn::ones(steps);
  CHECK(values(steps) == Values{1, 1});
  check_error([&] { nn::constant(steps, 0.5); }, {"constant", "expected float32", "int64"});
  CHECK(values(steps) == Values{1, 1});
}
