#pragma once

#include <cadena/autograd/ops/values_and_indices.hpp>

namespace cadena {

// Order along an axis, for all dtypes. NaN is larger than all numbers, 0 and -0 are equal; equal
// elements stay in the order they have. A 0-d tensor has axis 0. The gradient goes to the elements
// that were chosen, to the earlier one of equal ones.

/// The elements from the smallest to the largest, or, `descending`, the other way round, and their
/// indices in x.
ValuesAndIndices sort(const Tensor& x, std::int64_t axis = -1, bool descending = false);

/// The indices (int64) that sort x. No gradient.
Tensor argsort(const Tensor& x, std::int64_t axis = -1, bool descending = false);

/// The k largest (or smallest) elements and their indices in x; unless `sorted`, in the order they
/// stand there. Error unless 0 <= k <= x.size(axis).
ValuesAndIndices topk(const Tensor& x, std::int64_t k, std::int64_t axis = -1, bool largest = true,
                      bool sorted = true);

}  // namespace cadena
