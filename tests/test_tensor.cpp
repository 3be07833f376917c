// Tensors: creation, access, conversion, and what is refused.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <sstream>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;
using Integers = std::vector<std::int64_t>;

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_CASE("tensor: one pair of braces a dimension, one element or none included") {
  CHECK(tensor(5).shape() == Shape{});
  CHECK(tensor({5}).shape() == Shape{1});
  CHECK(tensor({{5}}).shape() == Shape{1, 1});
  CHECK(tensor({{{5.0}}}).shape() == Shape{1, 1, 1});
  CHECK(tensor({}).shape() == Shape{0});
  CHECK(tensor({{}, {}}).shape() == Shape{2, 0});
  CHECK(tensor({{1}, {2}, {3}}).shape() == Shape{3, 1});
  const Tensor x = tensor({{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}});
  CHECK(x.shape() == Shape{2, 2, 2});
  CHECK(x.to_vector<std::int64_t>() == Integers{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(tensor({{{{{{{{1, 2}}}}}}}}).shape() == Shape{1, 1, 1, 1, 1, 1, 1, 2});
}

TEST_CASE("tensor: the dtype follows from the numbers") {
  CHECK(tensor({1, 2}).dtype() == int64);
  CHECK(tensor(7).dtype() == int64);
  CHECK(tensor({true, false}).dtype() == boolean);
  CHECK(tensor({1.0, 2.0}).dtype() == float32);
  CHECK(tensor({1, 2.5}).dtype() == float32);
  CHECK(tensor({true, 2}).dtype() == float32);
  CHECK(tensor({}).dtype() == float32);
  CHECK(tensor({1, 2}, {.dtype = float64}).dtype() == float64);
  CHECK(tensor({0, 2}, {.dtype = boolean}).to_vector<bool>() == std::vector<bool>{false, true});
  const std::int64_t large = (std::int64_t{1} << 62) + 1;  // not a double
  CHECK(tensor({large}).item<std::int64_t>() == large);
  CHECK(values(tensor({0.1}, {.dtype = float64})) == Values{0.1});
  CHECK_FALSE(tensor({1.0}).requires_grad());
  CHECK(tensor({1.0}, {.requires_grad = true}).requires_grad());
  CHECK(contains(error_of([] { tensor({1}, {.requires_grad = true}); }), "int64 [1]"));
}

TEST_CASE("tensor: ragged braces and too many dimensions are refused") {
  CHECK(contains(error_of([] { tensor({{1, 2}, {3}}); }), "ragged"));
  CHECK(contains(error_of([] { tensor({{1, 2}, {3}}); }), "expected 2 values"));
  CHECK(contains(error_of([] { tensor({{1, 2}, 3}); }), "got a number"));
  CHECK(contains(error_of([] { tensor({1, {2, 3}}); }), "expected a number"));
  CHECK(contains(error_of([] { tensor({{}, {1}}); }), "ragged"));
  CHECK(contains(error_of([] { tensor({{{{{{{{{1}}}}}}}}}); }), "at most 8 dimensions"));
}

TEST_CASE("from_span and from_vector copy") {
  std::vector<float> numbers{1, 2, 3, 4, 5, 6};
  const Tensor x = from_span<float>(numbers, {2, 3});
  numbers[0] = 100;
  CHECK(values(x) == Values{1, 2, 3, 4, 5, 6});
  CHECK(x.dtype() == float32);
  CHECK(from_vector<double>({1, 2}, {2}, {.dtype = float32}).dtype() == float32);
  CHECK(from_vector(std::vector<bool>{true, false}, {2}).dtype() == boolean);
  CHECK(from_vector<std::uint8_t>({}, {0, 3}).shape() == Shape{0, 3});
  const Tensor leaf = from_vector<double>({1}, {1}, {.dtype = float32, .requires_grad = true});
  CHECK(leaf.requires_grad());
  CHECK(leaf.is_leaf());
  CHECK(contains(error_of([&] { from_span<float>(numbers, {2, 4}); }), "8 elements, the span 6"));
  CHECK(contains(error_of([&] { from_span<float>(numbers, {-2, -3}); }), "at least 0"));
}

TEST_CASE("adopt: no copy, the deleter once, after the last holder") {
  double memory[4] = {1, 2, 3, 4};
  int deleted = 0;
  {
    Tensor view;
    {
      const Tensor x = adopt<double>(memory, {2, 2}, [&](double* p) {
        CHECK(p == memory);
        ++deleted;
      });
      CHECK(x.data<double>().data() == memory);
      const Tensor shared = x;
      view = transpose(x);
    }
    CHECK(deleted == 0);
    CHECK(values(view) == Values{1, 3, 2, 4});
  }
  CHECK(deleted == 1);
  CHECK(values(adopt<double>(memory, {4}, nullptr)) == Values{1, 2, 3, 4});
  std::int64_t integers[1] = {1};
  const auto count = [&](auto*) { ++deleted; };
  CHECK_THROWS_AS(adopt<double>(nullptr, {1}, count), Error);
  CHECK_THROWS_AS(adopt<double>(memory, {-1}, count), Error);
  CHECK_THROWS_AS(adopt<double>(memory, {1}, count, {.dtype = float32}), Error);
  CHECK_THROWS_AS(adopt<std::int64_t>(integers, {1}, count, {.requires_grad = true}), Error);
  CHECK(deleted == 1);  // an Error leaves the memory with the caller
  CHECK(adopt<double>(nullptr, {0, 3}, nullptr).numel() == 0);
}

TEST_CASE("constant tensors") {
  CHECK(values(zeros({2, 2})) == Values(4, 0));
  CHECK(zeros({2}).dtype() == float32);
  CHECK(values(ones({3}, {.dtype = uint8})) == Values(3, 1));
  CHECK(values(full({2}, 2.5)) == Values(2, 2.5));
  CHECK(full({}, 2.5).item() == 2.5);
  const Tensor x = ones({2, 3}, {.dtype = int64});
  for (const Tensor& like : {zeros_like(x), ones_like(x), full_like(x, 7)}) {
    CHECK(like.shape() == x.shape());
    CHECK(like.dtype() == int64);
  }
  CHECK(full_like(x, 7).to_vector<std::int64_t>() == Integers(6, 7));
  CHECK_FALSE(zeros_like(ones({1}, {.requires_grad = true})).requires_grad());
  CHECK_THROWS_AS(zeros({2, -1}), Error);
}

TEST_CASE("arange and linspace") {
  CHECK(arange(4).to_vector<std::int64_t>() == Integers{0, 1, 2, 3});
  CHECK(arange(5, 0, -2).to_vector<std::int64_t>() == Integers{5, 3, 1});
  CHECK(arange(0, 1, 0.25).dtype() == float32);
  CHECK(values(arange(0, 1, 0.25)) == Values{0, 0.25, 0.5, 0.75});
  CHECK(arange(3, {.dtype = float64}).dtype() == float64);
  CHECK(arange(3, 1).numel() == 0);
  CHECK(arange(0, 1, 0.1, {.dtype = float64}).to_vector<double>()[7] == 7 * 0.1);
  for (const double step : {0.0, not_a_number}) {
    CHECK_THROWS_AS(arange(0, 1, step), Error);
  }
  CHECK_THROWS_AS(arange(0, infinity), Error);
  CHECK_THROWS_AS(arange(0, 1e15), Error);
  const Values line = values(linspace(-1, 0.1, 12, {.dtype = float64}));
  CHECK(line.size() == 12);
  CHECK(line.front() == -1);
  CHECK(line.back() == 0.1);
  CHECK(values(linspace(3, 9, 1)) == Values{3});
  CHECK(linspace(0, 1, 0).numel() == 0);
  CHECK_THROWS_AS(linspace(0, 1, -1), Error);
}

TEST_CASE("eye and one_hot") {
  CHECK(values(eye(2)) == Values{1, 0, 0, 1});
  CHECK(values(eye(2, 3)) == Values{1, 0, 0, 0, 1, 0});
  CHECK(eye(3, 0).shape() == Shape{3, 0});
  CHECK(eye(2, {}, {.dtype = int64}).dtype() == int64);
  CHECK_THROWS_AS(eye(-1), Error);
  const Tensor rows = one_hot(tensor({{2}, {0}}), 3);
  CHECK(rows.shape() == Shape{2, 1, 3});
  CHECK(values(rows) == Values{0, 0, 1, 1, 0, 0});
  CHECK(one_hot(tensor(1), 2).shape() == Shape{2});
  CHECK(one_hot(tensor({1}, {.dtype = uint8}), 2, {.dtype = boolean}).dtype() == boolean);
  CHECK(contains(error_of([] { one_hot(tensor({0, 3}), 3); }), "label 3 (element 1)"));
  CHECK_THROWS_AS(one_hot(tensor({-1}), 3), Error);
  CHECK_THROWS_AS(one_hot(tensor({1.0}), 3), Error);
  CHECK_THROWS_AS(one_hot(zeros({0}, {.dtype = int64}), -1), Error);
}

TEST_CASE("values are read as any type, in place only as their own") {
  const Tensor x = tensor({{1.5, 2.5}, {3.5, -4.5}});
  CHECK(x.to_vector<std::int64_t>() == Integers{1, 2, 3, -4});
  CHECK(x.data<float>()[3] == -4.5f);
  CHECK(x.data<float>().size() == 4);
  CHECK(tensor({2.75}).item() == 2.75);
  CHECK(tensor({2.75}).item<std::int64_t>() == 2);
  CHECK(tensor({0.25}).item<bool>());
  CHECK(contains(error_of([&] { x.item(); }), "shape [2, 2]"));
  CHECK_THROWS_AS(zeros({0}).item(), Error);
  CHECK(contains(error_of([&] { (void)x.data<double>(); }), "holds float32, asked for float64"));
  const Tensor view = transpose(x);
  CHECK_FALSE(view.is_contiguous());
  CHECK(values(view) == Values{1.5, 3.5, 2.5, -4.5});
  CHECK(view.strides() == Strides{1, 2});
  CHECK(view[1][0].item() == 2.5);
  CHECK(view[-1].to_vector<float>() == std::vector<float>{2.5f, -4.5f});
  CHECK(contains(error_of([&] { (void)view.data<float>(); }), "strided view"));
  CHECK(view.contiguous().data<float>()[1] == 3.5f);
  CHECK(values(expand(tensor({7}), {2, 3})) == Values(6, 7));
  CHECK(values(slice(arange(10), 0, 1, 9, 3)) == Values{1, 4, 7});
  CHECK(values(slice(transpose(reshape(arange(12), {3, 4})), 0, 1, {}, 2)) ==
        Values{1, 5, 9, 3, 7, 11});
  CHECK(x.size(-1) == 2);
  CHECK_THROWS_AS(x.size(2), Error);
  CHECK_THROWS_AS(x[2], Error);
  CHECK_THROWS_AS(tensor(1.0)[0], Error);
}

TEST_CASE("numbers out of range are read and converted in one way") {
  const Tensor odd =
      tensor({not_a_number, infinity, -infinity, 1e30, -1.9, 300.7}, {.dtype = float64});
  const std::int64_t low = std::numeric_limits<std::int64_t>::min(),
                     high = std::numeric_limits<std::int64_t>::max();
  const Integers expected{0, high, low, high, -1, 300};
  CHECK(odd.to(int64).to_vector<std::int64_t>() == expected);
  CHECK(odd.to_vector<std::int64_t>() == expected);
  CHECK(odd.to(uint8).to_vector<std::int64_t>() == Integers{0, 255, 0, 255, 0, 255});
  CHECK(odd[0].item<std::int64_t>() == 0);
  CHECK(odd[2].item<std::uint8_t>() == 0);
  CHECK(odd.to(boolean).to_vector<bool>() == std::vector<bool>(6, true));
  CHECK(std::isinf(tensor({1e300}, {.dtype = float64}).to(float32).item()));
  CHECK(tensor({true, false}).to(float32).to_vector<float>() == std::vector<float>{1, 0});
  CHECK(tensor({1.0}).to(float32).data<float>().data() != nullptr);
  const Tensor x = tensor({1.0});
  CHECK(x.to(float32).impl() == x.impl());
}

TEST_CASE("undefined tensors are refused everywhere") {
  const Tensor none, one = tensor({1.0});
  CHECK_FALSE(none.defined());
  CHECK_FALSE(none.requires_grad());
  CHECK(to_string(none) == "tensor(undefined)");
  const std::function<void()> uses[] = {
      [&] { none.shape(); },
      [&] { none.dtype(); },
      [&] { none.numel(); },
      [&] { none.dim(); },
      [&] { none.size(0); },
      [&] { none.strides(); },
      [&] { none.is_contiguous(); },
      [&] { none.item(); },
      [&] { none.to_vector<float>(); },
      [&] { (void)none.data<float>(); },
      [&] { none.to(float64); },
      [&] { none.contiguous(); },
      [&] { none[0]; },
      [&] { none.grad(); },
      [&] { none.zero_grad(); },
      [&] { none.detach(); },
      [&] { none.requires_grad_leaf(); },
      [&] { none.backward(); },
      [&] { grad(none, {one.requires_grad_leaf()}); },
      [&] { grad(one.requires_grad_leaf(), {none}); },
      [&] { none + one; },
      [&] { one* none; },
      [&] { exp(none); },
      [&] { static_cast<void>(none < one); },
      [&] { where(none, one, one); },
      [&] { sum(none); },
      [&] { reshape(none, {1}); },
      [&] { expand(none, {1}); },
      [&] { zeros_like(none); },
      [&] { one_hot(none, 2); },
      [&] { register_hook(none, [](const Tensor&) { return Tensor(); }).remove(); },
      [&] {
        std::array both{none, one};
        result_dtype(both);
      },
  };
  int index = 0;
  for (const auto& use : uses) {
    INFO("use " << index++);
    CHECK(contains(error_of(use), "undefined"));
  }
}

TEST_CASE("0-d, zero-size and eight-dimensional tensors compute") {
  CHECK((tensor(2.0) * tensor(3.0)).item() == 6);
  CHECK(tensor(2.0).shape() == Shape{});
  CHECK(sum(zeros({0, 3})).item() == 0);
  CHECK((zeros({0, 3}) + ones({3})).shape() == Shape{0, 3});
  CHECK((zeros({2, 0}) * ones({2, 1})).shape() == Shape{2, 0});
  const Shape eight{2, 1, 2, 1, 2, 1, 2, 3};
  const Tensor x = reshape(arange(48, {.dtype = float64}), eight);
  const Tensor y = permute(x, {7, 6, 5, 4, 3, 2, 1, 0}) + 1;
  CHECK(y.shape() == Shape{3, 2, 1, 2, 1, 2, 1, 2});
  CHECK(sum(y).item() == 47 * 24 + 48);
  CHECK(values(permute(y, {7, 6, 5, 4, 3, 2, 1, 0})) == values(x + 1));
  CHECK(contains(error_of([&] { unsqueeze(x, 0); }), "at most 8 dimensions, got 9"));
  CHECK_THROWS_AS(zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
  CHECK_THROWS_AS(reshape(x, {48, 1, 1, 1, 1, 1, 1, 1, 1}), Error);
}

TEST_CASE("shapes that overflow, and memory that is not there, are Errors") {
  const std::int64_t big = std::int64_t{1} << 40;
  CHECK(contains(error_of([=] { zeros({big, big}); }), "2^56"));
  CHECK(contains(error_of([=] { zeros({big, 0, big}); }), "2^56"));
  CHECK_THROWS_AS(full({big, big, big}, 1), Error);
  CHECK_THROWS_AS(eye(big), Error);
  CHECK_THROWS_AS(linspace(0, 1, std::int64_t{1} << 60), Error);
  CHECK_THROWS_AS(randn({big, big}), Error);
  CHECK_THROWS_AS(one_hot(zeros({1}, {.dtype = int64}), std::int64_t{1} << 60), Error);
  CHECK_THROWS_AS(expand(ones({1}), {big, big}), Error);
  CHECK_THROWS_AS(reshape(ones({1}), {big, big}), Error);
  CHECK_THROWS_AS(reshape(zeros({0}), {big, big, 0}), Error);
  const Tensor row = expand(ones({1}), {big});
  CHECK_THROWS_AS(unsqueeze(row, 1) + row, Error);                   // the broadcast shape
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these end the program
  const std::int64_t petabytes = std::int64_t{1} << 55;
  CHECK(contains(error_of([=] { zeros({petabytes}, {.dtype = float64}); }), "bytes"));
#endif
}

static_assert(!std::is_assignable_v<Tensor&&, Tensor>);  // x[0] = y would be lost

TEST_CASE("what a dtype does not hold is refused") {
  const TensorOptions byte{.dtype = uint8}, whole{.dtype = int64};
  CHECK(error_of([=] { tensor({300, -1}, byte); }) == "tensor: 300 is outside of what uint8 holds");
  CHECK_THROWS_AS(tensor({256.0}, byte), Error);
  CHECK_THROWS_AS(full({2}, 300, byte), Error);
  CHECK_THROWS_AS(full({2}, NAN, whole), Error);
  CHECK_THROWS_AS(full({2}, 0x1p63, whole), Error);
  CHECK(full({1}, -0x1p63, whole).item<std::int64_t>() == std::numeric_limits<std::int64_t>::min());
  CHECK(full({1}, (std::int64_t{1} << 53) + 1, whole).item<std::int64_t>() ==
        (std::int64_t{1} << 53) + 1);
  CHECK(full({2}, tensor(2.5)).to_vector<float>() == std::vector<float>{2.5, 2.5});
  CHECK_THROWS_AS(full({2}, tensor({1.0, 2.0})), Error);
  CHECK_THROWS_AS(full_like(zeros({1}, byte), 256), Error);
  CHECK_THROWS_AS(arange(250, 260, 1, byte), Error);
  CHECK_THROWS_AS(arange(0x1p53, 0x1p53 + 4), Error);
  CHECK_THROWS_AS(randint(0, 300, {4}, byte), Error);
  CHECK_THROWS_AS(randperm(300, byte), Error);
  CHECK_THROWS_AS(Tensor(std::numeric_limits<std::uint64_t>::max()), Error);
  CHECK_THROWS_AS(linspace(0, INFINITY, 3), Error);
  CHECK(linspace(-1e308, 1e308, 3, {.dtype = float64}).to_vector<double>() ==
        std::vector<double>{-1e308, 0, 1e308});
  CHECK(contains(error_of([] { one_hot(tensor({0}), -1); }), "at least 0 classes"));
}

TEST_CASE("one integer stands for a shape or an axis") {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}});
  CHECK(sum(x, 1).to_vector<float>() == std::vector<float>{3, 7});
  CHECK(zeros(3).shape() == Shape{3});
  CHECK(reshape(x, -1).shape() == Shape{4});
  static_assert(!std::is_convertible_v<bool, Axes>);
}

TEST_CASE("dtypes and shapes print by fmt and iostream") {
  std::ostringstream stream;
  stream << float32 << " " << Shape{2, 3};
  CHECK(stream.str() == "float32 [2, 3]");
  CHECK(fmt::format("{:>8} {:<8}|", int64, Shape{2, 3}) == "   int64 [2, 3]  |");
  CHECK(unravel(7, {2, 3, 2}) == Shape{1, 0, 1});
}
