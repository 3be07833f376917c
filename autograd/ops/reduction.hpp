#pragma once

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/ops/values_and_indices.hpp>

#include <optional>

namespace cadena {

// Reductions over any axes: all if none are named, negative ones count from the end, a 0-d tensor
// takes 0 and -1; `keepdim` leaves dimensions of size 1. NaN propagates. Each order of summation is
// fixed by the shape.

struct VarOptions {
  double correction = 1;  ///< Taken off the count: 1 for a sample (Bessel), 0 for a population.
  bool keepdim = false;
};

/// Σ(x - mean)² / max(0, n - correction), in double and 0 where all elements are equal; integers
/// give float32. Where n <= correction that is 0/0, NaN, or infinite.
Tensor var(const Tensor& x, const Axes& axes = {}, VarOptions options = {});

/// √var(x): the standard deviation, also where var itself would overflow or underflow. Where it is
/// 0 its gradient is taken to be 0. Name it in full, `cadena::std(x)`: after `using namespace
/// cadena` a bare `std` may be this function or the namespace, and does not compile.
Tensor std(const Tensor& x, const Axes& axes = {}, VarOptions options = {});

/// The product of elements; integers and booleans give int64, which wraps around; 1 over nothing.
/// The gradient of an element is the product of the others, without a division: also beside zeros.
Tensor prod(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// The largest element, of x's dtype. Ties share the gradient evenly. Error over nothing.
Tensor amax(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
/// The smallest element, of x's dtype. Ties share the gradient evenly. Error over nothing.
Tensor amin(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// The index (int64) along an axis of the first largest element, or of the first NaN; without an
/// axis the index in row-major order. Error over nothing.
Tensor argmax(const Tensor& x, std::optional<std::int64_t> axis = {}, bool keepdim = false);
/// The index (int64) along an axis of the first smallest element, or of the first NaN; without an
/// axis the index in row-major order. Error over nothing.
Tensor argmin(const Tensor& x, std::optional<std::int64_t> axis = {}, bool keepdim = false);

/// The largest elements along an axis and their indices: of ties the first, or the first NaN. The
/// gradient goes to the element at the index alone; amax shares it. Error over nothing.
ValuesAndIndices max(const Tensor& x, std::int64_t axis, bool keepdim = false);
/// The smallest elements along an axis and their indices: of ties the first, or the first NaN. The
/// gradient goes to the element at the index alone; amin shares it. Error over nothing.
ValuesAndIndices min(const Tensor& x, std::int64_t axis, bool keepdim = false);

/// Whether any element is not 0 (NaN is not): boolean; false over nothing.
Tensor any(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
/// Whether all elements are not 0 (NaN is not): boolean; true over nothing.
Tensor all(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
/// The number (int64) of elements that are not 0; NaN is not.
Tensor count_nonzero(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// (Σ|x|^p)^(1/p) for p >= 1, max|x| for an infinite p, without overflow on the way; 0 over
/// nothing. The subgradient is 0 at the zero vector and, for p = 1, in each coordinate that is 0;
/// for an infinite p ties share it evenly. Integers give float32.
Tensor norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keepdim = false);

}  // namespace cadena
