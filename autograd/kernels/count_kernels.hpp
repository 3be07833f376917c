#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

namespace cadena::kernels {

// The parts of counting that are compiled once per architecture; all run in the calling thread.

/// The number of elements of x[0..n) that are not 0.
template <class Arch, class T> std::int64_t count_row(const T* x, std::int64_t n);

/// The same of each of at most column_tile columns of rows that are `stride` elements apart.
template <class Arch, class T>
void count_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                   std::int64_t* out);

}  // namespace cadena::kernels
