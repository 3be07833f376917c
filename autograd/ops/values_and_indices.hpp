#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

/// Elements of a tensor, and their indices (int64) along an axis of it.
struct ValuesAndIndices {
  Tensor values;
  Tensor indices;
};

}  // namespace cadena
