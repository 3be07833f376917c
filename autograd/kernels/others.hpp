#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

namespace cadena::kernels {

/// out[o, r, i] = the product of x[o, k, i] over all k but r, whatever the product of some of them
/// would overflow or underflow to on the way. T: float, double.
template <class T> void product_of_others(const ReduceShape& shape, const T* x, T* out);

}  // namespace cadena::kernels
