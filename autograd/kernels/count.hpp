#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

namespace cadena::kernels {

/// out[o, i] = the number of r for which x[o, r, i] is not 0 (NaN is not). Memory is read once. T:
/// float, double, std::int64_t, std::uint8_t (booleans too).
template <class T> void count_nonzero(const ReduceShape& shape, const T* x, std::int64_t* out);

}  // namespace cadena::kernels
