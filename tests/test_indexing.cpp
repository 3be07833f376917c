#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <limits>
#include <random>

using namespace cadena;
using namespace support;

namespace {

Tensor indices(const std::vector<std::int64_t>& given) {
  return from_vector(given, {static_cast<std::int64_t>(given.size())});
}

Tensor random_indices(const Shape& shape, std::int64_t size) {
  std::mt19937_64 engine(7);
  std::vector<std::int64_t> result(static_cast<std::size_t>(numel(shape)));
  for (std::int64_t& index : result) {
    index = static_cast<std::int64_t>(engine() % static_cast<std::uint64_t>(size));
  }
  return from_vector(result, shape);
}

/// The result with 1, 2 and 8 threads must have the same bits.
template <class F> void check_threads(F&& f) {
  const int before = threads();
  std::vector<std::vector<float>> results;
  for (int n : {1, 2, 8, 8}) {
    set_threads(n);
    results.push_back(f().template to_vector<float>());
  }
  set_threads(before);
  for (const std::vector<float>& result : results) {
    CHECK(result == results[0]);
  }
}

}  // namespace

TEST_CASE("data of every dtype can be moved") {
  for (Dtype dtype : all_dtypes) {
    INFO(name(dtype));
    const Tensor x = tensor({{0.0, 1.0, 1.0}, {1.0, 0.0, 1.0}}).to(dtype);
    const Tensor rows = indices({1, 1, 0});
    const auto check = [&](const Tensor& result, const Values& expected) {
      CHECK(result.dtype() == dtype);
      CHECK(values(result) == expected);
    };
    check(slice(x, 1, 0, {}, 2), {0, 1, 1, 1});
    check(x[1], {1, 0, 1});
    check(pad(x, {{0, 0}, {1, 0}}, 1), {1, 0, 1, 1, 1, 1, 0, 1});
    check(index_select(x, 0, rows), {1, 0, 1, 1, 0, 1, 0, 1, 1});
    check(index_select(transpose(x), 1, rows), {1, 1, 0, 0, 0, 1, 1, 1, 1});
    check(gather(x, 1, tensor({{0, 0}, {1, 2}})), {0, 0, 0, 1});
    check(cat({x, slice(x, 1, 0, 1)}, 1), {0, 1, 1, 0, 1, 0, 1, 1});
    check(stack({x[0], x[1]}, 1), {0, 1, 1, 0, 1, 1});
    check(split(x, 2, 1)[1], {1, 1});
  }
}

TEST_CASE("index_select and gather take elements") {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}});
  CHECK(values(index_select(x, 0, indices({2, 0, 2}))) == Values{5, 6, 1, 2, 5, 6});
  CHECK(values(index_select(x, -1, indices({1}))) == Values{2, 4, 6});
  CHECK(index_select(x, 0, indices({})).shape() == Shape{0, 2});
  CHECK(index_select(x, 0, Tensor(1)).shape() == Shape{1, 2});
  CHECK(index_select(zeros({3, 0}), 0, indices({1})).shape() == Shape{1, 0});
  CHECK(values(index_select(x, 0, slice(indices({0, 9, 2, 9}), 0, 0, {}, 2))) ==
        Values{1, 2, 5, 6});

  CHECK(values(gather(x, 0, tensor({{2, 0}, {0, 1}}))) == Values{5, 2, 1, 4});
  CHECK(values(gather(x, 1, tensor({{1, 1, 0}}))) == Values{2, 2, 1});
  CHECK(values(gather(transpose(x), 1, tensor({{2}, {0}}))) == Values{5, 2});
  CHECK(values(gather(x, 0, expand(tensor({{1}}), {4, 2}))) == Values{3, 4, 3, 4, 3, 4, 3, 4});
  CHECK(gather(tensor(3.0), 0, tensor(0)).shape() == Shape{});
  CHECK(gather(x, 0, zeros({0, 2}, {.dtype = int64})).shape() == Shape{0, 2});
  CHECK(gather(zeros({3, 0}), 0, zeros({3, 0}, {.dtype = int64})).shape() == Shape{3, 0});
}

TEST_CASE("large gathers agree with element by element") {
  const Tensor x = sample_values({70, 90, 3}, -1, 1);
  for (int axis = 0; axis < 3; ++axis) {
    Shape shape{60, 80, 3};
    shape[axis] = 50;
    const Tensor index = random_indices(shape, x.size(axis));
    const Values from = values(x), got = values(gather(x, axis, index));
    const std::vector<std::int64_t> at = index.to_vector<std::int64_t>();
    bool same = true;
    std::size_t p = 0;
    for (std::int64_t i = 0; i < shape[0]; ++i) {
      for (std::int64_t j = 0; j < shape[1]; ++j) {
        for (std::int64_t k = 0; k < shape[2]; ++k, ++p) {
          Dims place{i, j, k};
          place[axis] = at[p];
          same =
              same &&
              got[p] == from[static_cast<std::size_t>((place[0] * 90 + place[1]) * 3 + place[2])];
        }
      }
    }
    CHECK(same);
  }
}

TEST_CASE("scatter_add and index_add sum repeated indices") {
  const Tensor x = ones({2, 3});
  const Tensor source = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}, {7.0, 8.0, 9.0}});
  CHECK(values(scatter_add(x, 0, tensor({{0, 1, 1}, {0, 0, 1}}), source)) ==
        Values{6, 6, 1, 1, 3, 10});
  CHECK(values(scatter_add(x, 1, tensor({{2, 2}}), source)) == Values{1, 1, 4, 1, 1, 1});
  CHECK(values(scatter_add(x, 0, tensor({{1}, {1}}), transpose(source))) ==
        Values{1, 1, 1, 4, 1, 1});
  CHECK(values(index_add(x, 0, indices({1, 1, 1}), source)) == Values{1, 1, 1, 13, 16, 19});
  CHECK(values(index_add(zeros({3, 1}), 1, indices({0, 0, 0}), source)) == Values{6, 15, 24});
  CHECK(values(index_add(x, 1, Tensor(0), ones({2, 1}))) == Values{2, 1, 1, 2, 1, 1});
  CHECK(scatter_add(tensor(1.0), 0, tensor(0), tensor(2.0)).item() == 3);
  CHECK(values(scatter_add(x, 0, zeros({0, 3}, {.dtype = int64}), source)) == Values(6, 1));
  CHECK(index_add(zeros({0, 2}), 0, indices({}), zeros({0, 2})).shape() == Shape{0, 2});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  CHECK(index_add(indices({most}), 0, indices({0}), indices({1})).item<std::int64_t>() ==
        std::numeric_limits<std::int64_t>::min());
  CHECK(values(x) == Values(6, 1));  // values never change
}

TEST_CASE("indices are checked") {
  const Tensor x = zeros({5, 3});
  CHECK(error_of([&] {
          index_select(x, 0, indices({0, 4, 5, -1}));
        }) == "index_select: index 5 at position [2] is outside [0, 5) of axis 0 of shape [5, 3]");
  CHECK(error_of([&] {
          gather(x, 1, tensor({{0, 1}, {2, -1}}));
        }) == "gather: index -1 at position [1, 1] is outside [0, 3) of axis 1 of shape [5, 3]");
  CHECK(error_of([&] {
          gather(x, 0, expand(tensor({{1}, {5}}), {2, 3}));
        }).find("index 5 at position [1, 0]") != std::string::npos);
  CHECK(error_of([&] {
          scatter_add(x, 0, tensor({{0, 7}}), ones({1, 2}));
        }).find("scatter_add: index 7 at position [0, 1]") == 0);
  CHECK(error_of([&] {
          index_add(x, 0, indices({9}), ones({1, 3}));
        }).find("index_add: index 9") == 0);
  CHECK(error_of([] {
          index_select(zeros({0, 2}), 0, indices({0}));
        }).find("outside [0, 0)") != std::string::npos);
  std::vector<std::int64_t> many(200000, 1);
  many[123456] = 77;
  many[150000] = -3;
  CHECK(error_of([&] {
          index_select(x, 0, indices(many));
        }).find("index 77 at position [123456]") != std::string::npos);
}

TEST_CASE("gather and its kin refuse what does not fit") {
  const Tensor x = zeros({5, 3}), i = zeros({2, 3}, {.dtype = int64});
  CHECK(error_of([&] { index_select(x, 0, zeros({2})); }) ==
        "index_select: indices are float32, expected int64");
  CHECK(error_of([&] { index_select(x, 0, i); }) ==
        "index_select: indices have shape [2, 3], expected one dimension; flatten them and reshape "
        "the result");
  CHECK(error_of([&] { index_select(x, 0, Tensor()); }) ==
        "index_select: the tensor of indices is undefined");
  CHECK(error_of([&] { index_select(x, 2, indices({0})); }).find("axis 2") != std::string::npos);
  CHECK(error_of([&] {
          gather(x, 0, zeros({2, 4}, {.dtype = int64}));
        }) == "gather: indices of shape [2, 4] do not fit a tensor of shape [5, 3] beside axis 0");
  CHECK(error_of([&] { gather(x, 0, indices({0})); }).find("shape [1]") != std::string::npos);
  CHECK(error_of([&] { gather(tensor(1.0), 1, tensor(0)); }).find("axis 1") != std::string::npos);
  CHECK(error_of([&] {
          scatter_add(x, 0, i, zeros({1, 3}));
        }) == "scatter_add: indices of shape [2, 3] do not fit a source of shape [1, 3]");
  CHECK(error_of([&] {
          scatter_add(x, 0, i, zeros({2, 3}, {.dtype = float64}));
        }) ==
        "scatter_add: the source is float64, the tensor to add to float32; convert one with "
        "to(...)");
  CHECK(error_of([&] { scatter_add(x, 0, i, Tensor()); }) ==
        "scatter_add: the source is undefined");
  CHECK(error_of([&] {
          scatter_add(x.to(uint8), 0, i, zeros({2, 3}, {.dtype = uint8}));
        }).find("uint8 tensors hold data") != std::string::npos);
  CHECK(error_of([&] {
          index_add(x, 0, indices({0, 1}), zeros({1, 3}));
        }) ==
        "index_add: the source has shape [1, 3], expected [2, 3] for 2 indices along axis 0 of "
        "shape [5, 3]");
}

TEST_CASE("scatter_add and gradients have the same bits for any number of threads") {
  const auto random = [](const Shape& shape) { return sample_values(shape, -1, 1, 9).to(float32); };
  SECTION("rows") {
    const Tensor index = random_indices({4000}, 50), g = random({4000, 64});
    check_threads([&] { return index_add(random({50, 64}), 0, index, g); });
    check_threads([&] {
      const Tensor x = random({50, 64}).requires_grad_leaf();
      return grad(sum(index_select(x, 0, index) * g), {x})[0];
    });
  }
  SECTION("one dimension") {
    const Tensor index = random_indices({300000}, 100), g = random({300000});
    check_threads([&] { return scatter_add(random({100}), 0, index, g); });
    check_threads([&] {
      return scatter_add(random({1, 100}), 1, unsqueeze(index, 0), unsqueeze(g, 0));
    });
    check_threads([&] { return scatter_add(random({200000}), 0, index, g); });
  }
  SECTION("every axis, strided") {
    const Tensor source = transpose(random({60, 70, 50}), 0, 2);
    for (int axis = 0; axis < 3; ++axis) {
      const Tensor index = random_indices(source.shape(), 20);
      Shape shape = source.shape();
      shape[axis] = 20;
      check_threads([&] { return scatter_add(random(shape), axis, index, source); });
    }
  }
}

TEST_CASE("parallel scatter_add sums what one loop sums") {
  const Tensor source = sample_values({40, 30, 60}, -1, 1, 10);
  const Values from = values(source);
  for (int axis = 0; axis < 3; ++axis) {
    const Tensor index = random_indices(source.shape(), 15);
    const std::vector<std::int64_t> at = index.to_vector<std::int64_t>();
    Shape shape = source.shape();
    shape[axis] = 15;
    Values expected(static_cast<std::size_t>(numel(shape)), 0);
    const Strides strides = contiguous_strides(shape);
    std::size_t p = 0;
    for (std::int64_t i = 0; i < 40; ++i) {
      for (std::int64_t j = 0; j < 30; ++j) {
        for (std::int64_t k = 0; k < 60; ++k, ++p) {
          Dims place{i, j, k};
          place[axis] = at[p];
          expected[static_cast<std::size_t>(place[0] * strides[0] + place[1] * strides[1] +
                                            place[2])] += from[p];
        }
      }
    }
    CHECK(values(scatter_add(zeros(shape, {.dtype = float64}), axis, index, source)) == expected);
  }
  // Blocks of a long line: exact in integers.
  const Tensor index = random_indices({200000}, 30);
  const Tensor counts =
      scatter_add(zeros({30}, {.dtype = int64}), 0, index, ones({200000}, {.dtype = int64}));
  std::vector<std::int64_t> expected(30, 0);
  for (std::int64_t i : index.to_vector<std::int64_t>()) {
    ++expected[static_cast<std::size_t>(i)];
  }
  CHECK(counts.to_vector<std::int64_t>() == expected);
}

TEST_CASE("a million addends of float32 lose no digits, the same bits for any number of threads") {
  const std::int64_t n = 1000000;
  const double expected = static_cast<double>(n) * static_cast<double>(0.1F);
  const auto tenths = [](const Shape& shape) { return full(shape, 0.1).to(float32); };
  const auto near = [&](const Tensor& sums) {
    for (double sum : values(sums)) {
      CHECK(sum == Approx(expected).epsilon(1e-7));
    }
  };
  const auto all = zeros({n}, {.dtype = int64});
  check_threads([&] {  // one line, of blocks
    const Tensor sum = index_add(zeros({1}), 0, all, tenths({n}));
    near(sum);
    return sum;
  });
  check_threads([&] {  // one line into a long one
    const Tensor sum = index_add(zeros({2 * n}), 0, all, tenths({n}));
    CHECK(sum[1].item() == 0);
    near(sum[0]);
    return sum;
  });
  for (std::int64_t width : {2, 5}) {  // rows in order, or grouped
    check_threads([&] {
      const Tensor sum = index_add(zeros({3, width}), 0, all, tenths({n, width}));
      near(sum[0]);
      return sum;
    });
  }
  check_threads([&] {
    const Tensor sum =
        scatter_add(zeros({1, 2}), 0, expand(reshape(all, {n, 1}), {n, 2}), tenths({n, 2}));
    near(sum);
    return sum;
  });
  check_threads([&] {
    const Tensor sum =
        scatter_add(zeros({2, 2}), 1, reshape(all, {2, n / 2}).contiguous(), tenths({2, n / 2}));
    for (int row : {0, 1}) {
      CHECK(sum[row][0].item() == Approx(expected / 2).epsilon(1e-7));
    }
    return sum;
  });
}

TEST_CASE("transposed copies are those of one element after another") {
  for (Dtype dtype : all_dtypes) {
    for (const Shape& shape : {Shape{100, 67}, Shape{8, 8}, Shape{3, 40, 33}, Shape{33, 2, 65}}) {
      const Tensor x = reshape(arange(static_cast<double>(numel(shape))), shape).to(dtype);
      for (int second = 1; second < shape.size(); ++second) {
        const Tensor turned = transpose(x, 0, second);
        const Tensor copy = turned.contiguous();
        REQUIRE(copy.is_contiguous());
        CHECK(values(copy) == values(turned));
      }
    }
  }
}
