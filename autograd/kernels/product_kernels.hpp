#pragma once

#include <cadena/autograd/kernels/product.hpp>

namespace cadena::kernels {

// The parts of products that are compiled once per architecture. All run in the calling thread;
// sizes are at least 1.

/// Products of any shape, by Eigen.
template <class Arch, class T>
void product_by_blocks(const ProductShape& shape, MatrixView<const T> a, MatrixView<const T> b,
                       MatrixView<T> c);

/// The most elements of B that product_in_registers takes, its columns rounded up to tiny_width.
inline constexpr std::int64_t tiny_width = 16, tiny_elements = 1024;

/// Products so small that preparing them must cost next to nothing.
template <class Arch, class T>
void product_in_registers(const ProductShape& shape, MatrixView<const T> a, MatrixView<const T> b,
                          MatrixView<T> c);

}  // namespace cadena::kernels
