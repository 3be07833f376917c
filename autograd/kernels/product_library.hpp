#pragma once

#include <cadena/autograd/kernels/product.hpp>

namespace cadena::kernels {

/// C = op(A)·op(B) by oneDNN, in the calling thread alone.
void product_by_library(const ProductShape& shape, MatrixView<const float> a,
                        MatrixView<const float> b, MatrixView<float> c);

}  // namespace cadena::kernels
