#pragma once

#include <cstdint>

namespace cadena::kernels {

// The parts of reductions that are compiled once per architecture; all run in the calling thread.

enum class Reduction { sum, squared_deviations, weighted_sum, maximum, minimum };

/// Elements of a row that are added before the tree begins, rows of a column that are.
inline constexpr std::int64_t row_block = 1024, column_block = 16;
/// The most columns reduce_columns takes, the most blocks of rows.
inline constexpr std::int64_t column_tile = 512, column_blocks = std::int64_t{1} << 20;

/// The reduction of x[0..n), n >= 1. `center` is read by squared_deviations alone.
template <class Arch, Reduction reduction, class T>
T reduce_row(const T* x, std::int64_t n, T center);

/// Σ x[i]·y[i] over n >= 1 elements.
template <class Arch, class T> T dot_row(const T* x, const T* y, std::int64_t n);

/// Reduces each of `columns` <= column_tile columns of rows that are `stride` elements apart:
/// `block` rows one after another, at most column_blocks blocks by a balanced tree. `other` has the
/// center of each column (squared_deviations) or the weight of each row (weighted_sum), or is not
/// read.
template <class Arch, Reduction reduction, class T>
void reduce_columns(const T* x, const T* other, std::int64_t rows, std::int64_t stride,
                    std::int64_t columns, std::int64_t block, T* out);

/// The first i at which x[i] is `wanted` (a NaN stands for any NaN); there must be one.
template <class Arch, class T> std::int64_t find_in_row(const T* x, std::int64_t n, T wanted);

/// The same for each column of rows [0, rows): out[c] is the first row that has wanted[c].
template <class Arch, class T>
void find_in_columns(const T* x, const T* wanted, std::int64_t rows, std::int64_t stride,
                     std::int64_t columns, std::int64_t* out);

}  // namespace cadena::kernels
