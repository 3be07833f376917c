// index and index_put against NumPy's results and plain loops.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/autograd/ops/random.hpp>

#include "support.hpp"

#include <algorithm>
#include <limits>

using namespace cadena;
using support::check_error;
using support::Values;
using support::values;

namespace {

Tensor counted(const Shape& shape) {
  return reshape(arange(static_cast<double>(numel(shape))), shape);
}

/// What NumPy gives: the shape, the first values, and the sum of (k mod 97 + 1) times value k.
struct Known {
  const char* expression;
  Tensor result;
  Shape shape;
  Values first;
  double weighted;
};

}  // namespace

TEST_CASE("index expressions give what NumPy gives") {
  const Tensor x = counted({2, 3, 4, 5});
  const Tensor i = tensor({2, 0, -1}), j = tensor({{0}, {-2}});
  const Tensor m = tensor({true, false, true}), c = tensor({true, false, true, true});
  const Tensor mm = tensor({{true, false, false}, {false, true, true}});
  const std::vector<Known> all{
      {"x[1]", index(x, {1}), {3, 4, 5}, {60, 61, 62, 63, 64, 65}, 181780},
      {"x[-1,2]", index(x, {-1, 2}), {4, 5}, {100, 101, 102, 103, 104, 105}, 23660},
      {"x[:,1:,::2]",
       index(x, {Slice{}, Slice{1}, Slice{{}, {}, 2}}),
       {2, 2, 2, 5},
       {20, 21, 22, 23, 24, 30},
       69520},
      {"x[...,-2:]", index(x, {ellipsis, Slice{-2}}), {2, 3, 4, 2}, {3, 4, 8, 9, 13, 14}, 94748},
      {"x[0,None,...,3]",
       index(x, {0, newaxis, ellipsis, 3}),
       {1, 3, 4},
       {3, 8, 13, 18, 23, 28},
       3094},
      {"x[:,::-1,3:0:-2]",
       index(x, {Slice{}, Slice{{}, {}, -1}, Slice{3, 0, -2}}),
       {2, 3, 2, 5},
       {55, 56, 57, 58, 59, 45},
       131830},
      {"x[:,5:1,-9:9]", index(x, {Slice{}, Slice{5, 1}, Slice{-9, 9}}), {2, 0, 4, 5}, {}, 0},
      {"x[:,-1:-9:-1,0,9:-9:-3]",
       index(x, {Slice{}, Slice{-1, -9, -1}, 0, Slice{9, -9, -3}}),
       {2, 3, 2},
       {44, 41, 24, 21, 4, 1},
       4846},
      {"x[:,i]", index(x, {Slice{}, i}), {2, 3, 4, 5}, {40, 41, 42, 43, 44, 45}, 357232},
      {"x[:,i,j]", index(x, {Slice{}, i, j}), {2, 2, 3, 5}, {40, 41, 42, 43, 44, 0}, 145880},
      {"x[:,i,:,j]",
       index(x, {Slice{}, i, Slice{}, j}),
       {2, 3, 2, 4},
       {40, 45, 50, 55, 100, 105},
       81268},
      {"x[0,:,i]", index(x, {0, Slice{}, i}), {3, 3, 5}, {10, 11, 12, 13, 14, 30}, 35610},
      {"x[:,0,i]", index(x, {Slice{}, 0, i}), {2, 3, 5}, {10, 11, 12, 13, 14, 0}, 25815},
      {"x[:,i,0]", index(x, {Slice{}, i, 0}), {2, 3, 5}, {40, 41, 42, 43, 44, 0}, 34090},
      {"x[:,i,None,j]",
       index(x, {Slice{}, i, newaxis, j}),
       {2, 3, 2, 1, 5},
       {40, 41, 42, 43, 44, 100},
       125630},
      {"x[:,i,...,j]",
       index(x, {Slice{}, i, ellipsis, j}),
       {2, 3, 2, 4},
       {40, 45, 50, 55, 100, 105},
       81268},
      {"x[:,None,i,j]",
       index(x, {Slice{}, newaxis, i, j}),
       {2, 1, 2, 3, 5},
       {40, 41, 42, 43, 44, 0},
       145880},
      {"x[...,i,j]", index(x, {ellipsis, i, j}), {2, 3, 2, 3}, {10, 0, 15, 13, 3, 18}, 52590},
      {"x[1:,i,::-1,j]",
       index(x, {Slice{1}, i, Slice{{}, {}, -1}, j}),
       {2, 3, 1, 4},
       {115, 110, 105, 100, 75, 70},
       28766},
      {"x[mm]", index(x, {mm}), {3, 4, 5}, {0, 1, 2, 3, 4, 5}, 169180},
      {"x[:,m]", index(x, {Slice{}, m}), {2, 2, 4, 5}, {0, 1, 2, 3, 4, 5}, 259440},
      {"x[1,m,:,2]", index(x, {1, m, Slice{}, 2}), {2, 4}, {62, 67, 72, 77, 102, 107}, 3592},
      {"x[:,:,c,::2]",
       index(x, {Slice{}, Slice{}, c, Slice{{}, {}, 2}}),
       {2, 3, 3, 3},
       {0, 2, 4, 10, 12, 14},
       118827},
      {"x[mm,array([0,3,1])]",
       index(x, {mm, tensor({0, 3, 1})}),
       {3, 5},
       {0, 1, 2, 3, 4, 95},
       10895},
      {"x[array(1)]", index(x, {tensor(1)}), {3, 4, 5}, {60, 61, 62, 63, 64, 65}, 181780},
      {"x[array(1),:,array(2)]",
       index(x, {tensor(1), Slice{}, tensor(2)}),
       {3, 5},
       {70, 71, 72, 73, 74, 90},
       12070},
      {"x[x>100]", index(x, {x > 100}), {19}, {101, 102, 103, 104, 105, 106}, 21470},
      {"x[array([],int)]", index(x, {tensor({}).to(int64)}), {0, 3, 4, 5}, {}, 0},
      {"x[:,i,:,-1]",
       index(x, {Slice{}, i, Slice{}, -1}),
       {3, 2, 4},
       {44, 49, 54, 59, 104, 109},
       22040},
      {"x[j,i,0,::2]",
       index(x, {j, i, 0, Slice{{}, {}, 2}}),
       {2, 3, 3},
       {40, 42, 44, 0, 2, 4},
       4926},
      {"x[0,1,i[:1],...]",
       index(x, {0, 1, slice(i, 0, 0, 1), ellipsis}),
       {1, 5},
       {30, 31, 32, 33, 34},
       490},
  };
  for (const Known& each : all) {
    INFO(each.expression);
    CHECK(each.result.shape() == each.shape);
    Values got = values(each.result);
    double weighted = 0;
    for (std::size_t k = 0; k < got.size(); ++k) {
      weighted += static_cast<double>(k % 97 + 1) * got[k];
    }
    CHECK(weighted == each.weighted);
    got.resize(std::min<std::size_t>(got.size(), 6));
    CHECK(got == each.first);
  }
}

TEST_CASE("index without tensors is a view") {
  const Tensor x = counted({4, 6});
  const Tensor y = index(x, {Slice{1, 4, 2}, newaxis, ellipsis, 3});
  CHECK(y.shape() == Shape{2, 1});
  CHECK(y.impl()->storage.get() == x.impl()->storage.get());
  CHECK(index(x, {}).impl().get() == x.impl().get());
  CHECK(narrow(x, 0, -2, 2).impl()->storage.get() == x.impl()->storage.get());
  CHECK(values(narrow(x, -1, -2, 1)) == Values{4, 10, 16, 22});
}

TEST_CASE("masks without dimensions add one") {
  const Tensor x = counted({2});
  CHECK(index(x, {tensor(true)}).shape() == Shape{1, 2});
  CHECK(index(x, {tensor(false)}).shape() == Shape{0, 2});
  CHECK(values(index(tensor(7), {tensor(true)})) == Values{7});
}

TEST_CASE("index takes any dtype and any strides") {
  for (Dtype dtype : all_dtypes) {
    const Tensor x = transpose(tensor({{0, 1, 1}, {1, 0, 1}})).to(dtype);
    const Tensor y = index(x, {tensor({2, 0}), tensor({-1, 1})});
    CHECK(y.dtype() == dtype);
    CHECK(values(y) == Values{1, 1});
    const Tensor z = index_put(x, {tensor({2, 0})}, tensor({0, 1}).to(dtype));
    CHECK(z.dtype() == dtype);
    CHECK(values(z) == Values{0, 1, 1, 0, 0, 1});
  }
}

TEST_CASE("index_put replaces what index takes, the last value staying") {
  const Tensor x = counted({3, 4});
  CHECK(values(index_put(x, {1}, -1)) == Values{0, 1, 2, 3, -1, -1, -1, -1, 8, 9, 10, 11});
  CHECK(values(index_put(x, {ellipsis, Slice{{}, {}, -3}}, tensor({-1, -2}))) ==
        Values{-2, 1, 2, -1, -2, 5, 6, -1, -2, 9, 10, -1});
  CHECK(values(index_put(x, {tensor({0, -1, 0}), 1}, tensor({-1, -2, -3}))) ==
        Values{0, -3, 2, 3, 4, 5, 6, 7, 8, -2, 10, 11});
  CHECK(values(index_put(x, {tensor({0, -1, 0}), 1}, tensor({-1, -2, -3}), true)) ==
        Values{0, -3, 2, 3, 4, 5, 6, 7, 8, 7, 10, 11});
  CHECK(values(index_put(x, {x > 9}, 0)) == Values{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0});
  CHECK(values(index_put(x, {Slice{0, 1}, Slice{0, 2}}, 5, true)) ==
        Values{5, 6, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  CHECK(values(x)[0] == 0);
}

TEST_CASE("gradients of index and index_put, elements named twice") {
  const Tensor rows = tensor({1, 0, 1}), weights = tensor({1.0, 2.0, 4.0});
  const Tensor x = tensor({5.0, 6.0, 7.0}, {.requires_grad = true});
  CHECK(values(grad(sum(index(x, {rows}) * weights), {x})[0]) == Values{2, 5, 0});
  const Tensor v = tensor({1.0, 2.0, 3.0}, {.requires_grad = true});
  const auto put = grad(sum(index_put(x, {rows}, v) * weights), {x, v});
  CHECK(values(put[0]) == Values{0, 0, 4});
  CHECK(values(put[1]) == Values{0, 1, 2});
  const auto added = grad(sum(index_put(x, {rows}, v, true) * weights), {x, v});
  CHECK(values(added[0]) == Values{1, 2, 4});
  CHECK(values(added[1]) == Values{2, 1, 2});
}

TEST_CASE("gradients of index_put into much more than it names, elements named twice") {
  const Tensor x = zeros({50, 40}).requires_grad_leaf(), v = ones({5}).requires_grad_leaf();
  const Tensor rows = tensor({3, -1, 3, 49, 3}), columns = tensor({7, 0, -33, 0, 8});
  const Tensor weights = reshape(arange(2000, {.dtype = float32}), {50, 40});
  const auto g = grad(sum(index_put(x, {rows, columns}, v) * weights), {x, v});
  CHECK(values(g[1]) == Values{0, 0, 127, 1960, 128});
  CHECK(values(sum(g[0]))[0] == 1999000 - 127 - 1960 - 128);
}

TEST_CASE("large masks of one and several dimensions take what a loop takes") {
  const Tensor x = sample_values({90, 70, 11}, -1, 1);
  const Tensor mask = sin(arange(90 * 70 * 11, {.dtype = float64}) * 7.0) > 0.1;
  const Values all = values(x);
  const std::vector<double> chosen = values(mask.to(float64));
  Values expected;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (chosen[i] != 0) {
      expected.push_back(all[i]);
    }
  }
  CHECK(values(index(x, {reshape(mask, x.shape())})) == expected);
  CHECK(values(index(reshape(x, {x.numel()}), {mask})) == expected);
}

TEST_CASE("large indices against plain loops, the same bits with any number of threads") {
  const support::ThreadsGuard guard;
  const std::int64_t count = 30000, rows = 700, width = 24;
  Generator generator(3);
  const Tensor x = randn({rows, width}, {}, generator), g = randn({count, width}, {}, generator);
  std::vector<std::int64_t> places;
  for (std::int64_t k = 0; k < count; ++k) {
    places.push_back(k * k % 701 % rows - (k % 3 == 0 ? rows : 0));
  }
  const Tensor indices = from_vector(places, {count});
  const auto start = x.data<float>(), addends = g.data<float>();
  std::vector<float> sum(start.begin(), start.end()), last = sum;
  for (std::int64_t k = 0; k < count; ++k) {
    const std::int64_t row = (places[static_cast<std::size_t>(k)] + rows) % rows;
    for (std::int64_t c = 0; c < width; ++c) {
      const auto to = static_cast<std::size_t>(row * width + c);
      const float value = addends[static_cast<std::size_t>(k * width + c)];
      sum[to] += value;
      last[to] = value;
    }
  }
  for (int n : {1, 2, 8}) {
    set_threads(n);
    CHECK(index_put(x, {indices}, g, true).to_vector<float>() == sum);
    CHECK(index_put(x, {indices}, g).to_vector<float>() == last);
    const Tensor leaf = zeros({rows, width}).requires_grad_leaf();
    const Tensor taken = index(leaf, {indices});
    const Tensor slope = grad({&taken, 1}, {&leaf, 1}, {&g, 1})[0];
    CHECK(slope.to_vector<float>() ==
          index_put(zeros({rows, width}), {indices}, g, true).to_vector<float>());
  }
}

TEST_CASE("index says what is wrong") {
  const Tensor x = counted({3, 4});
  check_error(
      [&] {
        index(x, {Slice{}, tensor({{0, 3}, {-5, 1}})});
      },
      {"index:", "-5", "[1, 0]", "[-4, 4)", "axis 1", "size 4"});
  check_error([&] { index(x, {0, 4}); }, {"index:", "4", "[-4, 4)", "axis 1", "[3, 4]"});
  check_error([&] { index(x, {0, 0, 0}); }, {"index:", "3 dimensions", "[3, 4]"});
  check_error([&] { index(x, {ellipsis, ellipsis}); }, {"index:", "ellipsis", "2"});
  check_error([&] { index(x, {Slice{0, 1, 0}}); }, {"index:", "step", "axis 0"});
  check_error(
      [&] {
        index(x, {tensor({true, false})});
      },
      {"index:", "mask", "[2]", "axis 0", "[3, 4]", "2 against 3"});
  check_error([&] { index(x, {tensor({0.5})}); }, {"index:", "float32", "int64"});
  check_error([&] { index(x, {tensor({0, 1}), tensor({0, 1, 2})}); }, {"index:", "[2]", "[3]"});
  check_error([&] { index(x, {Tensor()}); }, {"index:", "undefined"});
  check_error([&] { index_put(x, {tensor({0, 3})}, 1); }, {"index_put:", "3", "axis 0"});
  check_error(
      [&] {
        index_put(x, {0}, tensor({1, 2}));
      },
      {"index_put: expected values that broadcast to [4]", "got [2]"});
  check_error([&] { index_put(x, {0}, 0.5); }, {"index_put:", "0.5", "int64"});
  check_error([&] { index_put(x, {0}, tensor({0.5})); },
              {"index_put: expected values of int64, got values of float32"});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  check_error([&] { index(x, {tensor({0, most})}); }, {"index: index 9223372036854775807"});
  check_error([&] { index(x, {tensor({-most - 1})}); }, {"index: index -9223372036854775808"});
  check_error([&] { index_put(x > 1, {0}, true, true); }, {"index_put:", "boolean"});
  check_error([&] { narrow(x, 1, 2, 3); }, {"narrow:", "3 from 2", "axis 1", "size 4"});
  check_error([&] { narrow(x, 1, 0, -1); }, {"narrow:", "-1", "axis 1"});
  check_error([&] { expand(x, {2, 4}); }, {"expand:", "[3, 4]", "[2, 4]", "3 against 2"});
  check_error([&] { expand(x, {-1, 3, 4}); }, {"expand:", "new", "dimension 0", "-1"});
  check_error([&] { expand(x, {4}); }, {"expand:", "[3, 4]", "2 dimensions"});
  check_error([&] { expand(x, {3, -2}); }, {"expand:", "-2", "dimension 1"});
}
