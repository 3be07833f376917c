#pragma once

#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/index_plan.hpp>

#include <algorithm>
#include <atomic>

namespace cadena::ops {

/// The elements of a selection in the memory of a tensor.
class Selected {
 public:
  /// Checks the indices, and makes one of all of them: of `step` elements each.
  Selected(const char* operation, const Selection& selection, Inputs indices, const Shape& shape,
           const Strides& strides)
      : layout_{selection.shape(), selection.place, 1, 1, {}, {}, {}},
        count_(selection.advanced ? numel(selection.indices) : 0),
        places_(count_) {
    const Axes& axes = selection.axes;
    layout_.indices = Dims::filled(layout_.shape.size(), 0);
    for (int i = 0; i < shape.size(); ++i) {
      start_ += selection.grid.start[i] * strides[i];
      if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
        layout_.target.push_back(strides[i] * selection.grid.step[i]);
      }
    }
    if (!selection.advanced) {
      return;
    }
    layout_.target.insert(selection.place, 0);
    layout_.indices[selection.place] = 1;
    // In row-major memory the last axis has the smallest stride, which divides the others.
    const std::int64_t last = axes.empty() ? 1 : strides[static_cast<int>(axes.back())];
    layout_.step = last > 0 ? last : 1;
    for (std::int64_t axis : axes) {
      layout_.step = strides[static_cast<int>(axis)] % layout_.step == 0 ? layout_.step : 1;
    }
    std::fill_n(places_.data(), count_, 0);
    for (int k = 0; k < axes.size(); ++k) {
      const int axis = static_cast<int>(axes[k]);
      const std::int64_t step = strides[axis] / layout_.step;
      layout_.size += (std::max<std::int64_t>(shape[axis], 1) - 1) * step;
      add(operation, selection, indices[static_cast<std::size_t>(k)], shape, axis, step);
    }
  }

  /// With elements of `data` at these strides.
  kernels::Indexed with(const Strides& data) const {
    kernels::Indexed result = layout_;
    result.data = data;
    return result;
  }
  const std::int64_t* places() const noexcept { return places_.data(); }
  std::int64_t start() const noexcept { return start_; }

 private:
  void add(const char* operation, const Selection& selection, const Input& indices,
           const Shape& shape, int axis, std::int64_t step) {
    const auto* from = indices.data<std::int64_t>();
    const std::int64_t from_step = indices.strides()[0], size = shape[axis];
    const auto outside = [size](std::int64_t index) { return index < -size || index >= size; };
    std::atomic<bool> wrong{false};
    parallel_for(count_, kernels::moving_grain(count_), [&](std::int64_t begin, std::int64_t end) {
      bool any = false;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t index = from[i * from_step];
        const bool bad = outside(index);
        any |= bad;
        places_.data()[i] += bad ? 0 : (index < 0 ? index + size : index) * step;
      }
      if (any) {
        wrong.store(true, std::memory_order_relaxed);
      }
    });
    for (std::int64_t i = 0; wrong && i < count_; ++i) {
      if (outside(from[i * from_step])) {
        fail("{}: index {} at position {} is outside [{}, {}) of axis {} of size {}", operation,
             from[i * from_step], unravel(i, selection.indices), -size, size, axis, size);
      }
    }
  }

  kernels::Indexed layout_;
  std::int64_t count_, start_ = 0;
  kernels::Scratch<std::int64_t> places_;
};

}  // namespace cadena::ops
