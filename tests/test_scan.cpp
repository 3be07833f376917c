// cumsum, cumprod, logcumsumexp, cummax and cummin against plain loops.

#include "support.hpp"
#include "sweep.hpp"

#include <cadena/autograd/graph/gradcheck.hpp>

#include <cmath>
#include <limits>
#include <random>

using namespace cadena;
using namespace support;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan_value = std::numeric_limits<double>::quiet_NaN();

Tensor line(const Values& numbers, Dtype dtype = float64) {
  return from_vector(numbers, {static_cast<std::int64_t>(numbers.size())}).to(dtype);
}

/// step(state, x) along the middle dimension of x [outer, n, inner], in long double.
template <class Step> Values scanned(const Tensor& x, long double first, Step&& step) {
  const std::int64_t outer = x.size(0), n = x.size(1), inner = x.size(2);
  const Values from = values(x);
  Values to(from.size());
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      long double state = first;
      for (std::int64_t r = 0; r < n; ++r) {
        const auto at = static_cast<std::size_t>((o * n + r) * inner + i);
        state = step(state, static_cast<long double>(from[at]));
        to[at] = static_cast<double>(state);
      }
    }
  }
  return to;
}

long double plus(long double a, long double b) { return a + b; }

long double log_add(long double a, long double b) {
  const long double top = std::max(a, b);
  return std::isinf(top) ? top : top + std::log(std::exp(a - top) + std::exp(b - top));
}

/// Largest |got - expected| / (|expected| + 1).
double worst(const Tensor& got, const Values& expected) {
  const Values found = values(got);
  REQUIRE(found.size() == expected.size());
  double error = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    error = std::max(error, std::abs(found[i] - expected[i]) / (std::abs(expected[i]) + 1));
  }
  return error;
}

const std::vector<Shape> shapes{{1, 1, 1},     {2, 5, 1},    {3, 7, 2},   {2, 9, 17},
                                {1, 40, 64},   {2, 3, 65},   {2, 3, 200}, {1, 5000, 1},
                                {2, 33000, 1}, {1, 20000, 3}};

}  // namespace

TEST_CASE("cumsum, cumprod and logcumsumexp are the plain loops") {
  std::uint64_t seed = 0;
  for (const Shape& shape : shapes) {
    for (const Dtype dtype : {float32, float64}) {
      INFO(shape << " " << name(dtype));
      const double epsilon = dtype == float32 ? 6e-8 : 1.2e-16;
      const Tensor x = sample_values(shape, -2, 2, ++seed).to(dtype);
      CHECK(worst(cumsum(x, 1), scanned(x, 0, plus)) <= epsilon);
      CHECK(worst(logcumsumexp(x, 1), scanned(x, -infinity, log_add)) <= 4 * epsilon);
      const Tensor near_one = sample_values(shape, 0.9, 1.1, ++seed).to(dtype);
      const Values products =
          scanned(near_one, 1, [](long double a, long double b) { return a * b; });
      const double roundings = dtype == float32 ? 1 : static_cast<double>(shape[1]);
      CHECK(worst(cumprod(near_one, 1), products) <= epsilon * roundings);
      CHECK(cumsum(x, -2).dtype() == dtype);
    }
    const Tensor integers = sample_values(shape, -9, 9, ++seed).to(int64);
    CHECK(values(cumsum(integers, 1)) == scanned(integers, 0, plus));
  }
}

TEST_CASE("small scans by hand") {
  const Tensor x = tensor({{1, 2, 3}, {4, 0, -6}});
  CHECK(values(cumsum(x, 1)) == Values{1, 3, 6, 4, 4, -2});
  CHECK(values(cumsum(x, 0)) == Values{1, 2, 3, 5, 2, -3});
  CHECK(values(cumprod(x, -1)) == Values{1, 2, 6, 4, 0, 0});
  CHECK(cumprod(x, 1).dtype() == int64);
  CHECK(values(cumsum(tensor({true, true, false, true}), 0)) == Values{1, 2, 2, 3});
  const Tensor bytes = tensor({200, 100}, {.dtype = uint8});
  CHECK(values(cumsum(bytes, 0)) == Values{200, 300});
  CHECK(cumsum(bytes, 0).dtype() == int64);
  CHECK(logcumsumexp(x, 0).dtype() == float32);
  CHECK(cumsum(tensor(3.0), 0).shape() == Shape{});
  CHECK(cumprod(tensor(3.0), -1).item() == 3);
  CHECK(cumsum(zeros({0, 3}), 0).shape() == Shape{0, 3});
  CHECK(cumprod(zeros({3, 0}), 1).shape() == Shape{3, 0});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(cumsum(from_vector<std::int64_t>({most, 1}, {2}), 0)[1].item<std::int64_t>() == -most - 1);
  CHECK(cumprod(from_vector<std::int64_t>({most, 2}, {2}), 0)[1].item<std::int64_t>() == -2);
}

TEST_CASE("a long cumsum does not drift") {
  constexpr std::int64_t count = 10'000'000;
  const Tensor ones_summed = cumsum(ones({count}), 0);
  const auto sums = ones_summed.data<float>();
  bool exact = true;
  for (std::int64_t i = 0; i < count; ++i) {
    exact = exact && sums[static_cast<std::size_t>(i)] == static_cast<float>(i + 1);
  }
  CHECK(exact);
  const float tenth = 0.1F;
  const double expected = static_cast<double>(count) * static_cast<double>(tenth);
  CHECK(cumsum(full({count}, 0.1), 0)[-1].item() == Approx(expected).epsilon(6e-8));
  // float64 keeps what it loses.
  const Tensor mixed = line({1e16, 1, 1, -1e16, 3});
  CHECK(values(cumsum(mixed, 0)) == Values{1e16, 1e16, 1e16 + 2, 2, 5});
}

TEST_CASE("infinities and NaN in scans") {
  const Tensor x = line({1, infinity, 2, -infinity, 3});
  const Values sums = values(cumsum(x, 0));
  CHECK(sums[1] == infinity);
  CHECK(sums[2] == infinity);
  CHECK(std::isnan(sums[3]));
  CHECK(std::isnan(sums[4]));
  for (const Dtype dtype : {float32, float64}) {
    const Values logs =
        values(logcumsumexp(line({-infinity, -infinity, 0, infinity, 1}, dtype), 0));
    CHECK(logs == Values{-infinity, -infinity, 0, infinity, infinity});
    CHECK(values(logcumsumexp(line({1000, 1000, -1000}, dtype), 0))[1] ==
          Approx(1000 + std::log(2.0)));
    const Values after_nan = values(logcumsumexp(line({0, nan_value, 1}, dtype), 0));
    CHECK(after_nan[0] == 0);
    CHECK(std::isnan(after_nan[1]));
    CHECK(std::isnan(after_nan[2]));
    // A whole block of -infinity before, another after.
    Values long_row(20000, -infinity);
    long_row[9000] = 5;
    const Values of_blocks = values(logcumsumexp(line(long_row, dtype), 0));
    CHECK(of_blocks[8999] == -infinity);
    CHECK(of_blocks[9000] == 5);
    CHECK(of_blocks[19999] == 5);
    long_row[100] = nan_value;
    CHECK(std::isnan(values(logcumsumexp(line(long_row, dtype), 0))[19999]));
  }
  // A product that has become 0 stays 0: no block of it overflows beside it.
  Values small_then_large(40000, 1.5);
  std::fill_n(small_then_large.begin(), 20000, 0.5);
  CHECK(values(cumprod(line(small_then_large), 0))[39999] == 0);
}

TEST_CASE("the gradient of cumprod with zeros") {
  const auto gradient = [](const Values& x) {
    const Tensor leaf = line(x).requires_grad_leaf();
    return values(grad(sum(cumprod(leaf, 0)), {leaf})[0]);
  };
  // y = x0, x0 x1, x0 x1 x2, ...
  CHECK(gradient({2, 0, 3}) == Values{1, 2 + 2 * 3, 0});
  CHECK(gradient({0, 5, 3}) == Values{1 + 5 + 15, 0, 0});
  CHECK(gradient({0, 0, 3}) == Values{1, 0, 0});
  CHECK(gradient({4, 0, 0}) == Values{1, 4, 0});
  for (const Values& x : {Values{2, 0, 3, -1}, Values{0, 0, 2, 1}, Values{1, 0, 0, 0}}) {
    const auto report = gradcheck(
        [](auto in) {
          return grad(sum(cumprod(in[0], 0) * line({1, 2, 3, 4})), {in[0]},
                      {.create_graph = true})[0];
        },
        {line(x).requires_grad_leaf()}, {.order = 2});
    INFO(report.text());
    CHECK(report.passed());  // up to the third derivative
  }
}

TEST_CASE("the gradient of cumprod behind a zero is 0 where what comes after overflows") {
  const auto gradient = [](const Values& x) {
    const Tensor leaf = line(x, float32).requires_grad_leaf();
    return values(grad(sum(cumprod(leaf, 0)), {leaf})[0]);
  };
  CHECK(gradient({0, 1e30, 1e30, 1e30}) == Values{infinity, 0, 0, 0});
  const Values one_later = gradient({2, 0, 1e30, 1e30});
  CHECK(Values(one_later.begin() + 1, one_later.end()) == Values{infinity, 0, 0});
}

TEST_CASE("results of scans are contiguous") {
  for (const Shape& shape : {Shape{5000, 2}, Shape{5000, 3, 2}, Shape{70000, 20}, Shape{3, 4}}) {
    const Tensor x = sample_values(shape, -1, 1, 3);
    CHECK(cumsum(x, 0).is_contiguous());
    CHECK(cumprod(x, 0).is_contiguous());
    CHECK(logcumsumexp(x, 0).is_contiguous());
    CHECK(cummax(x, 0).values.is_contiguous());
    CHECK(cummin(x, 0).indices.is_contiguous());
  }
}

TEST_CASE("the gradient of logcumsumexp") {
  const auto gradient = [](const Tensor& x, Dtype dtype) {
    const Tensor leaf = x.to(dtype).requires_grad_leaf();
    return values(grad(sum(logcumsumexp(leaf, 0)), {leaf})[0]);
  };
  for (const Dtype dtype : {float32, float64}) {
    CHECK(gradient(line({-infinity, -infinity}), dtype) == Values{0, 0});
    CHECK(gradient(line({-infinity, 3, -infinity}), dtype) == Values{0, 2, 0});
    CHECK(gradient(line({1, infinity, 2}), dtype) == Values{1, 2, 0});
    CHECK(gradient(line({5000, -5000}), dtype) == Values{2, 0});
    const Tensor x = sample_values({50}, -3, 3, 4);
    const Values at = values(x), got = gradient(x, dtype);
    for (std::size_t i = 0; i < at.size(); ++i) {
      double sum_of_exp = 0, expected = 0;
      for (std::size_t k = 0; k < at.size(); ++k) {
        sum_of_exp += std::exp(at[k]);
        expected += k >= i ? std::exp(at[i]) / sum_of_exp : 0;
      }
      CHECK(got[i] == Approx(expected).epsilon(dtype == float32 ? 1e-5 : 1e-13));
    }
  }
  const auto report = gradcheck(
      [](auto in) {
        return grad(sum(square(logcumsumexp(in[0], 0))), {in[0]}, {.create_graph = true})[0];
      },
      {sample_values({4}, -1, 1, 5).requires_grad_leaf()}, {.order = 2});
  INFO(report.text());
  CHECK(report.passed());
}

TEST_CASE("cummax and cummin") {
  const Tensor x = tensor({{3, 1, 3, 5}, {2, 2, 4, 0}});
  CHECK(values(cummax(x, 1).values) == Values{3, 3, 3, 5, 2, 2, 4, 4});
  CHECK(values(cummax(x, 1).indices) == Values{0, 0, 2, 3, 0, 1, 2, 2});
  CHECK(values(cummin(x, 1).values) == Values{3, 1, 1, 1, 2, 2, 2, 0});
  CHECK(values(cummin(x, -1).indices) == Values{0, 1, 1, 1, 0, 1, 1, 3});
  CHECK(values(cummin(x, 0).values) == Values{3, 1, 3, 5, 2, 1, 3, 0});
  CHECK(values(cummin(x, 0).indices) == Values{0, 0, 0, 0, 1, 0, 0, 1});
  const ValuesAndIndices after_nan = cummax(line({1, nan_value, 5, nan_value, 7}), 0);
  CHECK(values(after_nan.indices) == Values{0, 1, 1, 3, 3});
  CHECK(std::isnan(values(after_nan.values)[4]));
  CHECK(cummax(tensor({false, true, false}), 0).values.dtype() == boolean);
  CHECK(values(cummax(tensor({false, true, false}), 0).values) == Values{0, 1, 1});
  CHECK(cummax(tensor(2.0), 0).indices.item<std::int64_t>() == 0);
  CHECK(cummax(zeros({0}), 0).indices.shape() == Shape{0});
  for (const Shape& shape : {Shape{2, 50, 1}, Shape{2, 50, 3}, Shape{2, 50, 70}}) {
    const Tensor numbers = sample_values(shape, -1, 1, 6);
    const auto larger = [](long double a, long double b) { return std::max(a, b); };
    CHECK(values(cummax(numbers, 1).values) == scanned(numbers, -infinity, larger));
    CHECK(values(gather(numbers, 1, cummax(numbers, 1).indices)) ==
          values(cummax(numbers, 1).values));
  }
  const Tensor leaf = line({3, 1, 3, 2}).requires_grad_leaf();
  CHECK(values(grad(sum(cummax(leaf, 0).values), {leaf})[0]) == Values{2, 0, 2, 0});
}

TEST_CASE("scans refuse what they cannot do") {
  const Tensor x = zeros({2, 3});
  check_error([&] { cumsum(x, 2); }, {"cumsum: axis 2", "[-2, 2)"});
  check_error([&] { logcumsumexp(x, -3); }, {"logcumsumexp: axis -3"});
  check_error([] { cumprod(zeros({}), 1); }, {"cumprod: axis 1"});
  check_error([] { cummax(Tensor(), 0); }, {"cummax: ", "undefined"});
}

TEST_CASE("scans give the same bits with any number of threads") {
  const ThreadsGuard guard;
  using Scan = Tensor (*)(const Tensor&, std::int64_t);
  const Scan scans[] = {cumsum, logcumsumexp, cumprod,
                        [](const Tensor& x, std::int64_t axis) { return cummin(x, axis).values; }};
  for (const Shape& shape : {Shape{1, 300001, 1}, Shape{3, 50000, 1}, Shape{500, 301, 1},
                             Shape{2, 1000, 130}, Shape{1, 70000, 3}}) {
    for (const Dtype dtype : {float32, float64}) {
      const Tensor x = sample_values(shape, -1, 1.03, 7).to(dtype);
      for (const Scan scan : scans) {
        const auto call = [&](std::span<const Tensor> in) { return scan(in[0], 1); };
        set_threads(1);
        const sweep::Applied one = sweep::applied(call, {x});
        for (const int count : {2, 8}) {
          set_threads(count);
          const sweep::Applied several = sweep::applied(call, {x});
          CHECK(sweep::same_bits(one.output, several.output));
          CHECK(sweep::same_bits(one.gradients[0], several.gradients[0]));
        }
      }
    }
  }
}
