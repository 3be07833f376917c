#include <cadena/autograd/kernels/denormals.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/reduce_kernels.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>
#include <type_traits>

namespace cadena::kernels {
namespace {

// The reduction of what a first reduction left: squares are not squared again.
constexpr Reduction next(Reduction r) {
  const bool same = r == Reduction::maximum || r == Reduction::minimum || r == Reduction::product;
  return same ? r : Reduction::sum;
}

template <Reduction reduction, class T, class From> T row(const From* x, std::int64_t n, T other) {
  return at_level([&]<class Arch>() { return reduce_row<Arch, reduction>(x, n, other); });
}

template <Reduction reduction, class T, class From>
void columns(const From* x, const T* other, std::int64_t rows, std::int64_t stride,
             std::int64_t count, std::int64_t block, T* out) {
  at_level([&]<class Arch>() {
    reduce_columns<Arch, reduction>(x, other, rows, stride, count, block, out);
  });
}

// What a first reduction left: rows of partial results.
template <Reduction reduction, class T>
void combine(const T* partial, std::int64_t rows, std::int64_t stride, std::int64_t count, T* out) {
  columns<next(reduction), T>(partial, nullptr, rows, stride, count, 1, out);
}

// inner = 1. `other` has one number a row, or is null.
template <Reduction reduction, class T, class From>
void reduce_contiguous(const ReduceShape& s, const From* x, const T* other, T* out) {
  const std::int64_t n = s.reduced;
  const ReduceCut cut(s);
  if (cut.pieces == 1) {
    parallel_for(
        s.outer, cut.grain,
        [&](std::int64_t begin, std::int64_t end) {
          at_level([&]<class Arch>() {
            reduce_rows<Arch, reduction>(x + begin * n, end - begin, n,
                                         other == nullptr ? nullptr : other + begin, out + begin);
          });
        },
        denormals<T>);
    return;
  }
  const Scratch<T> partial(s.outer * cut.pieces);
  parallel_for(
      s.outer * cut.pieces, 1,
      [&](std::int64_t item, std::int64_t) {
        const std::int64_t o = item / cut.pieces, begin = item % cut.pieces * cut.rows;
        partial.data()[item] = row<reduction>(x + o * n + begin, std::min(cut.rows, n - begin),
                                              other == nullptr ? T(1) : other[o]);
      },
      denormals<T>);
  parallel_for(
      s.outer, std::max<std::int64_t>(1, piece_elements / cut.pieces),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t o = begin; o < end; ++o) {
          combine<reduction>(partial.data() + o * cut.pieces, cut.pieces, 1, 1, out + o);
        }
      },
      denormals<T>);
}

// One matrix [rows, count]. Few columns are made more by taking `group` rows for one; the rows
// that do not fill a group come last.
template <Reduction reduction, class T, class From>
void reduce_narrow(const From* x, const T* other, std::int64_t rows, std::int64_t count, T* out) {
  const std::int64_t group = rows_in_one(rows, count);
  if (group == 1) {
    columns<reduction>(x, other, rows, count, count, column_block, out);
    return;
  }
  T wide[column_tile], wide_other[column_tile], rest[column_tile];
  if (other != nullptr) {
    for (std::int64_t i = 0; i < group * count; ++i) wide_other[i] = other[i % count];
  }
  columns<reduction>(x, other == nullptr ? nullptr : wide_other, rows / group, group * count,
                     group * count, column_block, wide);
  const std::int64_t left = rows % group;
  if (left == 0) {
    combine<reduction>(wide, group, count, count, out);
    return;
  }
  combine<reduction>(wide, group, count, count, rest);
  columns<reduction>(x + (rows - left) * count, other, left, count, count, 1, rest + count);
  combine<reduction>(rest, 2, count, count, out);
}

// inner > 1: the rows are `stride` elements apart; `other` has one number a column [outer, inner]
// or the weights [reduced] (outer = 1), or is null.
template <Reduction reduction, class T, class From>
void reduce_matrices(const ReduceShape& s, std::int64_t stride, const From* x, const T* other,
                     T* out) {
  const ReduceCut cut(s);
  // results: [outer, pieces, inner]
  const auto reduce_piece = [&](std::int64_t o, std::int64_t piece, std::int64_t column,
                                T* results) {
    const std::int64_t first = piece * cut.rows, rows = std::min(cut.rows, s.reduced - first);
    const From* from = x + (o * s.reduced + first) * stride + column;
    T* to = results + (o * cut.pieces + piece) * s.inner + column;
    const T* at = other;
    if (other != nullptr) at += reduction == Reduction::weighted_sum ? first : o * s.inner + column;
    if (reduction == Reduction::weighted_sum || cut.tiles > 1) {
      columns<reduction>(from, at, rows, stride, std::min(column_tile, s.inner - column),
                         column_block, to);
    } else {
      reduce_narrow<reduction>(from, at, rows, s.inner, to);
    }
  };
  const auto reduce_pieces = [&](T* results) {
    parallel_for(
        s.outer * cut.pieces * cut.tiles, cut.grain,
        [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t item = begin; item < end; ++item) {
            reduce_piece(item / cut.tiles / cut.pieces, item / cut.tiles % cut.pieces,
                         item % cut.tiles * column_tile, results);
          }
        },
        denormals<T>);
  };
  if (cut.pieces == 1) {
    reduce_pieces(out);
    return;
  }
  const Scratch<T> partial(s.outer * cut.pieces * s.inner);
  reduce_pieces(partial.data());
  parallel_for(
      s.outer * cut.tiles, std::max<std::int64_t>(1, piece_elements / (cut.pieces * cut.in_tile)),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t item = begin; item < end; ++item) {
          const std::int64_t o = item / cut.tiles, column = item % cut.tiles * column_tile;
          combine<reduction>(partial.data() + o * cut.pieces * s.inner + column, cut.pieces,
                             s.inner, std::min(column_tile, s.inner - column),
                             out + o * s.inner + column);
        }
      },
      denormals<T>);
}

template <Reduction reduction, class T, class From>
void reduce(const ReduceShape& s, const From* x, const T* other, T* out) {
  if (s.outer == 0 || s.inner == 0) return;
  if (s.reduced == 0) {
    std::fill_n(out, s.outer * s.inner, T(reduction == Reduction::product ? 1 : 0));
  } else if (s.inner == 1) {
    reduce_contiguous<reduction>(s, x, other, out);
  } else {
    reduce_matrices<reduction>(s, s.inner, x, other, out);
  }
}

}  // namespace

template <class T> void sum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::sum, T>(shape, x, nullptr, out);
}
void sum(const ReduceShape& shape, const std::uint8_t* x, std::int64_t* out) {
  reduce<Reduction::sum, std::int64_t>(shape, x, nullptr, out);
}
template <class T> void product(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::product, T>(shape, x, nullptr, out);
}
template <class T> void sum_squares(const ReduceShape& shape, const T* x, const T* scale, T* out) {
  reduce<Reduction::squares>(shape, x, scale, out);
}
template <class T> void maximum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::maximum, T>(shape, x, nullptr, out);
}
template <class T> void minimum(const ReduceShape& shape, const T* x, T* out) {
  reduce<Reduction::minimum, T>(shape, x, nullptr, out);
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
  const Scratch<T> partial(pieces);
  parallel_for(
      n, piece_elements,
      [&](std::int64_t begin, std::int64_t end) {
        partial.data()[begin / piece_elements] = part(begin, end);
      },
      denormals<T>);
  T result = 0;
  sum({1, pieces, 1}, static_cast<const T*>(partial.data()), &result);
  return result;
}

template <class T> void weighted_sum(const StridedRows& s, const T* weights, const T* x, T* out) {
  if (s.rows == 0 || s.columns == 0) {
    std::fill_n(out, s.columns, T(0));
  } else {
    reduce_matrices<Reduction::weighted_sum>({1, s.rows, s.columns}, s.stride, x, weights, out);
  }
}

#define CADENA_INSTANTIATE(T)                              \
  template void sum(const ReduceShape&, const T*, T*);     \
  template void product(const ReduceShape&, const T*, T*); \
  template void maximum(const ReduceShape&, const T*, T*); \
  template void minimum(const ReduceShape&, const T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)
CADENA_INSTANTIATE(std::int64_t)
template void sum_squares(const ReduceShape&, const float*, const float*, float*);
template void sum_squares(const ReduceShape&, const double*, const double*, double*);
template void weighted_sum(const StridedRows&, const float*, const float*, float*);
template void weighted_sum(const StridedRows&, const double*, const double*, double*);
template float dot(std::int64_t, const float*, const float*);
template double dot(std::int64_t, const double*, const double*);

}  // namespace cadena::kernels
