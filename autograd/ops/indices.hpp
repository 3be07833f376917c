#pragma once

// What operators with tensors of indices share.

#include <cadena/autograd/graph/operator.hpp>

namespace cadena::ops {

/// Throws at the first index that is outside of the axis.
void check_indices(const char* operation, const Input& indices, const Shape& shape, int axis);

/// Throws unless the indices are there and int64.
void check_index_dtype(const char* operation, const Tensor& indices);

/// Throws unless x and what is added to it have one dtype that is computed with.
void check_addends(const char* operation, const Tensor& x, const Tensor& source);

/// Zeros in one element of memory.
Tensor zeros_of(const Type& type);

}  // namespace cadena::ops
