#pragma once

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/values_and_indices.hpp>

#include <algorithm>
#include <utility>

// What scans and sorting have in common.

namespace cadena::ops {

/// apply(x, axis) with the axis as one of x's; a 0-d tensor takes axis 0, as if it had one.
template <class Apply>
Tensors with_axis(const char* operation, const Tensor& x, std::int64_t axis, Apply&& apply) {
  const int rank = detail::impl_of(x, operation).shape.size();
  const int normal = normalize_axis(axis, std::max(rank, 1), operation);
  if (rank > 0) {
    return apply(x, normal);
  }
  Tensors results = apply(reshape(x, {1}), 0);
  for (Tensor& result : results) {
    result = result.numel() == 1 ? reshape(result, {}) : result;
  }
  return results;
}

/// The gradient of an operator whose outputs are elements of its only input and their indices along
/// an axis: each goes to the place the element came from.
inline Gradients to_places(const Backward& b, int axis) {
  const Type& type = b.in_type(0);
  const Tensor nothing = expand(zeros({}, {.dtype = type.dtype}), type.shape);
  return {scatter_add(nothing, axis, b.out(1), b.grad(0))};
}

inline ValuesAndIndices values_and_indices(Tensors&& both) {
  return {std::move(both[0]), std::move(both[1])};
}

}  // namespace cadena::ops
