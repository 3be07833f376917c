#pragma once

#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <algorithm>

namespace cadena::ops {

/// A tensor arranged so that the reduced axes are neighbours, as the reduction kernels take it.
struct ReduceLayout {
  Tensor x;
  kernels::ReduceShape shape;
};

/// Moves reduced axes (normalized) to the end where they are not neighbours already.
inline ReduceLayout reduce_layout(const Tensor& x, const Axes& axes) {
  const Shape& shape = x.shape();
  const auto is_reduced = [&](int axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  ReduceLayout layout{x, {1, 1, 1}};
  const bool neighbours = axes.empty() || axes.back() - axes[0] + 1 == axes.size();
  for (int i = 0; i < shape.size(); ++i) {
    if (is_reduced(i)) {
      layout.shape.reduced *= shape[i];
    } else if (!neighbours || axes.empty() || i < axes[0]) {
      layout.shape.outer *= shape[i];
    } else {
      layout.shape.inner *= shape[i];
    }
  }
  if (!neighbours) {
    Axes order;
    for (int i = 0; i < shape.size(); ++i) {
      if (!is_reduced(i)) {
        order.push_back(i);
      }
    }
    for (std::int64_t axis : axes) {
      order.push_back(axis);
    }
    layout.x = permute(x, order);
  }
  return layout;
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

}  // namespace cadena::ops
