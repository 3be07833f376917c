#pragma once

#include <cstdint>

namespace cadena::kernels {

// The parts of products of others that are compiled once per architecture; all run in the calling
// thread.

/// A row is multiplied as so many columns.
inline constexpr std::int64_t others_width = 32;

/// products[c]: those of columns whose rows are `stride` elements apart.
template <class Arch, class T>
void multiply_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                      double* products);

/// out = totals[c] / x in each column.
template <class Arch, class T>
void divide_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                    const double* totals, T* out);

/// out = total / x.
template <class Arch, class T> void divide_row(const T* x, std::int64_t n, double total, T* out);

}  // namespace cadena::kernels
