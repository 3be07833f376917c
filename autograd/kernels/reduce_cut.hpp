#pragma once

#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/reduce_kernels.hpp>

#include <algorithm>

// How reductions are cut into pieces of work. The shape alone decides.

namespace cadena::kernels {

/// Elements a piece of work reads: 10 to 20 µs from memory.
inline constexpr std::int64_t piece_elements = 65536;

inline std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a - 1) / b + 1; }

/// Pieces of rows by tiles of columns. With inner = 1 a piece is a whole number of blocks of a row,
/// so that the tree of the pieces' results is the tree of the blocks.
struct ReduceCut {
  std::int64_t tiles, in_tile, rows, pieces;  // `rows` and `in_tile` are the most a piece has
  std::int64_t grain;                         // pieces that are worth a task

  explicit ReduceCut(const ReduceShape& s)
      : tiles(divide_up(s.inner, column_tile)),
        in_tile(std::min(column_tile, s.inner)),
        rows(column_block) {
    while (rows * in_tile < piece_elements) rows *= 2;
    pieces = divide_up(s.reduced, rows);
    grain = std::max<std::int64_t>(1, piece_elements / (std::min(rows, s.reduced) * in_tile));
  }
};

/// Rows of at most so many elements are turned into columns, so many at a time: alone they would be
/// less work than what surrounds it.
inline constexpr std::int64_t few_elements = 32, turned_at_once = 128;
template <class T> using Turned = T[few_elements * turned_at_once];

/// to[i, row] = x[row, i] of rows of n elements.
template <class T> void turn(const T* x, std::int64_t rows, std::int64_t n, T* to) {
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t i = 0; i < n; ++i) to[i * rows + row] = x[row * n + i];
  }
}

/// So many rows of `count` columns are taken for one, to fill a tile.
inline std::int64_t rows_in_one(std::int64_t rows, std::int64_t count) {
  std::int64_t group = 1;
  while (2 * group * count <= column_tile && 2 * group * column_block <= rows) group *= 2;
  return group;
}

}  // namespace cadena::kernels
