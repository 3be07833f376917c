#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/reduce_kernels.hpp>

#include <algorithm>
#include <memory>
#include <type_traits>

namespace cadena::kernels {
namespace {

// Elements a piece of work reads: 10 to 20 µs from memory.
constexpr std::int64_t piece_elements = 65536;

template <class T>
constexpr Denormals denormals = std::is_same_v<T, float> ? Denormals::flush : Denormals::keep;

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a - 1) / b + 1; }

// The reduction of what a first reduction left: squares are not squared again.
constexpr Reduction next(Reduction r) {
  return r == Reduction::maximum || r == Reduction::minimum ? r : Reduction::sum;
}

template <Reduction reduction, class T> T row(const T* x, std::int64_t n, T center) {
  return at_level([&]<class Arch>() { return reduce_row<Arch, reduction>(x, n, center); });
}

template <Reduction reduction, class T>
void columns(const T* x, const T* other, std::int64_t rows, std::int64_t stride, std::int64_t count,
             std::int64_t block, T* out) {
  at_level([&]<class Arch>() {
    reduce_columns<Arch, reduction>(x, other, rows, stride, count, block, out);
  });
}

// inner = 1. Long rows are cut into pieces, a whole number of blocks each, so that the tree of the
// pieces' results is the tree of the blocks.
template <Reduction reduction, class T>
void reduce_rows(const ReduceShape& s, const T* x, const T* center, T* out) {
  const std::int64_t n = s.reduced, pieces = divide_up(n, piece_elements);
  const auto center_of = [&](std::int64_t o) { return center == nullptr ? T(0) : center[o]; };
  if (pieces == 1) {
    parallel_for(
        s.outer, std::max<std::int64_t>(1, piece_elements / n),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t o = begin; o < end; ++o)
            out[o] = row<reduction>(x + o * n, n, center_of(o));
        },
        denormals<T>);
    return;
  }
  const auto partial =
      std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(s.outer * pieces));
  parallel_for(
      s.outer * pieces, 1,
      [&](std::int64_t item, std::int64_t) {
        const std::int64_t o = item / pieces, begin = item % pieces * piece_elements;
        partial[static_cast<std::size_t>(item)] =
            row<reduction>(x + o * n + begin, std::min(piece_elements, n - begin), center_of(o));
      },
      denormals<T>);
  parallel_for(
      s.outer, std::max<std::int64_t>(1, piece_elements / pieces),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t o = begin; o < end; ++o) {
          columns<next(reduction), T>(&partial[static_cast<std::size_t>(o * pieces)], nullptr,
                                      pieces, 1, 1, 1, out + o);
        }
      },
      denormals<T>);
}

// One matrix [rows, count]. Few columns are made more by taking `group` rows for one; the rows
// that do not fill a group come last.
template <Reduction reduction, class T>
void reduce_narrow(const T* x, const T* center, std::int64_t rows, std::int64_t count, T* out) {
  std::int64_t group = 1;
  while (2 * group * count <= column_tile && 2 * group * column_block <= rows) group *= 2;
  if (group == 1) {
    columns<reduction>(x, center, rows, count, count, column_block, out);
    return;
  }
  T wide[column_tile], wide_center[column_tile], rest[column_tile];
  if constexpr (reduction == Reduction::squared_deviations) {
    for (std::int64_t i = 0; i < group * count; ++i) wide_center[i] = center[i % count];
  }
  columns<reduction>(x, wide_center, rows / group, group * count, group * count, column_block,
                     wide);
  const std::int64_t left = rows % group;
  if (left == 0) {
    columns<next(reduction), T>(wide, nullptr, group, count, count, 1, out);
    return;
  }
  columns<next(reduction), T>(wide, nullptr, group, count, count, 1, rest);
  columns<reduction>(x + (rows - left) * count, center, left, count, count, 1, rest + count);
  columns<next(reduction), T>(rest, nullptr, 2, count, count, 1, out);
}

// inner > 1: pieces of rows by tiles of columns. The rows are `stride` elements apart; `other` has
// the centers [outer, inner] or the weights [reduced] (outer = 1).
template <Reduction reduction, class T>
void reduce_matrices(const ReduceShape& s, std::int64_t stride, const T* x, const T* other,
                     T* out) {
  const std::int64_t tiles = divide_up(s.inner, column_tile);
  const std::int64_t in_tile = std::min(column_tile, s.inner);
  std::int64_t piece_rows = column_block;
  while (piece_rows * in_tile < piece_elements) piece_rows *= 2;
  const std::int64_t pieces = divide_up(s.reduced, piece_rows);
  // results: [outer, pieces, inner]
  const auto reduce_piece = [&](std::int64_t o, std::int64_t piece, std::int64_t column,
                                T* results) {
    const std::int64_t first = piece * piece_rows, rows = std::min(piece_rows, s.reduced - first);
    const T* from = x + (o * s.reduced + first) * stride + column;
    T* to = results + (o * pieces + piece) * s.inner + column;
    if (reduction == Reduction::weighted_sum || tiles > 1) {
      const T* at = reduction == Reduction::weighted_sum         ? other + first
                    : reduction == Reduction::squared_deviations ? other + o * s.inner + column
                                                                 : nullptr;
      columns<reduction>(from, at, rows, stride, std::min(column_tile, s.inner - column),
                         column_block, to);
    } else {
      reduce_narrow<reduction>(from, other == nullptr ? nullptr : other + o * s.inner, rows,
                               s.inner, to);
    }
  };
  const auto reduce_pieces = [&](T* results) {
    const std::int64_t elements = std::min(piece_rows, s.reduced) * in_tile;
    parallel_for(
        s.outer * pieces * tiles, std::max<std::int64_t>(1, piece_elements / elements),
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t item = begin; item < end; ++item) {
            reduce_piece(item / tiles / pieces, item / tiles % pieces, item % tiles * column_tile,
                         results);
          }
        },
        denormals<T>);
  };
  if (pieces == 1) {
    reduce_pieces(out);
    return;
  }
  const auto partial =
      std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(s.outer * pieces * s.inner));
  reduce_pieces(partial.get());
  parallel_for(
      s.outer * tiles, std::max<std::int64_t>(1, piece_elements / (pieces * in_tile)),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t item = begin; item < end; ++item) {
          const std::int64_t o = item / tiles, column = item % tiles * column_tile;
          columns<next(reduction), T>(partial.get() + o * pieces * s.inner + column, nullptr,
                                      pieces, s.inner, std::min(column_tile, s.inner - column), 1,
                                      out + o * s.inner + column);
        }
      },
      denormals<T>);
}

template <Reduction reduction, class T>
void reduce(const ReduceShape& s, const T* x, const T* center, T* out) {
  if (s.outer == 0 || s.inner == 0) return;
  if (s.reduced == 0) {
    std::fill_n(out, s.outer * s.inner, T(0));
  } else if (s.inner == 1) {
    reduce_rows<reduction>(s, x, center, out);
  } else {
    reduce_matrices<reduction>(s, s.inner, x, center, out);
  }
}

// First the extreme values, then where they stand: a second look costs less than carrying indices.
template <Reduction reduction, class T>
void find_extreme(const ReduceShape& s, const T* x, std::int64_t* out) {
  if (s.outer == 0 || s.inner == 0) return;
  const auto extreme =
      std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(s.outer * s.inner));
  reduce<reduction, T>(s, x, nullptr, extreme.get());
  const std::int64_t tiles = divide_up(s.inner, column_tile);
  const std::int64_t elements = s.reduced * std::min(column_tile, s.inner);
  parallel_for(s.outer * tiles, std::max<std::int64_t>(1, piece_elements / elements),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t item = begin; item < end; ++item) {
                   const std::int64_t o = item / tiles, column = item % tiles * column_tile;
                   const T* from = x + o * s.reduced * s.inner + column;
                   const T* wanted = &extreme[static_cast<std::size_t>(o * s.inner + column)];
                   std::int64_t* to = out + o * s.inner + column;
                   at_level([&]<class Arch>() {
                     if (s.inner == 1) {
                       *to = find_in_row<Arch>(from, s.reduced, *wanted);
                     } else {
                       find_in_columns<Arch>(from, wanted, s.reduced, s.inner,
                                             std::min(column_tile, s.inner - column), to);
                     }
                   });
                 }
               });
}

}  // namespace

template <class T> void sum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::sum, T>(shape, x, nullptr, out);
}
template <class T>
void sum_squared_deviations(const ReduceShape& shape, const T* x, const T* center, T* out) {
  reduce<Reduction::squared_deviations>(shape, x, center, out);
}
template <class T> void maximum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::maximum, T>(shape, x, nullptr, out);
}
template <class T> void minimum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::minimum, T>(shape, x, nullptr, out);
}
template <class T> void argmax(const ReduceShape& shape, const T* x, std::int64_t* out) {
  find_extreme<Reduction::maximum>(shape, x, out);
}
template <class T> void argmin(const ReduceShape& shape, const T* x, std::int64_t* out) {
  find_extreme<Reduction::minimum>(shape, x, out);
}

template <class T> T dot(std::int64_t n, const T* x, const T* y) {
  if (n <= 0) return T(0);
  const auto part = [&](std::int64_t begin, std::int64_t end) {
    return at_level([&]<class Arch>() { return dot_row<Arch>(x + begin, y + begin, end - begin); });
  };
  const std::int64_t pieces = divide_up(n, piece_elements);
  if (pieces == 1) {
    T result = 0;
    parallel_for(
        1, 1, [&](std::int64_t, std::int64_t) { result = part(0, n); }, denormals<T>);
    return result;
  }
  const auto partial = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(pieces));
  parallel_for(
      n, piece_elements,
      [&](std::int64_t begin, std::int64_t end) {
        partial[static_cast<std::size_t>(begin / piece_elements)] = part(begin, end);
      },
      denormals<T>);
  T result = 0;
  sum({1, pieces, 1}, partial.get(), &result);
  return result;
}

template <class T>
void weighted_sum(const StridedRows& s, const T* weights, const T* x, T* out, bool accumulate) {
  if (s.rows == 0 || s.columns == 0) {
    if (!accumulate) std::fill_n(out, s.columns, T(0));
    return;
  }
  const ReduceShape shape{1, s.rows, s.columns};
  if (!accumulate)
    return reduce_matrices<Reduction::weighted_sum>(shape, s.stride, x, weights, out);
  const auto result = std::make_unique_for_overwrite<T[]>(static_cast<std::size_t>(s.columns));
  reduce_matrices<Reduction::weighted_sum>(shape, s.stride, x, weights, result.get());
  for (std::int64_t c = 0; c < s.columns; ++c) out[c] += result[static_cast<std::size_t>(c)];
}

#define CADENA_INSTANTIATE(T)                                        \
  template void sum(const ReduceShape&, const T*, T*);               \
  template void maximum(const ReduceShape&, const T*, T*);           \
  template void minimum(const ReduceShape&, const T*, T*);           \
  template void argmax(const ReduceShape&, const T*, std::int64_t*); \
  template void argmin(const ReduceShape&, const T*, std::int64_t*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)
CADENA_INSTANTIATE(std::int64_t)
template void sum_squared_deviations(const ReduceShape&, const float*, const float*, float*);
template void sum_squared_deviations(const ReduceShape&, const double*, const double*, double*);
template void weighted_sum(const StridedRows&, const float*, const float*, float*, bool);
template void weighted_sum(const StridedRows&, const double*, const double*, double*, bool);
template float dot(std::int64_t, const float*, const float*);
template double dot(std::int64_t, const double*, const double*);

}  // namespace cadena::kernels
