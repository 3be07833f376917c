#pragma once

#include <cadena/autograd/kernels/moments.hpp>

namespace cadena::kernels {

// The parts of moments that are compiled once per architecture; all run in the calling thread.

/// The most elements that moments_of_row takes, the most columns that moments_of_columns does.
inline constexpr std::int64_t moments_row = 4096, moments_tile = 512;

/// Of x[0..n), 1 <= n <= moments_row.
template <class Arch, class T> Moments moments_of_row(const T* x, std::int64_t n);

/// Of each of some columns of rows >= 1 rows that are `stride` elements apart.
template <class Arch, class T>
void moments_of_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                        Moments* out);

}  // namespace cadena::kernels
