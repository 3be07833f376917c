#pragma once

#include <cadena/autograd/core/shape.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace cadena::kernels {

/// A walk over the elements of a shape in row-major order with a place in each of `n` strided
/// arrays. Neighbouring dimensions are merged where all strides allow it.
template <int n> class Walk {
 public:
  using Places = std::array<std::int64_t, static_cast<std::size_t>(n)>;  ///< In elements.

  template <class... S>
  explicit Walk(const Shape& shape, const S&... strides) : count_(numel(shape)) {
    static_assert(sizeof...(S) == n);
    const Strides* const given[] = {&strides...};
    for (int i = 0; i < shape.size(); ++i) {
      if (shape[i] == 1) {
        continue;
      }
      bool merges = !shape_.empty();
      for (int k = 0; merges && k < n; ++k) {
        merges = strides_[k].back() == shape[i] * (*given[k])[i];
      }
      if (merges) {
        shape_[shape_.size() - 1] *= shape[i];
      } else {
        shape_.push_back(shape[i]);
      }
      for (int k = 0; k < n; ++k) {
        if (!merges) {
          strides_[k].push_back(0);
        }
        strides_[k][shape_.size() - 1] = (*given[k])[i];
      }
    }
    if (shape_.empty()) {
      shape_.push_back(1);
      for (Strides& each : strides_) {
        each.push_back(1);
      }
    }
  }

  std::int64_t count() const noexcept { return count_; }

  const Shape& shape() const noexcept { return shape_; }  ///< With merged dimensions.
  const Strides& strides(int k) const noexcept { return strides_[k]; }

  bool is_one_run() const noexcept { return shape_.size() == 1; }

  /// Distance of neighbours within a run, in array k.
  std::int64_t step(int k) const noexcept { return strides_[k].back(); }

  /// Calls body(run, places) for each run of equal steps in [begin, end).
  template <class Body> void run(std::int64_t begin, std::int64_t end, Body&& body) const {
    if (begin >= end) {
      return;
    }
    const int last = shape_.size() - 1;
    Dims index = shape_;
    Places places{};
    std::int64_t rest = begin;
    for (int axis = last; axis >= 0; --axis) {
      index[axis] = rest % shape_[axis];
      rest /= shape_[axis];
      move(places, axis, index[axis]);
    }
    while (true) {
      const std::int64_t run = std::min(end - begin, shape_[last] - index[last]);
      body(run, std::as_const(places));
      begin += run;
      if (begin == end) {
        return;
      }
      move(places, last, -index[last]);
      index[last] = 0;
      for (int axis = last; axis-- > 0;) {
        move(places, axis, 1);
        if (++index[axis] < shape_[axis]) {
          break;
        }
        move(places, axis, -shape_[axis]);
        index[axis] = 0;
      }
    }
  }

 private:
  void move(Places& places, int axis, std::int64_t count) const noexcept {
    for (int k = 0; k < n; ++k) {
      places[static_cast<std::size_t>(k)] += count * strides_[k][axis];
    }
  }

  std::int64_t count_;
  Shape shape_;
  Strides strides_[n];
};

/// Elements a piece when `count` of them are moved: below 32768 a second thread does not pay.
inline std::int64_t moving_grain(std::int64_t count) noexcept {
  return count <= 32768 ? count : 16384;
}

/// to[p] = from[p] for `count` neighbours p.
template <class T>
void copy_run(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
              std::int64_t count) {
  if (to_step == 1 && from_step == 1) {
    std::copy_n(from, count, to);
  } else if (to_step == 1 && from_step == 0) {
    std::fill_n(to, count, *from);
  } else if (to_step == 1 && from_step == -1) {
    std::reverse_copy(from - count + 1, from + 1, to);
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      to[i * to_step] = from[i * from_step];
    }
  }
}

/// The dimension in which neighbours of `from` lie side by side if it is not that of `to`, and both
/// are long enough for tiles; else -1.
inline int transposed_axis(const Walk<2>& walk) {
  const int last = walk.shape().size() - 1;
  if (walk.step(0) != 1 || walk.step(1) == 0 || walk.shape()[last] < 8) {
    return -1;
  }
  for (int axis = 0; axis < last; ++axis) {
    if (walk.strides(1)[axis] == 1 && walk.shape()[axis] >= 8) {
      return axis;
    }
  }
  return -1;
}

/// Copies in square tiles of the last dimension and another one, in which `from` is contiguous.
/// Each tile goes through the cache: a line is touched once, whatever the distance of rows.
template <class T> void copy_transposed(const Walk<2>& walk, int across, T* to, const T* from) {
  constexpr std::int64_t side = 32;
  const Shape& shape = walk.shape();
  const Strides &to_strides = walk.strides(0), &from_strides = walk.strides(1);
  const int last = shape.size() - 1;
  Shape tiles = shape;
  tiles[across] = (shape[across] + side - 1) / side;
  tiles[last] = (shape[last] + side - 1) / side;
  parallel_for(numel(tiles), 16, [&](std::int64_t begin, std::int64_t end) {
    T square[side * side];
    for (std::int64_t tile = begin; tile < end; ++tile) {
      Dims first = unravel(tile, tiles);
      first[across] *= side;
      first[last] *= side;
      T* write = to;
      const T* read = from;
      for (int axis = 0; axis <= last; ++axis) {
        write += first[axis] * to_strides[axis];
        read += first[axis] * from_strides[axis];
      }
      const std::int64_t rows = std::min(side, shape[across] - first[across]);
      const std::int64_t columns = std::min(side, shape[last] - first[last]);
      for (std::int64_t j = 0; j < columns; ++j) {
        for (std::int64_t i = 0; i < rows; ++i) {
          square[i * side + j] = read[j * from_strides[last] + i];
        }
      }
      for (std::int64_t i = 0; i < rows; ++i) {
        std::copy_n(square + i * side, columns, write + i * to_strides[across]);
      }
    }
  });
}

/// to[p] = from[p] for all places p of a shape, in parallel.
template <class T>
void copy_elements(const Shape& shape, T* to, const Strides& to_strides, const T* from,
                   const Strides& from_strides) {
  const Walk<2> walk(shape, to_strides, from_strides);
  if (const int across = transposed_axis(walk); across >= 0 && walk.count() > 0) {
    copy_transposed(walk, across, to, from);
    return;
  }
  parallel_for(walk.count(), moving_grain(walk.count()), [&](std::int64_t begin, std::int64_t end) {
    walk.run(begin, end, [&](std::int64_t run, const auto& at) {
      copy_run(to + at[0], walk.step(0), from + at[1], walk.step(1), run);
    });
  });
}

}  // namespace cadena::kernels
