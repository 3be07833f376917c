// The dtypes of results and the shapes of broadcasts.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>

#include <cstdint>

#include "support.hpp"

using namespace cadena;
using namespace support;
using Integers = std::vector<std::int64_t>;

TEST_CASE("promotion: tensors decide, 0-d tensors and numbers raise the category alone") {
  const auto of = [](std::initializer_list<Tensor> tensors) {
    const std::vector<Tensor> all(tensors);
    return result_dtype(all);
  };
  const auto vector = [](Dtype dtype) { return zeros({2}, {.dtype = dtype}); };
  const auto scalar = [](Dtype dtype) { return zeros({}, {.dtype = dtype}); };
  for (Dtype a : all_dtypes) {
    for (Dtype b : all_dtypes) {
      CHECK(of({vector(a), vector(b)}) == promote(a, b));
      CHECK(of({scalar(a), scalar(b)}) == promote(a, b));
    }
    CHECK(of({vector(a), Tensor(true)}) == a);
    CHECK(of({vector(a), Tensor(2)}) == (a == boolean ? int64 : a));
    CHECK(of({Tensor(2.0), vector(a)}) == (is_floating(a) ? a : float32));
    CHECK(of({scalar(a), Tensor(2.0)}) == (is_floating(a) ? a : float32));
  }
  CHECK(of({vector(float32), scalar(float64)}) == float32);
  CHECK(of({vector(int64), scalar(float64)}) == float64);
  CHECK(of({vector(uint8), scalar(int64)}) == uint8);
  CHECK(of({vector(boolean), scalar(uint8), Tensor(1)}) == uint8);
  CHECK((ones({2}) * 2.0).dtype() == float32);
  CHECK((ones({2}) * tensor(2.0, {.dtype = float64})).dtype() == float32);
  CHECK((tensor({1, 2}) + 1).dtype() == int64);
  CHECK((tensor({1, 2}) * 0.5).dtype() == float32);
  CHECK((tensor({1, 2}) / 2).dtype() == float32);
  CHECK(exp(tensor({1, 2})).dtype() == float32);
  CHECK(values(tensor({1, 2}) * 0.5) == Values{0.5, 1});
  CHECK(Tensor(2).is_number());
  CHECK_FALSE(tensor(2).is_number());
}

TEST_CASE("the promotion table is printed") {
  CHECK(promotion_table() ==
        "          boolean    uint8    int64  float32  float64\n"
        " boolean  boolean    uint8    int64  float32  float64\n"
        "   uint8    uint8    uint8    int64  float32  float64\n"
        "   int64    int64    int64    int64  float32  float64\n"
        " float32  float32  float32  float32  float32  float64\n"
        " float64  float64  float64  float64  float64  float64\n");
}

TEST_CASE("broadcasting is NumPy's, and its errors name shapes and dimension") {
  CHECK(broadcast_shapes({2, 1, 3}, {4, 1}, "f") == Shape{2, 4, 3});
  CHECK(broadcast_shapes({}, {0, 1}, "f") == Shape{0, 1});
  CHECK(broadcast_shapes({0}, {1}, "f") == Shape{0});
  const Tensor sums = tensor({{1}, {2}}) + tensor({10, 20, 30});
  CHECK(sums.shape() == Shape{2, 3});
  CHECK(sums.to_vector<std::int64_t>() == Integers{11, 21, 31, 12, 22, 32});
  const std::string text = error_of([] { ones({2, 3}) + ones({2, 4}); });
  CHECK(text == "add: shapes do not broadcast: [2, 3] and [2, 4] (dimension 1: 3 against 4)");
  CHECK_THROWS_AS(ones({0}) + ones({2}), Error);
  CHECK_THROWS_AS(tensor({true}) + tensor({true}), Error);
}
