#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// What comes of the order of elements. NaN is larger than all numbers, as in `sort`.

/// Between which of the sorted `boundaries` [n] each element of x falls, as int64 of x's shape: the
/// number of boundaries below x (right: at most x). Dtypes are promoted. No gradient. Error if the
/// boundaries are not sorted.
Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right = false);

/// Where each of `values` is to be inserted into a sorted sequence [n] to leave it sorted: before
/// the elements that are equal to it, or (right) behind them. bucketize(values, sorted_sequence).
Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right = false);

struct UniqueOptions {
  bool return_inverse = false;
  bool return_counts = false;
};

/// What `unique` gives; undefined where it was not asked for.
struct Unique {
  Tensor values;   ///< Sorted, [n].
  Tensor inverse;  ///< Of x's shape, int64: where its elements are in `values`.
  Tensor counts;   ///< How often each value stands in x, int64 [n].
};

/// The different elements of a tensor of any shape. All NaN are one; of 0 and -0 the first stays.
/// The shape depends on the values. The gradient goes to the first of equal elements.
Unique unique(const Tensor& x, UniqueOptions options = {});

/// y[v] = how often v stands in x [n], an integer tensor without negative elements; or, with
/// `weights` [n], the sum of the weights at these places, which is differentiable in them. The size
/// is the largest element + 1, `minlength` at least. int64, or the dtype of floating weights
/// (float64 of others).
Tensor bincount(const Tensor& x, const Tensor& weights = {}, std::int64_t minlength = 0);

}  // namespace cadena
