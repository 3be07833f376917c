#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <limits>

using namespace cadena;
using namespace support;

TEST_CASE("slice takes a part of an axis as Python does") {
  const Tensor x = arange(10);
  CHECK(values(slice(x, 0, 2, 5)) == Values{2, 3, 4});
  CHECK(values(slice(x, 0, -3)) == Values{7, 8, 9});
  CHECK(values(slice(x, 0, {}, -8)) == Values{0, 1});
  CHECK(values(slice(x, 0, 1, 100, 4)) == Values{1, 5, 9});
  CHECK(values(slice(x, 0, -100, 2)) == Values{0, 1});
  CHECK(slice(x, 0, 5, 2).shape() == Shape{0});
  CHECK(slice(x, 0, 100, 200).shape() == Shape{0});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t least = std::numeric_limits<std::int64_t>::min();
  CHECK(values(slice(x, 0, least, most, most)) == Values{0});
  CHECK(slice(x, 0, most, least).shape() == Shape{0});

  const Tensor y = reshape(arange(24), {2, 3, 4});
  const Tensor part = slice(y, -1, 1, {}, 2);
  CHECK(part.shape() == Shape{2, 3, 2});
  CHECK(values(part) == Values{1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23});
  CHECK(part.strides() == Strides{12, 4, 2});
  CHECK(values(slice(transpose(y, 0, 2), 0, 3)) == Values{3, 15, 7, 19, 11, 23});
  CHECK(slice(y, 1, 0, 3).impl() == y.impl());
  CHECK(slice(zeros({0, 3}), 0, 1).shape() == Shape{0, 3});
}

TEST_CASE("a slice shares memory") {
  const Tensor x = arange(10, {.dtype = float32});
  CHECK(slice(x, 0, 3).data<float>().data() == x.data<float>().data() + 3);
  CHECK(x[4].item() == 4);
  CHECK(select(x, 0, -1).data<float>().data() == x.data<float>().data() + 9);
}

TEST_CASE("slice and select refuse what they cannot do") {
  const Tensor x = zeros({2, 3});
  CHECK(error_of([&] { slice(x, 2, 0); }) ==
        "slice: axis 2 is outside [-2, 2) of a tensor with 2 dimensions");
  CHECK(error_of([&] { slice(x, 0, 0, 2, 0); }) == "slice: expected a step of at least 1, got 0");
  CHECK(error_of([&] { slice(x, 0, {}, {}, -1); }) ==
        "slice: expected a step of at least 1, got -1; flip reverses an axis, index takes "
        "Slice{start, stop, step} backwards");
  CHECK(error_of([] { slice(Tensor(), 0, 0); }) == "slice: the tensor is undefined");
  CHECK(error_of([] { slice(1.0, 0, 0); }).find("axis 0") != std::string::npos);
  CHECK(error_of([&] { select(x, 1, 3); }) ==
        "select: index 3 is outside [-3, 3) of axis 1 of shape [2, 3]");
  CHECK(error_of([&] { select(x, 1, -4); }).find("index -4") != std::string::npos);
  CHECK(error_of([] { zeros({})[0]; }).find("axis 0") != std::string::npos);
  CHECK(error_of([] { select(zeros({0}), 0, 0); }).find("outside [0, 0)") != std::string::npos);
}

TEST_CASE("select removes its axis") {
  const Tensor x = reshape(arange(24), {2, 3, 4});
  CHECK(select(x, 1, 2).shape() == Shape{2, 4});
  CHECK(values(select(x, 1, 2)) == Values{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(values(select(x, -1, -4)) == Values{0, 4, 8, 12, 16, 20});
  CHECK(x[1][2][3].item<std::int64_t>() == 23);
  CHECK(x[1][2][3].shape() == Shape{});
}

TEST_CASE("pad puts a value around a tensor") {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}});
  CHECK(values(pad(x, {{1, 0}, {0, 2}})) == Values{0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0});
  CHECK(values(pad(transpose(x), {{0, 1}, {1, 0}}, 9)) == Values{9, 1, 3, 9, 2, 4, 9, 9, 9});
  CHECK(pad(x, {{0, 0}, {0, 0}}).impl() == x.impl());
  CHECK(pad(tensor(3.0), {}).item() == 3);
  CHECK(values(pad(zeros({0}), {{1, 2}}, 7)) == Values{7, 7, 7});
  CHECK(pad(zeros({0, 2}), {{0, 0}, {1, 1}}).shape() == Shape{0, 4});
  const Values line = values(pad(arange(100000, {.dtype = float32}), {{2, 3}}));
  CHECK(line.size() == 100005);
  CHECK(line[1] == 0);
  CHECK(line[2 + 77777] == 77777);

  CHECK(error_of([&] {
          pad(x, {{1, 1}});
        }) == "pad: 1 pairs of widths for a tensor of shape [2, 2], expected one a dimension");
  CHECK(error_of([&] {
          pad(x, {{0, 0}, {-1, 0}});
        }) == "pad: widths -1 and 0 of axis 1: expected 0 to 2^56");
  CHECK(error_of([&] {
          pad(x, {{1LL << 50, 0}, {1 << 10, 0}});
        }).find("2^56") != std::string::npos);
  CHECK(error_of([] { pad(arange(3), {{1, 1}}, 0.5); }) == "pad: 0.5 is not a value of int64");
  CHECK(error_of([] {
          pad(zeros({1}, {.dtype = uint8}), {{1, 1}}, 256);
        }).find("uint8") != std::string::npos);
  CHECK(error_of([] { pad(Tensor(), {}); }) == "pad: the tensor is undefined");
}
