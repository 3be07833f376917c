#pragma once

#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <algorithm>
#include <string>

// What reductions have in common.

namespace cadena::ops {

/// What the kernels make of a contiguous tensor of which neighbouring axes are reduced.
inline kernels::ReduceShape reduce_shape(const Shape& dims, const Axes& axes) {
  kernels::ReduceShape shape{1, 1, 1};
  for (int i = 0; i < dims.size(); ++i) {
    const bool before = axes.empty() || i < axes[0];
    const bool after = !axes.empty() && i > axes.back();
    (before ? shape.outer : after ? shape.inner : shape.reduced) *= dims[i];
  }
  return shape;
}

/// Reduces over any (normalized) axes in memory: runs of neighbouring ones one after the other, the
/// last first, by reduce(shape, from, to).
template <class From, class To, class Reduce>
void reduce_runs(const Shape& dims, const Axes& axes, const From* x, To* out, Reduce&& reduce) {
  int first = axes.size() - 1;  // of the last run
  while (first > 0 && axes[first - 1] == axes[first] - 1) {
    --first;
  }
  if (first <= 0) {
    reduce(reduce_shape(dims, axes), x, out);
    return;
  }
  Axes before = axes, last;
  for (int i = first; i < axes.size(); ++i) {
    last.push_back(axes[i]);
    before.erase(first);
  }
  const Shape rest = reduced_shape(dims, last, false);
  const kernels::Scratch<To> between(numel(rest));
  reduce(reduce_shape(dims, last), x, between.data());
  reduce_runs(rest, before, static_cast<const To*>(between.data()), out, reduce);
}

/// The rows of a shape whose last dimensions are these axes, all of them and no other; else 0.
inline std::int64_t rows_before(const Shape& shape, const Axes& axes) {
  std::int64_t rows = 1;
  const int lead = shape.size() - axes.size();
  for (int i = 0; i < lead; ++i) {
    rows *= shape[i];
  }
  return !axes.empty() && axes[0] == lead ? rows : 0;  // axes ascend
}

/// body(i) for each i in [0, count), in parallel.
template <class Body> void each_result(std::int64_t count, Body&& body) {
  parallel_for(count, 32768, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      body(i);
    }
  });
}

/// reduce(x, axes, keepdim), which takes neighbouring axes, for any (normalized) ones: those that
/// are apart are moved to the end.
template <class Reduce>
Tensor over_axes(const Tensor& x, const Axes& axes, bool keepdim, Reduce&& reduce) {
  if (axes.empty() || axes.back() - axes[0] + 1 == axes.size()) {
    return reduce(x, axes, keepdim);
  }
  Axes order, last;
  for (int i = 0; i < x.dim(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
      order.push_back(i);
    }
  }
  for (const std::int64_t axis : axes) {
    last.push_back(order.size());
    order.push_back(axis);
  }
  const Tensor result = reduce(permute(x, order), last, false);
  return keepdim ? reshape(result, reduced_shape(x.shape(), axes, true)) : result;
}

/// An axis of size 1 put back at each of `axes`, so that the tensor broadcasts over them.
inline Tensor restore_axes(const Tensor& x, const Axes& axes, bool keepdim) {
  if (keepdim) {
    return x;
  }
  Shape shape = x.shape();
  for (std::int64_t axis : axes) {
    shape.insert(static_cast<int>(axis), 1);
  }
  return reshape(x, shape);
}

inline std::string attributes_of(const Axes& axes, bool keepdim) {
  return to_string(axes) + (keepdim ? " keepdim" : "");
}

/// Integers as float32.
inline Tensor floating(const Tensor& x) {
  return is_floating(x.dtype()) ? x : x.to(Dtype::float32);
}

}  // namespace cadena::ops
