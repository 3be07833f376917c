#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/kernels/row_sums.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/walk.hpp>

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace cadena::kernels {
namespace {

constexpr std::int64_t serial = 32768;   // addends; below, a second thread does not pay
constexpr std::int64_t cache_line = 16;  // elements that two threads should not share
constexpr std::int64_t most_blocks = 8;  // also of pieces that each read all indices

/// What happens to an element of the target (see also Add): it takes another value.
struct Assign {
  template <class T> static void one(T& to, T from) { to = from; }
  template <class T>
  static void run(T* to, std::int64_t to_step, const T* from, std::int64_t from_step,
                  std::int64_t count) {
    copy_run(to, to_step, from, from_step, count);
  }
};

/// Takes a box of the source in row-major order.
template <class Change, class From, class To>
void change_in_order(const Indexed& box, const std::int64_t* indices, const From* source,
                     To* target) {
  const Walk<3> walk(box.shape, box.indices, box.data, box.target);
  walk.run(0, walk.count(), [&](std::int64_t run, const auto& at) {
    const std::int64_t* index = indices + at[0];
    const From* from = source + at[1];
    To* to = target + at[2];
    if (walk.step(0) == 0) {
      Change::run(to + *index * box.step, walk.step(2), from, walk.step(1), run);
      return;
    }
    for (std::int64_t i = 0; i < run; ++i) {
      Change::one(to[index[i * walk.step(0)] * box.step + i * walk.step(2)],
                  from[i * walk.step(1)]);
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
  const Scratch<Sum<T>> scratch(blocks * indexed.size);
  Sum<T>* const sums = scratch.data();
  parallel_for(length, grain, [&](std::int64_t begin, std::int64_t end) {
    Sum<T>* mine = sums + begin / grain * indexed.size;
    std::fill_n(mine, indexed.size, Sum<T>{0});
    Indexed piece = indexed;
    piece.shape[indexed.axis] = end - begin;
    piece.step = 1;
    change_in_order<Add>(piece, indices + begin * indexed.indices[indexed.axis],
                         source + begin * indexed.data[indexed.axis], mine);
  });
  const std::int64_t used = (length + grain - 1) / grain;
  for (std::int64_t k = 1; k < used; ++k) {
    Add::run(sums, 1, sums + k * indexed.size, 1, indexed.size);
  }
  Add::run(target, indexed.step, sums, 1, indexed.size);
}

/// Takes all of the source in order, independent parts of it at the same time.
template <class Change, class From, class To>
void change_all(const Indexed& indexed, const std::int64_t* indices, const From* source,
                To* target) {
  const Cut cut = independent_cut(indexed, numel(indexed.shape));
  if (cut.pieces == 1) {
    change_in_order<Change>(indexed, indices, source, target);
    return;
  }
  const int d = cut.dimension;
  const std::int64_t grain = (indexed.shape[d] + cut.pieces - 1) / cut.pieces;
  parallel_for(indexed.shape[d], grain, [&](std::int64_t begin, std::int64_t end) {
    Indexed piece = indexed;
    piece.shape[d] = end - begin;
    change_in_order<Change>(piece, indices + begin * indexed.indices[d],
                            source + begin * indexed.data[d], target + begin * indexed.target[d]);
  });
}

/// Whether more than `chunk` addends may meet in an element.
bool may_meet(const Indexed& indexed, const std::int64_t* indices) {
  const std::int64_t length = indexed.shape[indexed.axis], step = indexed.indices[indexed.axis];
  for (int i = 0; i < indexed.shape.size(); ++i) {
    if (i != indexed.axis && indexed.indices[i] != 0) {
      return length > chunk;
    }
  }
  if (length <= chunk) {
    return false;
  }
  // The same indices for all: count them, several to a counter.
  constexpr std::int64_t counters = 65536;
  const Scratch<std::uint16_t> counts(counters);
  std::fill_n(counts.data(), counters, std::uint16_t{0});
  for (std::int64_t i = 0; i < length; ++i) {
    if (++counts.data()[indices[i * step] % counters] > chunk) {
      return true;
    }
  }
  return false;
}

/// As change_all<Add>; what may be many addends of float32 is summed in float64.
template <class T>
void add_in_order(const Indexed& indexed, const std::int64_t* indices, const T* source, T* target) {
  if constexpr (std::is_same_v<T, Sum<T>>) {
    change_all<Add>(indexed, indices, source, target);
  } else if (!may_meet(indexed, indices)) {
    change_all<Add>(indexed, indices, source, target);
  } else {
    std::int64_t extent = (indexed.size - 1) * indexed.step + 1;
    for (int i = 0; i < indexed.shape.size(); ++i) {
      extent += (indexed.shape[i] - 1) * indexed.target[i];
    }
    const Scratch<Sum<T>> sums(extent);
    parallel_for(extent, moving_grain(extent), [&](std::int64_t begin, std::int64_t end) {
      std::copy(target + begin, target + end, sums.data() + begin);
    });
    change_all<Add>(indexed, indices, source, sums.data());
    parallel_for(extent, moving_grain(extent), [&](std::int64_t begin, std::int64_t end) {
      std::transform(sums.data() + begin, sums.data() + end, target + begin,
                     [](Sum<T> sum) { return static_cast<T>(sum); });
    });
  }
}

/// The length of the runs of neighbours of which the source and the target consist beside the
/// axis, 0 if they do not.
std::int64_t width_of_rows(const Indexed& indexed) {
  std::int64_t width = 1;
  for (int i = indexed.shape.size(); i-- > 0;) {
    if (i == indexed.axis || indexed.shape[i] == 1) {
      continue;
    }
    if (indexed.indices[i] != 0 || indexed.data[i] != width || indexed.target[i] != width) {
      return 0;
    }
    width *= indexed.shape[i];
  }
  return width;
}

template <class T>
void add_all(const Indexed& indexed, const std::int64_t* indices, const T* source, T* target) {
  const std::int64_t count = numel(indexed.shape);
  if (count == 0) {
    return;
  }
  const std::int64_t length = indexed.shape[indexed.axis];
  const std::int64_t blocks = std::min(length / block, most_blocks);
  if (count == length && count > serial && blocks * indexed.size <= count / 2) {
    add_blocks(indexed, blocks, indices, source, target);
    return;
  }
  const std::int64_t width = width_of_rows(indexed);
  if (count > serial && width >= 4 && indexed.size <= count) {
    const Groups groups(indexed.size, indices, indexed.indices[indexed.axis], length, -1);
    add_groups(groups, width, source, indexed.data[indexed.axis], target, indexed.step, false);
    return;
  }
  add_in_order(indexed, indices, source, target);
}

/// Calls f with the C++ type of a dtype that is computed with.
template <class F> void dispatch_numbers(Dtype dtype, const char* operation, F&& f) {
  if (dtype == Dtype::int64) {
    f.template operator()<std::int64_t>();
  } else {
    dispatch_floating(dtype, operation, f);
  }
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
      if (walk.step(0) == 1 && walk.step(1) == 1 && walk.step(2) == 0 && indexed.step == 1) {
        for (std::int64_t i = 0; i < run; ++i) {
          to[i] = from[index[i]];
        }
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
  dispatch_numbers(dtype, "scatter_add", [&]<class T>() {
    add_all(indexed, indices, reinterpret_cast<const T*>(source), reinterpret_cast<T*>(target));
  });
}

void scatter_assign(Dtype dtype, const Indexed& indexed, const std::int64_t* indices,
                    const std::byte* source, std::byte* target) {
  dispatch(dtype, [&]<class T>() {
    change_all<Assign>(indexed, indices, reinterpret_cast<const T*>(source),
                       reinterpret_cast<T*>(target));
  });
}

void sum_rows(Dtype dtype, const Rows& rows, const std::int64_t* indices, const std::byte* source,
              std::byte* target) {
  if (rows.rows == 0 || rows.width == 0) {
    return;
  }
  const Groups groups(rows.rows, indices, 1, rows.count, rows.skipped);
  dispatch_numbers(dtype, "sum_rows", [&]<class T>() {
    add_groups(groups, rows.width, reinterpret_cast<const T*>(source), rows.width,
               reinterpret_cast<T*>(target), rows.width, true);
  });
}

}  // namespace cadena::kernels
