// Losses of regression against plain formulas.

#include "loss_check.hpp"

#include <cadena/autograd/graph/backward.hpp>

#include <cmath>
#include <limits>
#include <numbers>

namespace nn = cadena::nn;
using namespace loss_check;
using cadena::sample_values;
using support::check_error;
using support::values;

namespace {

Values of_pairs(const Tensor& x, const Tensor& y, double (*f)(double, double)) {
  const Values a = values(x), b = values(y);
  Values result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back(f(a[i], b[i]));
  return result;
}

}  // namespace

TEST_CASE("l1, smooth l1 and Huber") {
  const Tensor x = f64({{1.0, -2.0, 0.25}, {0.0, 3.0, -0.5}}),
               y = f64({{1.5, 1.0, 0.25}, {2.0, 3.25, -1.5}});
  check_reductions([&](Reduction r) { return nn::l1(x, y, r); }, {0.5, 3, 0, 2, 0.25, 1});
  check_reductions([&](Reduction r) { return nn::smooth_l1(x, y, {.reduction = r}); },
                   {0.125, 2.5, 0, 1.5, 0.03125, 0.5});
  check_reductions([&](Reduction r) { return nn::smooth_l1(x, y, {.beta = 0.5, .reduction = r}); },
                   {0.25, 2.75, 0, 1.75, 0.0625, 0.75});
  check_reductions([&](Reduction r) { return nn::smooth_l1(x, y, {.beta = 0, .reduction = r}); },
                   {0.5, 3, 0, 2, 0.25, 1});
  check_reductions([&](Reduction r) { return nn::huber(x, y, {.delta = 2, .reduction = r}); },
                   {0.125, 4, 0, 2, 0.03125, 0.5});
  const Tensor a = sample_values({3, 4}, -2, 2, 1), b = sample_values({3, 4}, -2, 2, 2);
  check_gradients([](auto in) { return nn::l1(in[0], in[1]); }, {a, b});
  check_gradients([](auto in) { return nn::smooth_l1(in[0], in[1], {.beta = 0.7}); }, {a, b});
  check_gradients([](auto in) { return nn::huber(in[0], in[1], {.delta = 0.7}); }, {a, b});
  check_values(nn::l1(f64({1, 2}), cadena::tensor({true, false})), {1});
  check_values(nn::huber(cadena::tensor({1, 5}), cadena::tensor({1, 2})), {1.25});
  CHECK(std::isnan(nn::huber(f64({std::nan("")}), f64({1.0})).item()));
  check_error([&] { nn::smooth_l1(x, y, {.beta = -1}); }, {"smooth_l1", "beta", "-1"});
  check_error([&] { nn::huber(x, y, {.delta = 0}); }, {"huber", "delta"});
}

TEST_CASE("Poisson") {
  const Tensor x = f64({0.5, -1.0, 2.0, 1.0}), y = f64({2.0, 0.0, 7.0, 1.0});
  check_reductions([&](Reduction r) { return nn::poisson_nll(x, y, {.reduction = r}); },
                   of_pairs(x, y, [](double a, double b) { return std::exp(a) - b * a; }));
  const auto full = [](double a, double b) {
    const double stirling =
        b > 1 ? b * std::log(b) - b + 0.5 * std::log(2 * std::numbers::pi * b) : 0;
    return std::exp(a) - b * a + stirling;
  };
  check_reductions(
      [&](Reduction r) { return nn::poisson_nll(x, y, {.full = true, .reduction = r}); },
      of_pairs(x, y, full));
  const Tensor rate = f64({0.5, 0.0, 2.0, 1.0});
  check_reductions(
      [&](Reduction r) { return nn::poisson_nll(rate, y, {.log_input = false, .reduction = r}); },
      of_pairs(rate, y, [](double a, double b) { return a - b * std::log(a + 1e-8); }));
  // Stirling's formula is near ln 7! = 8.525161.
  CHECK(full(0, 7) - 1 == Approx(8.525161).epsilon(2e-3));
  check_gradients([](auto in) { return nn::poisson_nll(in[0], in[1], {.full = true}); }, {x, y});
  check_gradients([](auto in) { return nn::poisson_nll(in[0], in[1], {.log_input = false}); },
                  {sample_values({5}, 0.5, 2, 1), sample_values({5}, 0, 3, 2)});
}

TEST_CASE("Gauss") {
  const Tensor x = f64({{1.0, 2.0}, {0.0, -1.0}}), y = f64({{0.0, 2.5}, {3.0, -1.0}});
  const Tensor v = f64({{0.5}, {2.0}});
  const auto of = [](double d, double var) { return 0.5 * (std::log(var) + d * d / var); };
  const Values expected = {of(1, 0.5), of(-0.5, 0.5), of(-3, 2), of(0, 2)};
  check_reductions([&](Reduction r) { return nn::gaussian_nll(x, y, v, {.reduction = r}); },
                   expected);
  Values full = expected;
  for (double& one : full) one += 0.91893853320467274178;  // ½ ln 2π
  check_reductions(
      [&](Reduction r) { return nn::gaussian_nll(x, y, v, {.full = true, .reduction = r}); }, full);
  check_values(nn::gaussian_nll(f64(1), f64(0), f64(2), {.reduction = Reduction::none}),
               {of(1, 2)});
  check_values(nn::gaussian_nll(f64({1.0}), f64({0.0}), f64({0.0}), {.epsilon = 0.25}),
               {of(1, 0.25)});
  check_gradients([](auto in) { return nn::gaussian_nll(in[0], in[1], in[2]); },
                  {x, y, sample_values({2, 2}, 0.5, 2, 3)});
  check_error([&] { nn::gaussian_nll(x, y, f64({1.0, 1.0, 1.0})); }, {"gaussian_nll", "[3]"});
  check_error([&] { nn::gaussian_nll(f64(1), f64(1), v); }, {"gaussian_nll", "[2, 1]"});
  check_error([&] { nn::gaussian_nll(x, y, f64({1.0, 1.0})); }, {"[2, 2] or [2, 1]", "got [2]"});
  check_error([&] { nn::gaussian_nll(x, y, f64({{1.0, 1.0}})); }, {"gaussian_nll", "got [1, 2]"});
  check_error([&] { nn::gaussian_nll(x, y, f64({1.0})); }, {"gaussian_nll", "got [1]"});
  check_error(
      [&] {
        nn::gaussian_nll(x, y, f64({{1.0}, {-0.5}}));
      },
      {"gaussian_nll", "variance is -0.5 (element 1)", "below 0"});
  check_error([&] { nn::gaussian_nll(x, y, Tensor()); }, {"gaussian_nll", "undefined"});
}

TEST_CASE("smooth l1 of any beta keeps its digits") {
  for (cadena::Dtype dtype : {cadena::float32, cadena::float64}) {
    for (double beta : {1e-320, 1e-40, 1e-37, 1e-30, 1e-20, 1e-5}) {
      INFO(name(dtype) << ", beta " << beta);
      const Tensor x =
          cadena::tensor({0.0, 3.0, -1e30, 1e10}, {.dtype = dtype, .requires_grad = true});
      const Tensor losses =
          nn::smooth_l1(x, cadena::zeros_like(x), {.beta = beta, .reduction = Reduction::none});
      const Values got = values(losses);
      CHECK(got[0] == 0);
      CHECK(got[1] == Approx(3 - beta / 2).epsilon(1e-6));
      CHECK(got[2] == Approx(1e30).epsilon(1e-6));
      losses.backward(cadena::ones({4}, {.dtype = dtype}));
      CHECK(values(x.grad()) == Values{0, 1, -1, 1});
    }
  }
  // d² / (2 beta) where d² alone overflows.
  const Tensor large = cadena::tensor({1e25}), target = cadena::tensor({0.0});
  CHECK(nn::smooth_l1(large, target, {.beta = 1e30}).item() == Approx(5e19));
  CHECK(nn::smooth_l1(large, target, {.beta = 1e300}).item() == 0);
}
