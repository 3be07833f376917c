#pragma once

#include <cadena/autograd/kernels/denormals.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>

// How normalisations are cut into pieces of work. The shape alone decides.

namespace cadena::kernels::normalizing {

/// So many elements make a piece of work: 10 to 20 µs.
inline constexpr std::int64_t normalize_piece = 32768;

inline std::int64_t grain_of(std::int64_t elements) {
  return std::max<std::int64_t>(1, normalize_piece / std::max<std::int64_t>(1, elements));
}

/// Calls body.operator()<Arch>(i) for each i in [0, n), where one is work on so many elements.
template <class T, class Body> void each(std::int64_t n, std::int64_t elements, Body body) {
  parallel_for(
      n, grain_of(elements),
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t i = begin; i < end; ++i) body.template operator()<Arch>(i);
        });
      },
      denormals<T>);
}

/// Rows in blocks whose sums are made one by one.
struct RowBlocks {
  std::int64_t rows, in_block, count;
  RowBlocks(std::int64_t all, std::int64_t columns)
      : rows(all),
        in_block(std::clamp<std::int64_t>(grain_of(columns), 4, 64)),
        count(all == 0 ? 0 : (all - 1) / in_block + 1) {}
};

/// Calls row.operator()<Arch>(r, first, second) for each row, where both are arrays of n numbers of
/// the row's block, which begin with 0. Leaves the sums of all blocks in `firsts` and `seconds`
/// (unless null).
template <class T, class Row>
void sum_over_rows(std::int64_t rows, std::int64_t columns, std::int64_t n, T* firsts, T* seconds,
                   Row row) {
  const RowBlocks blocks(rows, columns);
  const Scratch<T> memory(2 * blocks.count * n);
  T *first = memory.data(), *second = first + blocks.count * n;
  each<T>(blocks.count, blocks.in_block * columns, [=]<class Arch>(std::int64_t block) {
    T *here = first + block * n, *there = second + block * n;
    std::fill_n(here, n, T(0));
    std::fill_n(there, n, T(0));
    const std::int64_t begin = block * blocks.in_block;
    for (std::int64_t r = begin; r < std::min(rows, begin + blocks.in_block); ++r) {
      row.template operator()<Arch>(r, here, there);
    }
  });
  const ReduceShape shape{1, blocks.count, n};
  sum(shape, static_cast<const T*>(first), firsts);
  if (seconds != nullptr) sum(shape, static_cast<const T*>(second), seconds);
}

template <class T> T or_else(const T* values, std::int64_t i, T otherwise) {
  return values == nullptr ? otherwise : values[i];
}

}  // namespace cadena::kernels::normalizing
