// Normalisations against plain loops in float64: values, gradients, large means, threads, layers'
// statistics. Derivatives of all orders are swept over the list of operators.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/normalize.hpp>
#include <cadena/nn/module.hpp>
#include <cadena/nn/norm.hpp>

#include <cmath>
#include <cstring>
#include <functional>

using namespace cadena;
using namespace support;

namespace {

/// Which set of statistics and which weight an element belongs to, by its index in [N, C, S].
struct Places {
  std::int64_t n, c, s;
  std::function<std::size_t(std::int64_t, std::int64_t, std::int64_t)> set, weight;
};

struct Expected {
  Values y, dx, dweight, dbias;
};

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

/// y = (x - mean) / √(var + ε) w + b and its gradients, summed as the definition says. Without a
/// mean for `centered` = false.
Expected plain(const Places& p, const Values& x, const Values& w, const Values& b, const Values& g,
               double epsilon, bool centered = true) {
  const auto each = [&](auto f) {
    std::size_t i = 0;
    for (std::int64_t n = 0; n < p.n; ++n)
      for (std::int64_t c = 0; c < p.c; ++c)
        for (std::int64_t s = 0; s < p.s; ++s, ++i) f(i, p.set(n, c, s), p.weight(n, c, s));
  };
  const std::size_t most = x.size();
  Values count(most), mean(most), var(most), sum_p(most), sum_px(most);
  each([&](std::size_t i, std::size_t set, std::size_t) { ++count[set], mean[set] += x[i]; });
  for (std::size_t k = 0; k < most; ++k)
    mean[k] = centered && count[k] > 0 ? mean[k] / count[k] : 0;
  each([&](std::size_t i, std::size_t set, std::size_t) {
    var[set] += (x[i] - mean[set]) * (x[i] - mean[set]) / count[set];
  });
  Expected e{Values(most), Values(most), Values(w.size()), Values(w.size())};
  const auto normal = [&](std::size_t i, std::size_t set) {
    return (x[i] - mean[set]) / std::sqrt(var[set] + epsilon);
  };
  each([&](std::size_t i, std::size_t set, std::size_t k) {
    e.y[i] = normal(i, set) * w[k] + b[k];
    e.dweight[k] += g[i] * normal(i, set);
    e.dbias[k] += g[i];
    sum_p[set] += g[i] * w[k];
    sum_px[set] += g[i] * w[k] * normal(i, set);
  });
  each([&](std::size_t i, std::size_t set, std::size_t k) {
    const double without = g[i] * w[k] - (centered ? sum_p[set] / count[set] : 0) -
                           normal(i, set) * sum_px[set] / count[set];
    e.dx[i] = without / std::sqrt(var[set] + epsilon);
  });
  return e;
}

void check_close(const Tensor& got, const Values& expected, double tolerance) {
  const Values have = values(got);
  REQUIRE(have.size() == expected.size());
  double worst = 0, largest = 1;
  for (std::size_t i = 0; i < have.size(); ++i) {
    worst = std::max(worst, std::abs(have[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  CHECK(worst <= tolerance * largest);
}

using Apply = std::function<Tensor(const Tensor& x, const Tensor& w, const Tensor& b)>;

void check(const Places& p, const Shape& shape, const Shape& weights, const Apply& apply,
           bool centered = true, double middle = 0) {
  for (Dtype dtype : {float32, float64}) {
    CAPTURE(shape, name(dtype), middle);
    const auto leaf = [&](const Shape& of, double low, double high, std::uint64_t seed) {
      return sample_values(of, low, high, seed).to(dtype).requires_grad_leaf();
    };
    const Tensor x = leaf(shape, middle - 2, middle + 2, 1), w = leaf(weights, -1, 2, 2),
                 b = leaf(weights, -1, 1, 3);
    const Tensor g = sample_values(shape, -1, 1, 4).to(dtype);
    const Expected e = plain(p, values(x), values(w), values(b), values(g), 1e-5, centered);
    const Tensor y = apply(x, w, b);
    y.backward(g);
    const double tolerance = dtype == float32 ? 4e-6 : 1e-11;
    check_close(y, e.y, tolerance);
    check_close(x.grad(), e.dx, tolerance);
    check_close(w.grad(), e.dweight, tolerance);
    if (centered) {
      check_close(b.grad(), e.dbias, tolerance);
    }
  }
}

void check_layer_norm(std::int64_t rows, std::int64_t columns, double middle = 0) {
  const Places p{rows, 1, columns, [](auto n, auto, auto) { return index(n); },
                 [](auto, auto, auto s) { return index(s); }};
  check(
      p, {rows, columns}, {columns},
      [&](auto& x, auto& w, auto& b) { return layer_norm(x, {columns}, w, b); }, true, middle);
  check(
      p, {rows, columns}, {columns},
      [&](auto& x, auto& w, auto& b) { return rms_norm(x, {columns}, w, 1e-5) + b; }, false,
      middle);
}

void check_group_norm(std::int64_t n, std::int64_t c, std::int64_t s, std::int64_t groups) {
  check({n, c, s, [=](auto i, auto j, auto) { return index(i * groups + j / (c / groups)); },
         [](auto, auto j, auto) { return index(j); }},
        s == 1 ? Shape{n, c} : Shape{n, c, s}, {c},
        [=](auto& x, auto& w, auto& b) { return group_norm(x, groups, w, b); });
}

void check_batch_norm(std::int64_t n, std::int64_t c, std::int64_t s, double middle = 0) {
  check(
      {n, c, s, [](auto, auto j, auto) { return index(j); },
       [](auto, auto j, auto) { return index(j); }},
      s == 1 ? Shape{n, c} : Shape{n, c, s}, {c},
      [](auto& x, auto& w, auto& b) { return batch_norm(x, w, b).output; }, true, middle);
}

}  // namespace

TEST_CASE("layer_norm and rms_norm are what their formulas say") {
  for (std::int64_t columns : {1, 2, 3, 15, 16, 17, 31, 33, 100, 1023, 1025, 5000}) {
    check_layer_norm(columns > 1000 ? 5 : 40, columns);
  }
  check_layer_norm(300, 7);
}

TEST_CASE("group_norm is what its formula says") {
  check_group_norm(3, 4, 5, 2);
  check_group_norm(2, 6, 33, 1);
  check_group_norm(2, 6, 40, 6);
  check_group_norm(9, 12, 1, 4);
  check_group_norm(200, 8, 1, 2);
}

TEST_CASE("batch_norm is what its formula says") {
  check_batch_norm(2, 3, 1);
  check_batch_norm(300, 33, 1);
  check_batch_norm(4, 3, 7);
  check_batch_norm(20, 2, 70);
}

TEST_CASE("statistics far from 0 lose nothing but what the numbers themselves lost") {
  check_layer_norm(6, 512, 1e4);
  check_batch_norm(200, 5, 1, 1e4);
  check_batch_norm(5, 4, 50, 1e4);
  const Tensor equal = full({3, 100}, 12345.678F);
  const Values y = values(layer_norm(equal, {100}));
  CHECK(std::all_of(y.begin(), y.end(), [](double v) { return std::abs(v) < 1e-3; }));
}

TEST_CASE("second derivatives of data far from 0 are those in float64") {
  const std::function<Tensor(const Tensor&)> functions[] = {
      [](const Tensor& x) { return layer_norm(x, {16}); },
      [](const Tensor& x) { return group_norm(x, 2); },
      [](const Tensor& x) { return batch_norm(x).output; }};
  for (const auto& f : functions) {
    const Tensor numbers = sample_values({8, 16}, 9999, 10001, 5).to(float32);
    const auto second = [&](Dtype dtype) {
      const Tensor x = numbers.to(dtype).detach().requires_grad_leaf();
      const auto weights = [&](std::uint64_t seed) {
        return sample_values({8, 16}, -1, 1, seed).to(float32).to(dtype);
      };
      const Tensor g = grad(sum(f(x) * weights(6)), {x}, {.create_graph = true})[0];
      return grad(sum(g * weights(7)), {x})[0];
    };
    check_close(second(float32), values(second(float64)), 1e-5);
  }
}

TEST_CASE("batch_norm with given statistics at a point computed by hand") {
  const Tensor x = tensor({{1.0, 5.0}, {3.0, 1e8}}, {.dtype = float64}).requires_grad_leaf();
  const auto two = [](double a, double b) {
    return from_vector<double>({a, b}, {2}).requires_grad_leaf();
  };
  const Tensor mean = two(2, 1e8 - 1), variance = two(4, 0.25), weight = two(3, 2),
               bias = two(-1, 7);
  const ChannelStatistics given{mean, variance};
  const Tensor y = batch_norm(x, given, weight, bias, 0);
  check_close(y, {-2.5, 4 * (5 - 1e8 + 1) + 7, 0.5, 11}, 1e-15);
  check_close(batch_norm(x, given, {}, {}, 0), {-0.5, 2 * (5 - 1e8 + 1), 0.5, 2}, 1e-15);
  const std::vector<Tensor> g = grad(sum(y * y), {x, mean, weight, bias});
  // dy/dx = weight / √variance, y ∈ {-2.5, 0.5}: 2 y dy/dx.
  CHECK(values(g[0])[0] == Approx(-7.5));
  CHECK(values(g[1])[0] == Approx(6));
  CHECK(values(g[2])[0] == Approx(2 * (-2.5 * -0.5 + 0.5 * 0.5)));
  CHECK(values(g[3])[0] == Approx(-4));
}

TEST_CASE("normalisations at a point computed by hand") {
  // x = 1, 2, 3, 6: mean 3, variance 3.5.
  const Tensor x = tensor({{1.0, 2.0, 3.0, 6.0}}, {.dtype = float64});
  const double s = 1 / std::sqrt(3.5);
  check_close(layer_norm(x, {4}, {}, {}, 0), {-2 * s, -s, 0, 3 * s}, 1e-15);
  const double r = 1 / std::sqrt(12.5);  // (1 + 4 + 9 + 36) / 4
  check_close(rms_norm(x, {4}, {}, 0), {r, 2 * r, 3 * r, 6 * r}, 1e-15);
  check_close(group_norm(x, 2, {}, {}, 0), {-1, 1, -1, 1}, 1e-15);
}

TEST_CASE("bits do not depend on the number of threads") {
  const ThreadsGuard guard;
  const Tensor g = sample_values({700, 130}, -1, 1, 4).to(float32);
  const auto bits = [&](int count) {
    set_threads(count);
    std::vector<std::vector<float>> all;
    for (const Apply& f :
         {Apply([](auto&x, auto&w, auto&b) { return layer_norm(x, {130}, w, b); }),
          Apply([](auto&x, auto&w, auto&b) { return group_norm(x, 10, w, b); }),
          Apply([](auto&x, auto&w, auto&b) { return batch_norm(x, w, b).output; })}) {
      const Tensor x = sample_values({700, 130}, -2, 2, 1).to(float32).requires_grad_leaf(),
                   w = sample_values({130}, -2, 2, 2).to(float32).requires_grad_leaf(),
                   b = sample_values({130}, -2, 2, 3).to(float32).requires_grad_leaf();
      const Tensor y = f(x, w, b);
      y.backward(g);
      for (const Tensor& t : {y, x.grad(), w.grad(), b.grad()}) {
        all.push_back(t.to_vector<float>());
      }
    }
    return all;
  };
  const auto one = bits(1);
  CHECK(bits(2) == one);
  CHECK(bits(8) == one);
}

TEST_CASE("normalisations say what does not fit") {
  const Tensor x = ones({2, 6});
  check_error([&] { layer_norm(x, {5}); }, {"layer_norm: ", "[5]", "[2, 6]"});
  check_error([&] { layer_norm(x, {}); }, {"layer_norm: ", "one at least"});
  check_error([&] { layer_norm(x, {6}, ones({5})); }, {"layer_norm: ", "weight [6]", "[5]"});
  check_error([&] { rms_norm(x, {6}, ones({6}, {.dtype = float64})); }, {"rms_norm", "float64"});
  check_error([&] { layer_norm(x, {6}, {}, {}, -1); }, {"layer_norm", "epsilon", "-1"});
  check_error([&] { group_norm(x, 4); }, {"group_norm", "4 groups", "[2, 6]"});
  check_error([&] { group_norm(ones({6}), 2); }, {"group_norm", "[6]"});
  check_error([&] { batch_norm(ones({1, 6})); }, {"batch_norm", "two elements", "[1, 6]"});
  check_error([&] { batch_norm(x, {ones({6}), Tensor()}); }, {"batch_norm", "undefined"});
  check_error([&] { layer_norm(ones({2, 6}, {.dtype = int64}), {6}); }, {"layer_norm", "int64"});
}

TEST_CASE("BatchNorm keeps running statistics as PyTorch's does") {
  // Two batches of one channel: 1, 2, 6 (mean 3, unbiased variance 7) and 2, 4 (mean 3, 2).
  const Tensor first = tensor({{1.0}, {2.0}, {6.0}}), second = tensor({{2.0}, {4.0}});
  nn::BatchNorm layer(1);
  layer(first);
  CHECK(layer.running_mean.value().item() == Approx(0.3));
  CHECK(layer.running_var.value().item() == Approx(0.9 + 0.7));
  layer(second);
  CHECK(layer.running_mean.value().item() == Approx(0.9 * 0.3 + 0.3));
  CHECK(layer.running_var.value().item() == Approx(0.9 * 1.6 + 0.2));
  CHECK(layer.num_batches_tracked.value().item<std::int64_t>() == 2);

  nn::BatchNorm averaging(1, {.momentum = {}});
  averaging(first);
  averaging(second);
  CHECK(averaging.running_mean.value().item() == Approx(3));
  CHECK(averaging.running_var.value().item() == Approx(4.5));

  nn::eval(layer);
  const double mean = 0.57, var = 1.64;
  CHECK(layer(second)[0][0].item() == Approx((2 - mean) / std::sqrt(var + 1e-5)));
  CHECK(layer.num_batches_tracked.value().item<std::int64_t>() == 2);
  CHECK(layer(first.to(float32)).shape() == Shape{3, 1});  // one by one: no batch is asked for
  CHECK(layer(tensor({{2.0}})).item() == Approx((2 - mean) / std::sqrt(var + 1e-5)));
  check_error([&] { layer(ones({2, 3})); }, {"BatchNorm", "[examples, 1, ...]", "[2, 3]"});
}
