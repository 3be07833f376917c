#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <initializer_list>
#include <span>
#include <vector>

namespace cadena {

/// Tensors one after another along an axis; their shapes agree in all others. Dtypes are promoted.
Tensor cat(std::span<const Tensor> tensors, std::int64_t axis = 0);
Tensor cat(std::initializer_list<Tensor> tensors, std::int64_t axis = 0);

/// Tensors of one shape along a new axis. Dtypes are promoted.
Tensor stack(std::span<const Tensor> tensors, std::int64_t axis = 0);
Tensor stack(std::initializer_list<Tensor> tensors, std::int64_t axis = 0);

// The inverse of these. Views where no gradient flows; else one copy, whose gradient is put
// together at once.

/// Pieces of `size` (at least 1) along an axis; the last one may be smaller.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, std::int64_t axis = 0);
/// Pieces of these sizes along an axis, which they fill.
std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes,
                          std::int64_t axis = 0);
std::vector<Tensor> split(const Tensor& x, std::initializer_list<std::int64_t> sizes,
                          std::int64_t axis = 0);
/// At most `count` pieces of equal size along an axis; the last one may be smaller.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, std::int64_t axis = 0);
/// The slices along an axis, which disappears.
std::vector<Tensor> unbind(const Tensor& x, std::int64_t axis = 0);

}  // namespace cadena
