// Printing: the exact texts.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <fmt/format.h>

#include <limits>
#include <sstream>

#include "test.hpp"

namespace {

using namespace cadena;

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

std::string text(const Tensor& x) { return to_string(x); }

}  // namespace

TEST_CASE("numbers of 0-d and 1-d tensors print with the digits that tell them") {
  CHECK(text(tensor(5.0)) == "tensor(5., dtype=float32)");
  CHECK(text(tensor(5)) == "tensor(5, dtype=int64)");
  CHECK(text(tensor(-0.125)) == "tensor(-0.125, dtype=float32)");
  CHECK(text(tensor({1, -20, 300})) == "tensor([  1, -20, 300], dtype=int64)");
  CHECK(text(tensor({1.0, 2.0})) == "tensor([1., 2.], dtype=float32)");
  CHECK(text(tensor({1.0, -2.5})) == "tensor([ 1.0, -2.5], dtype=float32)");
  CHECK(text(tensor({0.1, 0.2, 0.3})) == "tensor([0.1, 0.2, 0.3], dtype=float32)");
  CHECK(text(tensor({1.0 / 3, 100.0}, {.dtype = float64})) ==
        "tensor([  0.3333, 100.0000], dtype=float64)");
  CHECK(text(tensor({true, false})) == "tensor([ true, false], dtype=boolean)");
  CHECK(text(tensor({0, 255}, {.dtype = uint8})) == "tensor([  0, 255], dtype=uint8)");
  CHECK(text(tensor({0.0, -0.0})) == "tensor([ 0., -0.], dtype=float32)");
}

TEST_CASE("the noise of float32 does not print, the digits of float64 do") {
  CHECK(text(tensor({123456.7})) == "tensor([123456.7], dtype=float32)");
  CHECK(text(tensor({0.1 + 0.2}, {.dtype = float64})) == "tensor([0.3], dtype=float64)");
  CHECK(text(tensor({1234567.25, 0.5}, {.dtype = float64})) ==
        "tensor([1.2346e+06, 5.0000e-01], dtype=float64)");
  CHECK(text(tensor({1234567.25, 20.5}, {.dtype = float64})) ==
        "tensor([1234567.25,      20.50], dtype=float64)");
  CHECK(text(tensor(0.99999)) == "tensor(1., dtype=float32)");
}

TEST_CASE("nan and infinities stand beside numbers") {
  CHECK(text(tensor({1.0, not_a_number, infinity, -infinity})) ==
        "tensor([  1.,  nan,  inf, -inf], dtype=float32)");
  CHECK(text(tensor({0.5, not_a_number})) == "tensor([0.5, nan], dtype=float32)");
  CHECK(text(tensor(not_a_number)) == "tensor(nan, dtype=float32)");
}

TEST_CASE("very large, very small and very different numbers print in scientific notation") {
  CHECK(text(tensor({1e10, 1.0})) == "tensor([1.e+10, 1.e+00], dtype=float32)");
  CHECK(text(tensor({1.5e-7, -2.0})) == "tensor([ 1.5e-07, -2.0e+00], dtype=float32)");
  CHECK(text(tensor({1e-5})) == "tensor([1.e-05], dtype=float32)");
  CHECK(text(tensor({1e300, 1.23456789}, {.dtype = float64})) ==
        "tensor([1.0000e+300,  1.2346e+00], dtype=float64)");
  CHECK(text(tensor({0.0, 1e-10})) == "tensor([0.e+00, 1.e-10], dtype=float32)");
}

TEST_CASE("matrices and stacks of them line up") {
  CHECK(text(tensor({{1, 2}, {3, 40}})) ==
        "tensor([[ 1,  2],\n"
        "        [ 3, 40]], dtype=int64)");
  CHECK(text(tensor({{{1.5, 2.0}}, {{3.0, 4.0}}})) ==
        "tensor([[[1.5, 2.0]],\n"
        "\n"
        "        [[3.0, 4.0]]], dtype=float32)");
  CHECK(text(transpose(tensor({{1, 2}, {3, 4}}))) ==
        "tensor([[1, 3],\n"
        "        [2, 4]], dtype=int64)");
  CHECK(text(tensor({{{{1}}}})) == "tensor([[[[1]]]], dtype=int64)");
}

TEST_CASE("empty tensors print their shape") {
  CHECK(text(zeros({0})) == "tensor([], shape=[0], dtype=float32)");
  CHECK(text(zeros({2, 0}, {.dtype = int64})) == "tensor([], shape=[2, 0], dtype=int64)");
  CHECK(text(zeros({std::int64_t{1} << 40, 0})) ==
        "tensor([], shape=[1099511627776, 0], dtype=float32)");
}

TEST_CASE("the place in a graph is told") {
  const Tensor x = tensor({1.0}, {.requires_grad = true});
  CHECK(text(x) == "tensor([1.], dtype=float32, requires_grad)");
  CHECK(text(exp(x * 0.0)) == "tensor([1.], dtype=float32, grad of exp)");
  CHECK(text(x.detach()) == "tensor([1.], dtype=float32)");
}

TEST_CASE("long tensors are shortened") {
  CHECK(text(arange(1001)) ==
        "tensor([   0,    1,    2, ...,  998,  999, 1000], shape=[1001], dtype=int64)");
  CHECK(text(reshape(arange(2000), {2, 1000})) ==
        "tensor([[   0,    1,    2, ...,  997,  998,  999],\n"
        "        [1000, 1001, 1002, ..., 1997, 1998, 1999]], shape=[2, 1000], dtype=int64)");
  CHECK(text(reshape(arange(3000), {1000, 3})) ==
        "tensor([[   0,    1,    2],\n"
        "        [   3,    4,    5],\n"
        "        [   6,    7,    8],\n"
        "        ...,\n"
        "        [2991, 2992, 2993],\n"
        "        [2994, 2995, 2996],\n"
        "        [2997, 2998, 2999]], shape=[1000, 3], dtype=int64)");
  CHECK(text(arange(1000)).find("...") == std::string::npos);
}

TEST_CASE("lines wrap at 79 columns under their first number") {
  CHECK(text(arange(30)) ==
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29], dtype=int64)");
  CHECK(text(reshape(arange(50), {2, 25})) ==
        "tensor([[ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "         18, 19, 20, 21, 22, 23, 24],\n"
        "        [25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,\n"
        "         43, 44, 45, 46, 47, 48, 49]], dtype=int64)");
  for (std::int64_t n : {1, 17, 100, 999}) {
    std::istringstream lines(text(arange(static_cast<double>(n)) * 0.37));
    std::string line;
    while (std::getline(lines, line)) {
      CHECK((line.size() <= 79 || line.find("dtype") != std::string::npos));
    }
  }
}

TEST_CASE("fmt and iostream print alike") {
  const Tensor x = tensor({{1.0, 2.0}});
  std::ostringstream stream;
  stream << x;
  CHECK(stream.str() == text(x));
  CHECK(fmt::format("{}", x) == text(x));
  CHECK(fmt::format("{}", x.shape()) == "[1, 2]");
  CHECK(to_string(Shape{}) == "[]");
}
