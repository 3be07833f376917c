// Losses that compare, against plain formulas.

#include "loss_check.hpp"

#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>

#include <cmath>

namespace nn = cadena::nn;
using namespace loss_check;
using cadena::sample_values;
using support::check_error;
using support::values;

TEST_CASE("hinge embedding and margin ranking") {
  const Tensor x = f64({0.5, 0.25, 3.0, -1.0}), y = cadena::tensor({1, -1, -1, -1});
  check_reductions([&](Reduction r) { return nn::hinge_embedding(x, y, {.reduction = r}); },
                   {0.5, 0.75, 0, 2});
  check_reductions(
      [&](Reduction r) { return nn::hinge_embedding(x, y, {.margin = 0.5, .reduction = r}); },
      {0.5, 0.25, 0, 1.5});
  const Tensor other = f64({0.0, 1.25, 2.0, -1.5});
  check_reductions([&](Reduction r) { return nn::margin_ranking(x, other, y, {.reduction = r}); },
                   {0, 0, 1, 0.5});
  check_reductions(
      [&](Reduction r) { return nn::margin_ranking(x, other, y, {.margin = 1, .reduction = r}); },
      {0.5, 0, 2, 1.5});
  check_gradients([&](auto in) { return nn::hinge_embedding(in[0], y); }, {x});
  check_gradients([&](auto in) { return nn::margin_ranking(in[0], in[1], y, {.margin = 0.3}); },
                  {x, other});
  check_error([&] { nn::margin_ranking(x, f64({1.0}), y); }, {"margin_ranking", "[4]", "[1]"});
  const Tensor truths = cadena::tensor({true, false, false, false});
  check_error([&] { nn::margin_ranking(x, x, truths); }, {"margin_ranking", "1 or -1", "boolean"});
  check_error([&] { nn::margin_ranking(x, x, truths.to(cadena::uint8)); }, {"1 or -1", "uint8"});
  const double nan = std::nan("");
  check_error([&] { nn::margin_ranking(x, x, y, {.margin = nan}); },
              {"margin_ranking", "margin", "nan"});
  check_error([&] { nn::hinge_embedding(x, y, {.margin = nan}); },
              {"hinge_embedding", "margin", "nan"});
  check_error([&] { nn::margin_ranking(x, x, f64({1.0})); }, {"margin_ranking", "target", "[1]"});
}

TEST_CASE("cosine embedding") {
  const Tensor x = f64({{3.0, 4.0}, {1.0, 0.0}, {1.0, 1.0}, {0.0, 0.0}});
  const Tensor z = f64({{4.0, 3.0}, {0.0, 2.0}, {-1.0, -1.0}, {1.0, 2.0}});
  const Tensor y = cadena::tensor({1, -1, 1, -1});
  const Values got = values(nn::cosine_embedding(x, z, y, {.reduction = Reduction::none}));
  CHECK(got[0] == Approx(1 - 24.0 / 25));
  CHECK(got[1] == Approx(0).margin(1e-12));
  CHECK(got[2] == Approx(2));
  CHECK(got[3] == 0);
  CHECK(nn::cosine_embedding(x, z, -y, {.margin = 0.5, .reduction = Reduction::sum}).item() ==
        Approx((0.96 - 0.5) + 1 + 0 + 1));
  check_values(nn::cosine_embedding(f64({1.0, 0.0}), f64({1.0, 0.0}), cadena::tensor(-1)),
               {1 / (1 + 1e-12)});
  check_gradients([&](auto in) { return nn::cosine_embedding(in[0], in[1], y, {.margin = 0.1}); },
                  {sample_values({4, 3}, -1, 1, 1), sample_values({4, 3}, -1, 1, 2)});
  check_error([&] { nn::cosine_embedding(x, z, f64({{1.0}})); },
              {"cosine_embedding", "[4]", "[1, 1]"});
  check_error([&] { nn::cosine_embedding(x, z, y, {.margin = 1.5}); },
              {"margin in [-1, 1]", "1.5"});
  check_error([&] { nn::cosine_embedding(f64(1), f64(1), f64(1)); }, {"cosine_embedding", "[]"});
}

TEST_CASE("cosine embedding of vectors of any length") {
  for (double size : {1e-2, 1e10, 1e19, 1e25, 1e38}) {
    INFO("size " << size);
    const Tensor x = (size * f64({{3.0, 0.0}, {0.6, 0.8}})).to(cadena::float32);
    const Tensor leaf = x.requires_grad_leaf();
    const Tensor losses =
        nn::cosine_embedding(leaf, (size * f64({{0.5, 0.0}, {0.8, 0.6}})).to(cadena::float32),
                             cadena::tensor({1, 1}), {.reduction = Reduction::none});
    const Values got = values(losses);
    CHECK(got[0] == Approx(0).margin(1e-6));
    CHECK(got[1] == Approx(0.04).epsilon(1e-4));
    if (size > 1e30) continue;  // the gradient is below the normal numbers
    losses.backward(cadena::ones({2}));
    // d cos / dx = (y/|y| - cos x/|x|) / |x|
    const Values slopes = values(leaf.grad());
    CHECK(slopes[2] * size == Approx(-(0.8 - 0.96 * 0.6)).epsilon(1e-3));
    CHECK(slopes[3] * size == Approx(-(0.6 - 0.96 * 0.8)).epsilon(1e-3));
  }
  const Tensor none = cadena::zeros({2, 0});
  CHECK(nn::cosine_embedding(none, none, cadena::tensor({1, 1})).item() == 1);
}

TEST_CASE("triplet margin") {
  const Tensor a = sample_values({5, 3}, -1, 1, 1), p = sample_values({5, 3}, -1, 1, 2),
               n = sample_values({5, 3}, -1, 1, 3);
  const Values va = values(a), vp = values(p), vn = values(n);
  const auto distance = [](const Values& x, const Values& y, std::size_t row, double power) {
    double sum = 0;
    for (std::size_t k = 3 * row; k < 3 * row + 3; ++k) {
      sum += std::pow(std::abs(x[k] - y[k] + 1e-6), power);
    }
    return std::pow(sum, 1 / power);
  };
  for (double power : {1.0, 2.0, 3.0}) {
    for (bool swap : {false, true}) {
      Values expected;
      for (std::size_t row = 0; row < 5; ++row) {
        double apart = distance(va, vn, row, power);
        if (swap) apart = std::min(apart, distance(vp, vn, row, power));
        expected.push_back(std::max(0.0, distance(va, vp, row, power) - apart + 0.5));
      }
      check_reductions(
          [&](Reduction r) {
            return nn::triplet_margin(a, p, n,
                                      {.margin = 0.5, .p = power, .swap = swap, .reduction = r});
          },
          expected);
      check_gradients(
          [&](auto in) {
            return nn::triplet_margin(in[0], in[1], in[2], {.p = power, .swap = swap});
          },
          {a, p, n});
    }
  }
  check_error([&] { nn::triplet_margin(a, p, f64({1.0})); }, {"triplet_margin", "[5, 3]", "[1]"});
  check_error([&] { nn::triplet_margin(a, p, n, {.epsilon = -1}); }, {"triplet_margin", "epsilon"});
  check_error([&] { nn::triplet_margin(a, p, n, {.p = 0.5}); }, {"triplet_margin", "p of", "0.5"});
}
