#pragma once

#include <cadena/autograd/ops/values_and_indices.hpp>

namespace cadena {

// Scans along one axis, of the shape of x: element i is made of x_0 .. x_i. A 0-d tensor has axis
// 0. The bits do not depend on the number of threads.

/// Σ_(k <= i) x_k. Integers and booleans give int64, which wraps around. float32 is added in
/// double, float64 with what each addition loses.
Tensor cumsum(const Tensor& x, std::int64_t axis);

/// Π_(k <= i) x_k, one factor after another, float32 in double. Integers and booleans give int64,
/// which wraps around. The gradient needs no division: it is right where factors are 0.
Tensor cumprod(const Tensor& x, std::int64_t axis);

/// log Σ_(k <= i) e^(x_k), without overflow; -∞ as long as all are. Integers give float32. Where
/// all so far are -∞ the subgradient is 0, as that of logsumexp.
Tensor logcumsumexp(const Tensor& x, std::int64_t axis);

/// The largest x_k, k <= i, and its index (int64), the last one among equal elements, which takes
/// the whole gradient. From the first NaN on all are NaN.
ValuesAndIndices cummax(const Tensor& x, std::int64_t axis);
/// The smallest x_k, k <= i, and its index, as cummax.
ValuesAndIndices cummin(const Tensor& x, std::int64_t axis);

}  // namespace cadena
