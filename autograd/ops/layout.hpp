#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

class Operator;

// The same values arranged otherwise. Views without a copy, except where `reshape` must copy.

/// The values in row-major order with another shape; one dimension may be -1 and is inferred.
Tensor reshape(const Tensor& x, const Shape& shape);
/// Merges dimensions first to last into one; a 0-d tensor becomes [1].
Tensor flatten(const Tensor& x, std::int64_t first = 0, std::int64_t last = -1);
/// Dimension i of the result is dimension axes[i] of x.
Tensor permute(const Tensor& x, const Axes& axes);
/// Swaps two dimensions.
Tensor transpose(const Tensor& x, std::int64_t a = -2, std::int64_t b = -1);
/// Removes the dimensions of size 1, or those of `axes` (which must be 1).
Tensor squeeze(const Tensor& x, const Axes& axes = {});
/// Adds a dimension of size 1 so that it is number `axis` of the result.
Tensor unsqueeze(const Tensor& x, std::int64_t axis);
/// The values converted to another dtype; differentiable between floating dtypes.
Tensor convert(const Tensor& x, Dtype dtype);
/// A copy in row-major order; x itself if it is contiguous.
Tensor contiguous(const Tensor& x);

namespace detail {
/// The operator of `contiguous`.
Ref<const Operator> contiguous_operator();
}  // namespace detail

}  // namespace cadena
