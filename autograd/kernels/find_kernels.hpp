#pragma once

#include <cadena/autograd/kernels/reduce_kernels.hpp>

namespace cadena::kernels {

// The parts of argmax and argmin that are compiled once per architecture; all run in the calling
// thread. `reduction` is maximum or minimum.

/// places[o] is where the extreme of row o first stands (or its first NaN), among n >= 1 elements;
/// `values` gets the extreme itself unless it is null.
template <class Arch, Reduction reduction, class T>
void find_in_rows(const T* x, std::int64_t rows, std::int64_t n, T* values, std::int64_t* places);

/// The same for each of `columns` <= column_tile columns of 1 to 2^24 rows that are `stride`
/// elements apart.
template <class Arch, Reduction reduction, class T>
void find_in_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                     T* values, std::int64_t* places);

}  // namespace cadena::kernels
