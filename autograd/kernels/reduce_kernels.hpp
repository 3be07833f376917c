#pragma once

#include <cstdint>

namespace cadena::kernels {

// The parts of reductions that are compiled once per architecture; all run in the calling thread.

enum class Reduction { sum, squares, weighted_sum, maximum, minimum, product };

/// Elements of a row that are added before the tree begins, rows of a column that are.
inline constexpr std::int64_t row_block = 1024, column_block = 16;
/// The most columns reduce_columns takes, the most blocks of rows.
inline constexpr std::int64_t column_tile = 512, column_blocks = std::int64_t{1} << 20;

// `From` is T, or std::uint8_t for a sum of std::int64_t.

/// The reduction of x[0..n), n >= 1. `other` is the scale of squares, and not read otherwise.
template <class Arch, Reduction reduction, class T, class From>
T reduce_row(const From* x, std::int64_t n, T other);

/// The reductions of rows of n >= 1 elements; `other` has one number a row, or is null for 1.
template <class Arch, Reduction reduction, class T, class From>
void reduce_rows(const From* x, std::int64_t rows, std::int64_t n, const T* other, T* out);

/// Σ x[i]·y[i] over n >= 1 elements.
template <class Arch, class T> T dot_row(const T* x, const T* y, std::int64_t n);

/// Reduces each of `columns` <= column_tile columns of rows that are `stride` elements apart:
/// `block` rows one after another, at most column_blocks blocks by a balanced tree. `other` has the
/// scale (squares; may be null for 1) of each column or the
/// weight of each row (weighted_sum), or is not read.
template <class Arch, Reduction reduction, class T, class From>
void reduce_columns(const From* x, const T* other, std::int64_t rows, std::int64_t stride,
                    std::int64_t columns, std::int64_t block, T* out);

}  // namespace cadena::kernels
