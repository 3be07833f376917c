// Reductions against plain loops, their gradients against closed forms, and bad input.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
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

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

Tensor leaf(const Values& v, const Shape& shape) {
  return from_vector(v, shape, {.requires_grad = true});
}
/// Whether the Error that f throws has each of the parts in its text.
template <class F> bool fails_with(F f, std::initializer_list<const char*> parts) {
  try {
    f();
  } catch (const Error& error) {
    const std::string text = error.what();
    for (const char* part : parts) {
      if (text.find(part) == std::string::npos) {
        return false;
      }
    }
    return true;
  }
  return false;
}
/// Gradient of sum(f(x)) at x.
Values slope(const Tensor& x, const TensorFunction& f) { return values(grad(sum(f(x)), {x})[0]); }

}  // namespace

TEST_CASE("reductions over any axes") {
  const Tensor x = arange(0, 24, 1, {.dtype = float64}) * -1.0;
  const Tensor cube = reshape(x, {2, 3, 4});
  CHECK(values(amax(cube)) == Values{0});
  CHECK(values(amin(cube, {0, 2})) == Values{-15, -19, -23});
  CHECK(values(amax(cube, {-1, 0})) == Values{0, -4, -8});
  CHECK(amax(cube, {0, -1}, true).shape() == Shape{1, 3, 1});
  CHECK(amin(cube, {1}, true).shape() == Shape{2, 1, 4});
  CHECK(values(amin(cube, {0, 1})) == Values{-20, -21, -22, -23});
  CHECK(values(amax(permute(cube, {2, 0, 1}), {0})) == values(amax(cube, {2})));
  CHECK(values(norm(cube, 1, {0, 2})) == Values{60, 92, 124});
  CHECK(values(var(cube, {0, 2}, {.correction = 0}))[0] == Approx(37.25));
  CHECK(var(cube, {0, 2}, {.keepdim = true}).shape() == Shape{1, 3, 1});
  CHECK(argmax(cube).item<std::int64_t>() == 0);
  CHECK(argmin(cube).item<std::int64_t>() == 23);
  CHECK(argmin(cube, -2, true).shape() == Shape{2, 1, 4});
  CHECK(argmin(cube, {}, true).shape() == Shape{1, 1, 1});
  CHECK(argmin(cube, 1).to_vector<std::int64_t>() == std::vector<std::int64_t>(8, 2));
}

TEST_CASE("axes apart are reduced one run after the other") {
  const Tensor x = sample_values({3, 4, 5, 2, 6}, -2, 2, 1);
  const Axes apart{0, 2, 4};
  const Tensor last = reshape(permute(x, {1, 3, 0, 2, 4}), {4, 2, 90});
  const auto check = [](const Tensor& got, const Tensor& expected) {
    REQUIRE(got.numel() == expected.numel());
    for (std::size_t i = 0; i < values(got).size(); ++i) {
      CHECK(values(got)[i] == Approx(values(expected)[i]).margin(1e-12));
    }
  };
  check(sum(x, apart), sum(last, {2}));
  check(mean(x, apart), mean(last, {2}));
  check(amax(x, apart), amax(last, {2}));
  check(amin(x, apart), amin(last, {2}));
  check(var(x, apart), var(last, {2}));
  check(norm(x, 2, apart), norm(last, 2, {2}));
  CHECK(sum(x, apart).shape() == Shape{4, 2});
  CHECK(sum(x, apart, true).shape() == Shape{1, 4, 1, 2, 1});
  CHECK(values(sum(zeros({2, 3, 0}), {0, 2})) == Values{0, 0, 0});
  // All of the ties share, wherever they are.
  const Tensor tied = leaf({1, 1, 1, 0}, {2, 1, 2});
  for (double share : slope(tied, [](const Tensor& y) { return amax(y, {0, 2}) * 3.0; })) {
    CHECK((share == 0 || share == Approx(1)));
  }
}

TEST_CASE("dtypes of reductions") {
  const Tensor truth = tensor({{true, true, false}, {false, true, false}});
  CHECK(sum(truth).dtype() == int64);
  CHECK(sum(truth).item<std::int64_t>() == 3);
  CHECK(values(sum(truth, {0})) == Values{1, 2, 0});
  CHECK(values(sum(transpose(truth), {0}, true)) == Values{2, 1});
  CHECK(mean(truth).dtype() == float32);
  CHECK(mean(truth).item() == 0.5);
  CHECK(mean(tensor(true)).dtype() == float32);
  const Tensor bytes = full({3, 1000, 2}, 255, {.dtype = uint8});
  CHECK(values(sum(bytes, {0, 2})) == Values(1000, 6 * 255));
  CHECK(values(mean(bytes, {1})) == Values(6, 255));
  const Tensor whole = tensor({{3, 1}, {2, 5}});
  CHECK(amax(whole, {0}).dtype() == int64);
  CHECK(values(amax(whole, {0})) == Values{3, 5});
  CHECK(amin(whole.to(uint8)).dtype() == uint8);
  CHECK(amax(tensor({false, true})).dtype() == boolean);
  CHECK(amax(tensor({false, true})).item<bool>());
  CHECK(argmax(whole.to(uint8), 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 1});
  CHECK(var(whole).dtype() == float32);
  CHECK(norm(whole).dtype() == float32);
  CHECK(norm(whole).item() == Approx(std::sqrt(39.0)));
  CHECK(amax(Tensor(2.5)).item() == 2.5);
  CHECK(var(tensor(2.5)).shape() == Shape{});
  CHECK(std::isnan(var(tensor(2.5)).item()));
}

TEST_CASE("variance") {
  const Tensor x = leaf({1, 2, 4, 9}, {4});
  CHECK(var(x).item() == Approx(38.0 / 3));
  CHECK(var(x, {}, {.correction = 0}).item() == Approx(38.0 / 4));
  CHECK(std::isnan(var(from_vector<double>({3}, {1})).item()));
  CHECK(std::isnan(var(zeros({0})).item()));
  // Far from zero: the mean is taken off first.
  CHECK(var(from_vector<float>({1e6f + 1, 1e6f + 2, 1e6f + 3}, {3})).item() == Approx(1));
  const Values g = slope(x, [](const Tensor& y) { return var(y); });
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(g[i] == Approx(2.0 / 3 * (values(x)[i] - 4)));
  }
  const Tensor h = hessian([](const Tensor& y) { return var(y); }, x);
  CHECK(values(h)[0] == Approx(2.0 / 3 * 0.75));
  CHECK(values(h)[1] == Approx(-2.0 / 3 * 0.25));
}

TEST_CASE("standard deviation") {
  const Tensor x = leaf({1, 2, 4, 9}, {4});
  CHECK(cadena::std(x).item() == Approx(std::sqrt(38.0 / 3)));
  CHECK(values(cadena::std(reshape(x, {2, 2}), {1}, {.correction = 0})) == Values{0.5, 2.5});
  CHECK(cadena::std(reshape(x, {2, 2}), {0}, {.keepdim = true}).shape() == Shape{1, 2});
  CHECK(cadena::std(tensor({1, 3})).dtype() == float32);
  CHECK(std::isnan(cadena::std(from_vector<double>({3}, {1})).item()));
  const Values g = slope(x, [](const Tensor& y) { return cadena::std(y); });
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(g[i] == Approx((values(x)[i] - 4) / 3 / std::sqrt(38.0 / 3)));
  }
  // No slope where all are equal, in whatever row.
  const Tensor flat = leaf({2, 2, 2, 1, 2, 6}, {2, 3});
  const auto deviation = [](const Tensor& y) { return cadena::std(y, {1}); };
  const Values rows = slope(flat, deviation);
  CHECK(Values(rows.begin(), rows.begin() + 3) == Values{0, 0, 0});
  CHECK(rows[5] == Approx(3 / std::sqrt(28.0)));
  for (double second :
       values(hessian([](const Tensor& y) { return cadena::std(y); }, leaf({2, 2}, {2})))) {
    CHECK(second == 0);
  }
  CHECK(fails_with([] { cadena::std(zeros({2}), {}, {.correction = infinity}); }, {"std", "inf"}));
}

TEST_CASE("the spread of equal, large and small numbers") {
  const auto deviation = [](const Tensor& y) { return cadena::std(y); };
  for (const Dtype dtype : {float32, float64}) {
    for (const double number : {0.1, 0.7, -1e5 / 3}) {
      for (const std::int64_t n : {3, 7, 100, 70'000}) {
        const Tensor equal = full({n}, number, {.dtype = dtype}).requires_grad_leaf();
        CHECK(var(equal).item() == 0);
        CHECK(cadena::std(equal).item() == 0);
        CHECK(slope(equal, deviation) == Values(static_cast<std::size_t>(n), 0));
        CHECK(slope(equal, [](const Tensor& y) { return var(y); }) ==
              Values(static_cast<std::size_t>(n), 0));
      }
    }
  }
  // Where float32 holds the deviation, though not its square.
  for (const double size : {1e20, 1e-30, 1e38}) {
    CAPTURE(size);
    const Tensor x = (leaf({-1, 0, 3}, {3}) * size).to(float32).detach().requires_grad_leaf();
    CHECK(cadena::std(x).item() == Approx(size * std::sqrt(13.0 / 3)));
    const Values g = slope(x, deviation);
    CHECK(g[0] == Approx((-1 - 2.0 / 3) / 2 / std::sqrt(13.0 / 3)));
  }
  // Far from 0, where the mean is no float32.
  const Tensor far = from_vector<float>({1e7F, 1e7F + 1, 1e7F + 3}, {3}, {.requires_grad = true});
  CHECK(slope(far, [](const Tensor& y) { return var(y); })[1] == Approx(-1.0 / 3));
}

TEST_CASE("a 0-d tensor takes axis 0 and -1 wherever an axis is asked for") {
  const Tensor x = tensor(2.5);
  for (const std::int64_t axis : {0, -1}) {
    for (const Tensor& y : {sum(x, {axis}), mean(x, {axis}), prod(x, {axis}, true), amax(x, {axis}),
                            amin(x, {axis}), norm(x, 2, {axis}), max(x, axis).values}) {
      CHECK(y.shape() == Shape{});
      CHECK(y.item() == 2.5);
    }
    CHECK(var(x, {axis}, {.correction = 0}).item() == 0);
    CHECK(any(x, {axis}).item<bool>());
    CHECK(all(x, {axis}).item<bool>());
    CHECK(count_nonzero(x, {axis}).item<std::int64_t>() == 1);
    CHECK(argmax(x, axis).item<std::int64_t>() == 0);
    CHECK(argmin(x, axis, true).shape() == Shape{});
  }
  CHECK_THROWS_AS(sum(x, {1}), Error);
  CHECK_THROWS_AS(sum(x, {0, -1}), Error);
  CHECK_THROWS_AS(argmax(x, -2), Error);
}

TEST_CASE("max and min with indices") {
  const Tensor x = leaf({1, 3, 3, -1, -1, 2}, {2, 3});
  const ValuesAndIndices largest = max(x, 1), smallest = min(x, -1, true);
  CHECK(values(largest.values) == Values{3, 2});
  CHECK(largest.indices.to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2});
  CHECK(smallest.values.shape() == Shape{2, 1});
  CHECK(smallest.indices.shape() == Shape{2, 1});
  CHECK(values(smallest.values) == Values{1, -1});
  CHECK(values(smallest.indices) == Values{0, 0});
  CHECK(values(max(x, 0).values) == Values{1, 3, 3});
  CHECK(values(max(transpose(x), 0).indices) == Values{1, 2});
  // The first of ties has all of the gradient.
  CHECK(slope(x, [](const Tensor& y) { return max(y, 1).values * 3.0; }) ==
        Values{0, 3, 0, 0, 0, 3});
  CHECK(slope(x, [](const Tensor& y) { return min(y, 1, true).values; }) ==
        Values{1, 0, 0, 1, 0, 0});
  CHECK_FALSE(max(x, 1).indices.requires_grad());
  const Tensor y = from_vector<double>({1, not_a_number, 7, not_a_number}, {4});
  CHECK(std::isnan(max(y, 0).values.item()));
  CHECK(min(y, 0).indices.item<std::int64_t>() == 1);
  CHECK(max(tensor({3, 1}).to(uint8), 0).values.dtype() == uint8);
  CHECK(max(tensor({false, true}), 0).values.item<bool>());
  CHECK(max(Tensor(2.5), -1).values.item() == 2.5);
  CHECK(fails_with([] { max(zeros({2, 0}), 1); }, {"max", "axis 1", "[2, 0]"}));
  CHECK(min(zeros({0, 3}), 1).values.shape() == Shape{0});
}

TEST_CASE("max and min over each axis, as amax and argmax, in every size of work") {
  for (const Shape& shape : {Shape{3, 7, 5}, Shape{2, 3000, 40}, Shape{1, 200'000, 1},
                             Shape{40, 2000, 3}, Shape{70, 9, 700}, Shape{300'000, 2, 1}}) {
    const Tensor x = round(sample_values(shape, -1000, 1000, 3));  // with ties
    for (Dtype dtype : {int64, float32, float64}) {
      CAPTURE(shape, dtype);
      const Tensor y = x.to(dtype);
      const ValuesAndIndices largest = max(y, 1), smallest = min(y, 1);
      CHECK(array_equal(largest.values, amax(y, {1})));
      CHECK(array_equal(largest.indices, argmax(y, 1)));
      CHECK(array_equal(smallest.values, amin(y, {1})));
      CHECK(array_equal(smallest.indices, argmin(y, 1)));
    }
  }
}

TEST_CASE("any, all and count_nonzero") {
  const Tensor x = from_vector<double>({0, 0, 0, 1, -0.0, 2, 3, not_a_number, 5}, {3, 3});
  CHECK(values(any(x, {1})) == Values{0, 1, 1});
  CHECK(values(all(x, {1})) == Values{0, 0, 1});
  CHECK(values(count_nonzero(x, {1})) == Values{0, 2, 3});
  CHECK(any(x, {0, 1}, true).shape() == Shape{1, 1});
  CHECK(values(all(transpose(x), {0}, true)) == Values{0, 0, 1});
  CHECK(any(x).dtype() == boolean);
  CHECK(count_nonzero(x).dtype() == int64);
  CHECK(any(x).item<bool>());
  CHECK_FALSE(all(x).item<bool>());
  CHECK(count_nonzero(full({70'000, 3}, 256, {.dtype = int64}), {0}).to_vector<std::int64_t>() ==
        std::vector<std::int64_t>(3, 70'000));
  CHECK(values(any(zeros({2, 0}), {1})) == Values{0, 0});
  CHECK(values(all(zeros({2, 0}), {1})) == Values{1, 1});
  CHECK(all(tensor(true)).item<bool>());
  CHECK_FALSE(any(Tensor(0.0)).item<bool>());
  CHECK(values(all(ones({2, 3, 4}), {0, 2})) == Values{1, 1, 1});
  CHECK(count_nonzero(tensor({{true, false}, {true, true}}), {0, 1}, true).shape() == Shape{1, 1});
  CHECK(values(count_nonzero(tensor({{true, false}, {true, true}}), {0})) == Values{2, 1});
}

TEST_CASE("ties share a gradient evenly, NaN propagates") {
  const Tensor x = leaf({1, 3, 3, -1, -1, 2}, {2, 3});
  const auto largest = [](const Tensor& y) { return amax(y, {1}); };
  CHECK(slope(x, largest) == Values{0, 0.5, 0.5, 0, 0, 1});
  CHECK(slope(x, [](const Tensor& y) { return amin(y, {1}); }) == Values{1, 0, 0, 0.5, 0.5, 0});
  CHECK(slope(x, [](const Tensor& y) { return norm(y, infinity, {1}); }) ==
        Values{0, 0.5, 0.5, 0, 0, 1});
  CHECK(argmax(x, 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 2});
  CHECK(argmin(x, 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{0, 0});

  const Tensor y = from_vector<double>({1, not_a_number, 7, 2, 5, 3}, {2, 3});
  for (const Tensor& result : {amax(y, {1}), amin(y, {1}), var(y, {1}), norm(y, 2, {1}),
                               norm(y, 1, {1}), norm(y, 3, {1}), norm(y, infinity, {1})}) {
    CHECK(std::isnan(values(result)[0]));
    CHECK(std::isfinite(values(result)[1]));
  }
  CHECK(argmax(y, 1).to_vector<std::int64_t>() == std::vector<std::int64_t>{1, 1});
  CHECK(argmin(y).item<std::int64_t>() == 1);
  CHECK(values(amax(from_vector<double>({-infinity, -infinity}, {2})))[0] == -infinity);
}

TEST_CASE("norms") {
  const Tensor x = leaf({3, -4, 0, 12}, {4});
  CHECK(norm(x).item() == 13);
  CHECK(norm(x, 1).item() == 19);
  CHECK(norm(x, infinity).item() == 12);
  CHECK(norm(x, 3).item() == Approx(std::cbrt(27.0 + 64 + 1728)));
  const Values g = slope(x, [](const Tensor& y) { return norm(y); });
  CHECK(g[0] == Approx(3.0 / 13));
  CHECK(g[1] == Approx(-4.0 / 13));
  const Values cubic = slope(x, [](const Tensor& y) { return norm(y, 3); });
  CHECK(cubic[1] == Approx(-16 / std::pow(1819, 2.0 / 3)));
  CHECK(cubic[2] == 0);
  const Tensor h = hessian([](const Tensor& y) { return norm(y); }, x);
  CHECK(values(h)[0] == Approx(1.0 / 13 - 9.0 / (13 * 13 * 13)));
  CHECK(values(h)[1] == Approx(12.0 / (13 * 13 * 13)));
}

TEST_CASE("norms of rows and columns of all sizes at once") {
  for (Dtype dtype : {float32, float64}) {
    const double large = dtype == float32 ? 3e38 : 1.5e308,
                 small = dtype == float32 ? 1e-44 : 1e-320;
    const double exact = dtype == float32 ? 1e-6 : 1e-12;
    const Tensor sizes =
        from_vector<double>({0, 1, large / 10, small, 3, -large / 5, 1e-30}, {7, 1});
    const Tensor x = (sizes * from_vector<double>({3, 0, -4}, {3})).to(dtype);
    const Values held = values(x);
    for (const Tensor& result : {norm(x, 2, {1}), norm(transpose(x).contiguous(), 2, {0})}) {
      for (std::size_t i = 0; i < 7; ++i) {
        CAPTURE(dtype, i);
        const double expected = std::hypot(held[3 * i], held[3 * i + 2]);
        CHECK(values(result)[i] == Approx(expected).epsilon(exact).margin(i == 3 ? 2 * small : 0));
      }
    }
    CHECK(norm(full({4}, small, {.dtype = dtype})).item() == Approx(2 * small).epsilon(0.2));
    CHECK(norm(full({4}, large, {.dtype = dtype})).item() == infinity);
    CHECK(norm(from_vector<double>({large, not_a_number}, {2}).to(dtype)).item() !=
          norm(zeros({1})).item());
  }
  CHECK(norm(zeros({300'000})).item() == 0);
  CHECK(norm(full({300'000}, 1e-30)).item() == Approx(std::sqrt(3e5) * 1e-30));
}

TEST_CASE("norms at zero, and of the largest and smallest numbers") {
  for (double p : {1.0, 1.5, 2.0, 3.0, infinity}) {
    CAPTURE(p);
    const Tensor x = leaf({0, 0, 0, 1, -2, 0}, {2, 3});
    const auto length = [p](const Tensor& y) { return norm(y, p, {1}); };
    CHECK(values(length(x))[0] == 0);
    const Values g = slope(x, length);
    CHECK(Values(g.begin(), g.begin() + 3) == Values{0, 0, 0});
    CHECK(std::isfinite(g[3]));
    CHECK(g[4] < 0);
    CHECK(values(norm(zeros({0, 3}), p, {0})) == Values{0, 0, 0});
    CHECK(norm(from_vector<double>({1, -infinity}, {2}), p).item() == infinity);

    const double count = std::isinf(p) ? 1 : std::pow(4, 1 / p);
    CHECK(norm(full({4}, -1e300, {.dtype = float64}), p).item() == Approx(count * 1e300));
    CHECK(norm(full({4}, 1e-300, {.dtype = float64}), p).item() == Approx(count * 1e-300));
    CHECK(norm(full({4}, 1e30), p).item() == Approx(count * 1e30));
    CHECK(norm(full({4, 2}, 1e-30), p, {0}).to_vector<double>()[1] == Approx(count * 1e-30));
    const Tensor tiny = full({4}, 1e-300, {.dtype = float64, .requires_grad = true});
    CHECK(slope(tiny, [p](const Tensor& y) { return norm(y, p); })[2] ==
          Approx(std::isinf(p) ? 0.25 : std::pow(4, 1 / p - 1)));
  }
}

TEST_CASE("reductions of nothing") {
  CHECK(fails_with([] { amax(zeros({2, 0, 3}), {1}); }, {"amax", "axis 1", "[2, 0, 3]"}));
  CHECK(fails_with([] { amin(zeros({0})); }, {"amin", "axis 0", "[0]"}));
  CHECK(fails_with([] { argmax(zeros({2, 0}), 1); }, {"argmax", "axis 1", "[2, 0]"}));
  CHECK(fails_with([] { argmin(zeros({0, 2})); }, {"argmin", "axis 0", "[0, 2]"}));
  CHECK(amax(zeros({0, 3}), {1}).shape() == Shape{0});
  CHECK(argmax(zeros({0, 3}), 1).shape() == Shape{0});
  CHECK(values(var(zeros({0, 3}), {1})).empty());
}

TEST_CASE("bad arguments of reductions") {
  CHECK_THROWS_AS(amax(zeros({2}), {1}), Error);
  CHECK_THROWS_AS(var(zeros({2}), {-2}), Error);
  CHECK_THROWS_AS(var(zeros({2}), {}, {.correction = infinity}), Error);
  CHECK_THROWS_AS(argmax(zeros({2}), 1), Error);
  CHECK_THROWS_AS(amax(zeros({2, 2}), {0, -2}), Error);
  CHECK(fails_with([] { norm(zeros({2}), 0.5); }, {"norm", "p >= 1", "0.5"}));
  CHECK_THROWS_AS(norm(zeros({2}), not_a_number), Error);
  CHECK_THROWS_AS(norm(Tensor()), Error);
  CHECK_THROWS_AS(amin(Tensor()), Error);
  CHECK_THROWS_AS(argmin(Tensor()), Error);
  CHECK_THROWS_AS(var(Tensor()), Error);
}

TEST_CASE("gradients of reductions in float32 are those in float64") {
  const Tensor x = sample_values({3, 5, 2}, -2, 2, 1);
  const TensorFunction functions[] = {[](const Tensor& y) {
                                        return var(y, {0, 2});
                                      },
                                      [](const Tensor& y) { return amax(y, {1}); },
                                      [](const Tensor& y) { return norm(y, 2, {-1}); },
                                      [](const Tensor& y) {
                                        return norm(y, 3, {0, 1});
                                      }};
  for (const TensorFunction& f : functions) {
    const Values exact = slope(x.requires_grad_leaf(), f);
    const Values rounded = slope(x.to(float32).requires_grad_leaf(), f);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CHECK(rounded[i] == Approx(exact[i]).margin(1e-6));
    }
  }
}
