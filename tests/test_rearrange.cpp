// Operators that move values about, against plain loops over indices and known results.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/ops.hpp>

#include "support.hpp"

using namespace cadena;
using support::check_error;
using support::Values;
using support::values;

namespace {

Tensor counted(const Shape& shape) {
  return reshape(arange(static_cast<double>(numel(shape))), shape);
}

/// y[i][j] = at(i, j), for two dimensions.
template <class At> Values table(std::int64_t rows, std::int64_t columns, const At& at) {
  Values result;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      result.push_back(static_cast<double>(at(i, j)));
    }
  }
  return result;
}

}  // namespace

TEST_CASE("flip and roll") {
  for (std::int64_t rows : {1, 3, 300}) {
    const std::int64_t columns = 7 * rows;
    const Tensor x = counted({rows, columns});
    CHECK(values(flip(x, 1)) ==
          table(rows, columns, [&](auto i, auto j) { return i * columns + columns - 1 - j; }));
    CHECK(values(flip(x, 0)) ==
          table(rows, columns, [&](auto i, auto j) { return (rows - 1 - i) * columns + j; }));
    CHECK(values(flip(x)) == table(rows, columns, [&](auto i, auto j) {
            return rows * columns - 1 - i * columns - j;
          }));
    CHECK(values(roll(x, {2, -1}, {0, 1})) == table(rows, columns, [&](auto i, auto j) {
            return (i + 2 * rows - 2) % rows * columns + (j + 1) % columns;
          }));
    CHECK(values(roll(x, 5)) == table(rows, columns, [&](auto i, auto j) {
            return (i * columns + j + rows * columns - 5) % (rows * columns);
          }));
    CHECK(values(flip(transpose(x), 0)) ==
          table(columns, rows, [&](auto i, auto j) { return j * columns + columns - 1 - i; }));
  }
  check_error([] { roll(zeros({2, 3}), {1, 2}, 0); }, {"roll:", "2 shifts", "1 axes", "[2, 3]"});
}

TEST_CASE("repeat, tile and repeat_interleave") {
  const Tensor x = counted({2, 3});
  CHECK(values(repeat(x, {2, 3})) == table(4, 9, [](auto i, auto j) { return i % 2 * 3 + j % 3; }));
  CHECK(repeat(x, {4, 1, 2}).shape() == Shape{4, 2, 6});
  CHECK(values(tile(x, 2)) == table(2, 6, [](auto i, auto j) { return i * 3 + j % 3; }));
  CHECK(values(repeat_interleave(x, 2, 1)) ==
        table(2, 6, [](auto i, auto j) { return i * 3 + j / 2; }));
  CHECK(values(repeat_interleave(x, 2, 0)) ==
        table(4, 3, [](auto i, auto j) { return i / 2 * 3 + j; }));
  CHECK(values(repeat_interleave(counted({2}), 2)) == Values{0, 0, 1, 1});
  const Shape eight{2, 1, 1, 1, 1, 1, 1, 2};
  CHECK(repeat(zeros(eight), eight).shape() == Shape{4, 1, 1, 1, 1, 1, 1, 4});
  check_error([&] { repeat(x, 2); }, {"repeat:", "[2]", "[2, 3]"});
  check_error([&] { tile(x, -1); },
              {"tile: expected repeats of at least 0, got [1, -1]", "[2, 3]"});
  check_error([&] { repeat_interleave(x, -2, 0); }, {"repeat_interleave:", "-2", "axis 0"});
}

TEST_CASE("movedim, unflatten and meshgrid") {
  const Tensor x = counted({2, 3, 4});
  CHECK(movedim(x, 0, -1).shape() == Shape{3, 4, 2});
  CHECK(values(movedim(x, {2, 0}, {0, 1})) == values(permute(x, {2, 0, 1})));
  check_error([&] { movedim(x, {0, -3}, {0, 1}); }, {"movedim:", "axis -3", "[0, -3]"});
  CHECK(unflatten(x, -1, {2, -1}).shape() == Shape{2, 3, 2, 2});
  check_error([&] { unflatten(x, 1, {2, 2}); }, {"unflatten:", "axis 1", "[2, 3, 4]", "[2, 2]"});
  const auto ij = meshgrid({counted({2}), counted({3})});
  CHECK(values(ij[0]) == Values{0, 0, 0, 1, 1, 1});
  CHECK(values(ij[1]) == Values{0, 1, 2, 0, 1, 2});
  const auto xy = meshgrid({counted({2}), counted({3})}, Indexing::xy);
  CHECK(xy[0].shape() == Shape{3, 2});
  CHECK(values(xy[0]) == Values{0, 1, 0, 1, 0, 1});
  CHECK(values(xy[1]) == Values{0, 0, 1, 1, 2, 2});
  check_error([&] { meshgrid({x}); }, {"meshgrid:", "tensor 0", "[2, 3, 4]"});
}

TEST_CASE("tril, triu and diagonals") {
  for (Dtype dtype : {boolean, int64, float32}) {
    const Tensor x = (counted({2, 4, 3}) + 1).to(dtype);
    for (std::int64_t k : {-9, -4, -2, 0, 1, 2, 9}) {
      Values low = values(x), high = low, line;
      for (std::int64_t p = 0; p < 24; ++p) {
        const std::int64_t beside = p % 3 - p / 3 % 4;
        const auto place = static_cast<std::size_t>(p);
        if (beside == k) {
          line.push_back(low[place]);
        }
        low[place] *= beside <= k ? 1 : 0;
        high[place] *= beside >= k ? 1 : 0;
      }
      CHECK(values(tril(x, k)) == low);
      CHECK(values(triu(x, k)) == high);
      CHECK(values(diagonal(x, k, 1, 2)) == line);
      CHECK(values(diagonal(x, -k, -1, 1)) == line);
    }
  }
  const Tensor x = counted({3, 4});
  CHECK(diagonal(x, 1).impl()->storage.get() == x.impl()->storage.get());
  CHECK(values(diag(x, -1)) == Values{4, 9});
  CHECK(values(diag(tensor({5, 6}), 1)) == Values{0, 5, 0, 0, 0, 6, 0, 0, 0});
  CHECK(diag_embed(zeros({2, 3}), -1, 0, 1).shape() == Shape{4, 4, 2});
  CHECK(values(diagonal(diag_embed(x, 2), 2, -2, -1)) == values(x));
  check_error([&] { diagonal(x, 0, 1, -1); }, {"diagonal:", "axis 1"});
  check_error([] { tril(zeros({3})); }, {"tril:", "[3]"});
  check_error([] { diag(zeros({1, 1, 1})); }, {"diag:", "[1, 1, 1]"});
}
