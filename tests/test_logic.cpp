// Logic, bits, filling by a mask, special values and closeness against values worked out by hand.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/special_values.hpp>

#include <cmath>
#include <limits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

using Integers = std::vector<std::int64_t>;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t smallest = std::numeric_limits<std::int64_t>::min();

Tensor integers(const Integers& v) { return from_vector(v, {static_cast<std::int64_t>(v.size())}); }
Tensor numbers(const Values& v) { return from_vector(v, {static_cast<std::int64_t>(v.size())}); }

}  // namespace

TEST_CASE("logic of truth values") {
  const Tensor c = tensor({true, false, true, false}), d = tensor({true, true, false, false});
  CHECK(values(!c) == Values{0, 1, 0, 1});
  CHECK(values(c & d) == Values{1, 0, 0, 0});
  CHECK(values(c | d) == Values{1, 1, 1, 0});
  CHECK(values(c ^ d) == Values{0, 1, 1, 0});
  CHECK(values(~c) == Values{0, 1, 0, 1});
  CHECK((~c).dtype() == boolean);
  const Tensor square = tensor({{true, false}, {true, true}});
  CHECK(values(!transpose(square)) == Values{0, 0, 1, 0});
  CHECK((!tensor(true)).item<bool>() == false);
  CHECK((!zeros({0}, {.dtype = boolean})).numel() == 0);
  CHECK(error_of([&] { logical_and(c, Tensor()); }) == "logical_and: the tensor is undefined");
}

TEST_CASE("logic of numbers takes what is not 0 for true") {
  const Tensor x = numbers({0, -0.0, 2, not_a_number}), y = numbers({1, 0, 0, 0.5});
  CHECK(logical_and(x, y).dtype() == boolean);
  CHECK(values(logical_and(x, y)) == Values{0, 0, 0, 1});
  CHECK(values(logical_or(x, y)) == Values{1, 0, 1, 1});
  CHECK(values(logical_xor(x, y)) == Values{1, 0, 1, 0});
  CHECK(values(logical_not(x)) == Values{1, 1, 0, 0});
  CHECK(values(!tensor({0, 1, 256})) == Values{1, 0, 0});
  CHECK(values(logical_xor(tensor({{1}, {0}}), tensor({true, false}))) == Values{0, 1, 1, 0});
  check_error([] { logical_or(zeros({2}), zeros({3})); }, {"logical_or", "[2]", "[3]"});
}

TEST_CASE("bits of integers") {
  const Tensor x = integers({12, -1, smallest, 5}), y = integers({10, 255, -1, 0});
  CHECK((x & y).to_vector<std::int64_t>() == Integers{8, 255, smallest, 0});
  CHECK((x | y).to_vector<std::int64_t>() == Integers{14, -1, -1, 5});
  CHECK((x ^ y).to_vector<std::int64_t>() == Integers{6, ~255, ~smallest, 5});
  CHECK((~x).to_vector<std::int64_t>() == Integers{-13, 0, ~smallest, -6});
  const Tensor bytes = tensor({0, 1, 200}).to(uint8);
  CHECK((~bytes).dtype() == uint8);
  CHECK(values(~bytes) == Values{255, 254, 55});
  CHECK((bytes & 15).dtype() == uint8);
  CHECK(values(bytes & 15) == Values{0, 1, 8});
  CHECK((bytes | tensor({true, false, true})).dtype() == uint8);
  CHECK((bytes ^ tensor({256, 0, 0})).dtype() == int64);
  CHECK(values(bytes ^ tensor({256, 0, 0})) == Values{256, 1, 200});
  CHECK(values(tensor({{1}, {2}}) | tensor({4, 8})) == Values{5, 9, 6, 10});
  check_error([&] { bytes & 300; }, {"bitwise_and", "300", "uint8"});
  check_error([&] { x & 0.5; }, {"bitwise_and", "float32"});
  check_error([] { ~zeros({2}); }, {"bitwise_not", "float32"});
}

TEST_CASE("shifts of integers, by any number") {
  const Tensor x = integers({1, -5, smallest, 3, -5, 5, -5, 5});
  const Tensor by = integers({62, 1, 63, 64, 64, -1, -1, 100});
  constexpr std::int64_t top = std::int64_t{1} << 62;
  CHECK((x << by).to_vector<std::int64_t>() == Integers{top, -10, 0, 0, 0, 0, 0, 0});
  CHECK((x >> by).to_vector<std::int64_t>() == Integers{0, -3, -1, 0, -1, 0, -1, 0});
  const Tensor bytes = tensor({1, 129, 255, 255}).to(uint8);
  const Tensor few = tensor({7, 1, 8, 200}).to(uint8);
  CHECK((bytes << few).dtype() == uint8);
  CHECK(values(bytes << few) == Values{128, 2, 0, 0});
  CHECK(values(bytes >> few) == Values{0, 64, 0, 0});
  CHECK(values(bytes >> 1) == Values{0, 64, 127, 127});
  CHECK((tensor({true}) << 3).to_vector<std::int64_t>() == Integers{8});
  const Tensor truth = tensor({true, false});
  check_error([&] { truth << truth; }, {"bitwise_left_shift", "boolean"});
  check_error([] { zeros({1}) >> 1; }, {"bitwise_right_shift", "float32"});
}

TEST_CASE("masked_fill and its gradients") {
  const Tensor x = from_vector<double>({1, 2, 3, 4, 5, 6}, {2, 3}, {.requires_grad = true});
  const Tensor value = tensor(7.0, {.dtype = float64, .requires_grad = true});
  const Tensor mask = tensor({true, false, true});
  const Tensor y = masked_fill(x, mask, value);
  CHECK(values(y) == Values{7, 2, 7, 7, 5, 7});
  sum(y * from_vector<double>({1, 10, 100, 1000, 1e4, 1e5}, {2, 3})).backward();
  CHECK(values(x.grad()) == Values{0, 10, 0, 0, 1e4, 0});
  CHECK(value.grad().item() == 101101 - 0.0);
  CHECK(values(masked_fill(x, mask, -infinity))[0] == -infinity);
  CHECK(masked_fill(zeros({3}), mask, value).dtype() == float32);
  CHECK(masked_fill(tensor({1, 2, 3}).to(uint8), mask, 9).dtype() == uint8);
  CHECK(values(masked_fill(tensor({1, 2, 3}).to(uint8), mask, 9)) == Values{9, 2, 9});
  CHECK(values(masked_fill(mask, mask, false)) == Values{0, 0, 0});
  CHECK(masked_fill(zeros({3}), tensor({{true}, {false}}), 1).shape() == Shape{2, 3});
  CHECK(values(masked_fill(zeros({3}), mask, infinity))[0] == infinity);
  CHECK(values(masked_fill(zeros({3}, {.dtype = float64}), mask, 1e39))[0] == 1e39);
  check_error([&] { masked_fill(zeros({3}), mask, 1e39); },
              {"masked_fill:", "1e+39", "beyond float32"});
  check_error([&] { masked_fill(x, x, 1); }, {"masked_fill", "float64", "boolean"});
  check_error([&] { masked_fill(x, mask, tensor({1.5})); }, {"masked_fill", "[1]", "0-d"});
  check_error(
      [&] {
        masked_fill(tensor({1, 2, 3}), mask, 0.5);
      },
      {"masked_fill", "int64", "float64"});
  check_error(
      [&] {
        masked_fill(tensor({1, 2, 3}).to(uint8), mask, 300);
      },
      {"masked_fill", "300", "uint8"});
  check_error([&] { masked_fill(zeros({4}), mask, 1); }, {"masked_fill", "[4]", "[3]"});
}

TEST_CASE("NaN and infinities") {
  for (Dtype dtype : {float32, float64}) {
    const double tiny = dtype == float32 ? 1e-44 : 1e-320;
    const double large =
        dtype == float32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
    const Tensor x =
        numbers({0, -0.0, tiny, large, -large, infinity, -infinity, not_a_number, -not_a_number})
            .to(dtype);
    CAPTURE(dtype);
    CHECK(values(isnan(x)) == Values{0, 0, 0, 0, 0, 0, 0, 1, 1});
    CHECK(values(isinf(x)) == Values{0, 0, 0, 0, 0, 1, 1, 0, 0});
    CHECK(values(isfinite(x)) == Values{1, 1, 1, 1, 1, 0, 0, 0, 0});
    CHECK(isnan(x).dtype() == boolean);
    const Values held = values(x);
    CHECK(values(nan_to_num(x)) == Values{0, 0, held[2], large, -large, large, -large, 0, 0});
    CHECK(values(nan_to_num(x, 2, 3, 4)) == Values{0, 0, held[2], large, -large, 3, 4, 2, 2});
    const Tensor leaf = x.requires_grad_leaf();
    sum(nan_to_num(leaf, 2, 3, 4)).backward();
    CHECK(values(leaf.grad()) == Values{1, 1, 1, 1, 1, 0, 0, 0, 0});
  }
  const Tensor whole = integers({smallest, -1, 0});
  CHECK(values(isnan(whole)) == Values{0, 0, 0});
  CHECK(values(isinf(whole)) == Values{0, 0, 0});
  CHECK(values(isfinite(whole)) == Values{1, 1, 1});
  CHECK(nan_to_num(whole).dtype() == int64);
  CHECK(values(isfinite(tensor({true, false}))) == Values{1, 1});
}

TEST_CASE("closeness") {
  const Tensor x = numbers({1, 1.1, infinity, infinity, -infinity, not_a_number, 5});
  const Tensor y = numbers({1 + 1e-6, 1, infinity, 3, infinity, not_a_number, infinity});
  CHECK(values(isclose(x, y)) == Values{1, 0, 1, 0, 0, 0, 0});
  CHECK(values(isclose(x, y, 0.2, 0, true)) == Values{1, 1, 1, 0, 0, 1, 0});
  // The tolerance is relative to the second.
  CHECK(values(isclose(numbers({10, 11}), numbers({11, 10}), 0.095, 0)) == Values{1, 0});
  CHECK(values(isclose(numbers({1e-9}), numbers({0}))) == Values{1});
  CHECK(values(isclose(numbers({1e-320}), numbers({2e-320}), 0, 0)) == Values{0});
  CHECK(values(isclose(tensor({1e-44f}), tensor({3e-44f}), 0, 0)) == Values{0});
  CHECK(values(isclose(integers({100, 103}), integers({101, 101}), 0, 1)) == Values{1, 0});
  CHECK(isclose(zeros({2, 1}), zeros({3})).shape() == Shape{2, 3});
  CHECK(allclose(zeros({3}), full({3}, 1e-9)));
  CHECK_FALSE(allclose(zeros({3}), tensor({0.0, 0.0, 1.0})));
  CHECK(allclose(zeros({0}), zeros({0})));
  CHECK_FALSE(allclose(full({2}, not_a_number), full({2}, not_a_number)));
  CHECK(allclose(full({2}, not_a_number), full({2}, not_a_number), 0, 0, true));
  CHECK(array_equal(tensor({1, 2}), numbers({1, 2})));
  CHECK_FALSE(array_equal(tensor({1, 2}), tensor({{1, 2}})));
  CHECK_FALSE(array_equal(tensor({1, 2}), tensor({1, 3})));
  CHECK_FALSE(array_equal(numbers({not_a_number}), numbers({not_a_number})));
  CHECK(array_equal(numbers({not_a_number, 1}), numbers({not_a_number, 1}), true));
  CHECK_FALSE(array_equal(numbers({not_a_number, 1}), numbers({1, not_a_number}), true));
  check_error([] { isclose(zeros({1}), zeros({1}), -1); }, {"isclose", "-1"});
  check_error([] { allclose(zeros({1}), zeros({1}), 0, not_a_number); }, {"isclose", "atol"});
  check_error([] { array_equal(zeros({1}), Tensor()); }, {"array_equal", "undefined"});
}

TEST_CASE("where takes from both sides at every place of a lane") {
  for (Dtype dtype : {float32, float64, int64}) {
    for (std::int64_t n = 1; n <= 70; ++n) {
      std::vector<bool> truth;
      Values expected;
      for (std::int64_t i = 0; i < n; ++i) {
        truth.push_back((i * i + i / 3 + n) % 3 == 0);
        expected.push_back(static_cast<double>(truth.back() ? i : -i - 1));
      }
      const Tensor x = arange(static_cast<double>(n)).to(dtype);
      const Tensor mask = from_vector(std::vector<double>(truth.begin(), truth.end()), {n});
      CHECK(values(where(mask > 0.5, x, -x - 1)) == expected);
    }
  }
}
