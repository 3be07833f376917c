#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/kernels/wrap.hpp>

#include <atomic>

namespace cadena::kernels {
namespace {

constexpr std::int64_t serial = 32768;   // addends; below, a second thread does not pay
constexpr std::int64_t block = 16384;    // addends of a piece at least
constexpr std::int64_t cache_line = 16;  // elements that two threads should not share
constexpr std::int64_t most_blocks = 8;  // also of pieces that each read all indices

template <class T>
void add_run(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
             std::int64_t count) {
  if (to_step == 1 && from_step == 1) {
    for (std::int64_t i = 0; i < count; ++i) {
      to[i] = wrapping_sum(to[i], from[i]);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      to[i * to_step] = wrapping_sum(to[i * to_step], from[i * from_step]);
    }
  }
}

/// Adds a box of the source in row-major order.
template <class T>
void add_in_order(const Indexed& box, const std::int64_t* indices, const T* source, T* target) {
  const Walk<3> walk(box.shape, box.indices, box.data, box.target);
  walk.run(0, walk.count(), [&](std::int64_t run, const auto& at) {
    const std::int64_t* index = indices + at[0];
    const T* from = source + at[1];
    T* to = target + at[2];
    if (walk.step(0) == 0) {
      add_run(to + *index * box.step, walk.step(2), from, walk.step(1), run);
      return;
    }
    for (std::int64_t i = 0; i < run; ++i) {
      T& sum = to[index[i * walk.step(0)] * box.step + i * walk.step(2)];
      sum = wrapping_sum(sum, from[i * walk.step(1)]);
    }
  });
}

/// A dimension beside the axis, cut: its pieces meet in no element of the target.
struct Cut {
  int dimension = -1;
  std::int64_t pieces = 1;
};

Cut independent_cut(const Indexed& indexed, std::int64_t count) {
  Cut best;
  if (count <= serial) {
    return best;
  }
  for (int i = 0; i < indexed.shape.size() && best.pieces < most_blocks; ++i) {
    if (i == indexed.axis) {
      continue;
    }
    std::int64_t most = indexed.shape[i];
    if (i > indexed.axis) {
      most = std::min({most, most * indexed.target[i] / cache_line, most_blocks});
    }
    const std::int64_t pieces = std::min(most, count / block);
    if (pieces > best.pieces) {
      best = {i, pieces};
    }
  }
  return best;
}

template <class T>
void add_blocks(const Indexed& indexed, std::int64_t blocks, const std::int64_t* indices,
                const T* source, T* target) {
  const std::int64_t length = indexed.shape[indexed.axis];
  const std::int64_t grain = (length + blocks - 1) / blocks;
  const auto scratch = detail::make_impl(dtype_of<T>, {blocks, indexed.size});
  T* sums = reinterpret_cast<T*>(scratch->data);
  parallel_for(length, grain, [&](std::int64_t begin, std::int64_t end) {
    T* mine = sums + begin / grain * indexed.size;
    std::fill_n(mine, indexed.size, T{0});
    Indexed piece = indexed;
    piece.shape[indexed.axis] = end - begin;
    piece.step = 1;
    add_in_order(piece, indices + begin * indexed.indices[indexed.axis],
                 source + begin * indexed.data[indexed.axis], mine);
  });
  const std::int64_t used = (length + grain - 1) / grain;
  for (std::int64_t k = 0; k < used; ++k) {
    add_run(target, indexed.step, sums + k * indexed.size, 1, indexed.size);
  }
}

template <class T>
void add_all(const Indexed& indexed, const std::int64_t* indices, const T* source, T* target) {
  const std::int64_t count = numel(indexed.shape);
  const std::int64_t length = indexed.shape[indexed.axis];
  const std::int64_t blocks = std::min(length / block, most_blocks);
  if (count == length && count > serial && blocks * indexed.size <= count / 2) {
    add_blocks(indexed, blocks, indices, source, target);
    return;
  }
  const Cut cut = independent_cut(indexed, count);
  if (cut.pieces == 1) {
    add_in_order(indexed, indices, source, target);
    return;
  }
  const int d = cut.dimension;
  const std::int64_t grain = (indexed.shape[d] + cut.pieces - 1) / cut.pieces;
  parallel_for(indexed.shape[d], grain, [&](std::int64_t begin, std::int64_t end) {
    Indexed piece = indexed;
    piece.shape[d] = end - begin;
    add_in_order(piece, indices + begin * indexed.indices[d], source + begin * indexed.data[d],
                 target + begin * indexed.target[d]);
  });
}

}  // namespace

std::int64_t first_outside(const Shape& shape, const Strides& strides, const std::int64_t* indices,
                           std::int64_t size) {
  const Walk<1> walk(shape, strides);
  const auto bound = static_cast<std::uint64_t>(size);
  const auto any_outside = [&](std::int64_t run, std::int64_t place) {
    bool outside = false;
    for (std::int64_t i = 0; i < run; ++i) {  // negative indices become huge
      outside |= static_cast<std::uint64_t>(indices[place + i * walk.step(0)]) >= bound;
    }
    return outside;
  };
  std::atomic<bool> found{false};
  parallel_for(walk.count(), moving_grain(walk.count()), [&](std::int64_t begin, std::int64_t end) {
    walk.run(begin, end, [&](std::int64_t run, const auto& at) {
      if (any_outside(run, at[0])) {
        found.store(true, std::memory_order_relaxed);
      }
    });
  });
  if (!found) {
    return -1;
  }
  std::int64_t position = -1, passed = 0;
  walk.run(0, walk.count(), [&](std::int64_t run, const auto& at) {
    for (std::int64_t i = 0; position < 0 && i < run; ++i) {
      if (any_outside(1, at[0] + i * walk.step(0))) {
        position = passed + i;
      }
    }
    passed += run;
  });
  return position;
}

void gather(Dtype dtype, const Indexed& indexed, const std::int64_t* indices, const std::byte* x,
            std::byte* out) {
  const Walk<3> walk(indexed.shape, indexed.indices, indexed.data, indexed.target);
  dispatch(dtype, [&]<class T>() {
    const T* const values = reinterpret_cast<const T*>(x);
    T* const result = reinterpret_cast<T*>(out);
    const auto move = [&](std::int64_t run, const auto& at) {
      const std::int64_t* index = indices + at[0];
      T* to = result + at[1];
      const T* from = values + at[2];
      if (walk.step(0) == 0) {
        copy_run(to, walk.step(1), from + *index * indexed.step, walk.step(2), run);
        return;
      }
      for (std::int64_t i = 0; i < run; ++i) {
        to[i * walk.step(1)] = from[index[i * walk.step(0)] * indexed.step + i * walk.step(2)];
      }
    };
    parallel_for(walk.count(), moving_grain(walk.count()),
                 [&](std::int64_t begin, std::int64_t end) { walk.run(begin, end, move); });
  });
}

void scatter_add(Dtype dtype, const Indexed& indexed, const std::int64_t* indices,
                 const std::byte* source, std::byte* target) {
  const auto add = [&]<class T>() {
    add_all(indexed, indices, reinterpret_cast<const T*>(source), reinterpret_cast<T*>(target));
  };
  if (dtype == Dtype::int64) {
    add.template operator()<std::int64_t>();
  } else {
    dispatch_floating(dtype, "scatter_add", add);
  }
}

}  // namespace cadena::kernels
