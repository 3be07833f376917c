#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

namespace cadena::kernels {

/// The mean of some numbers, and the sum of the squares of their distances from it.
struct Moments {
  double mean, squares;
};

/// The moments of all elements of several parts, of which each but the last has `count` (at least
/// 1), the last one `last`; parts >= 1 (Chan, Golub, LeVeque 1979). They are `stride` apart.
Moments together(const Moments* parts, std::int64_t parts_count, std::int64_t stride,
                 std::int64_t count, std::int64_t last);

/// means[o, i] and squares[o, i]: the moments of x[o, r, i] over r, NaN and 0 when there is
/// nothing. In double, and exact where all elements are equal: the mean is that element then. The
/// order is fixed by the shape; memory is read once. T: float, double.
template <class T> void moments(const ReduceShape& shape, const T* x, T* means, double* squares);

}  // namespace cadena::kernels
