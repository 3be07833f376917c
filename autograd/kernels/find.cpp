#include <cadena/autograd/kernels/find_kernels.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>

// argmax and argmin, with or without the extremes themselves.

namespace cadena::kernels {
namespace {

/// Takes the value at a place if it is more extreme than the best one, or as extreme and earlier.
template <Reduction reduction, class T>
void consider(T value, std::int64_t place, T& best, std::int64_t& best_place) {
  const bool nan = value != value, best_nan = best != best;
  const bool tie = value == best || (nan && best_nan);
  const bool more = reduction == Reduction::maximum ? value > best : value < best;
  if (tie ? place < best_place : nan || (more && !best_nan)) {
    best = value;
    best_place = place;
  }
}

template <Reduction reduction, class T>
void find_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                  T* values, std::int64_t* places) {
  at_level([&]<class Arch>() {
    find_in_columns<Arch, reduction>(x, rows, stride, columns, values, places);
  });
}

// One matrix [rows, count]. Few columns are made more by taking `group` rows for one.
template <Reduction reduction, class T>
void find_narrow(const T* x, std::int64_t rows, std::int64_t count, T* values,
                 std::int64_t* places) {
  const std::int64_t group = rows_in_one(rows, count);
  if (group == 1) return find_columns<reduction>(x, rows, count, count, values, places);
  T wide[column_tile];
  std::int64_t at[column_tile];
  find_columns<reduction>(x, rows / group, group * count, group * count, wide, at);
  for (std::int64_t c = 0; c < count; ++c) {
    T best = wide[c];
    std::int64_t place = at[c] * group;
    for (std::int64_t g = 1; g < group; ++g) {
      consider<reduction>(wide[g * count + c], at[g * count + c] * group + g, best, place);
    }
    for (std::int64_t r = rows / group * group; r < rows; ++r) {
      consider<reduction>(x[r * count + c], r, best, place);
    }
    places[c] = place;
    if (values != nullptr) values[c] = best;
  }
}

template <Reduction reduction, class T>
void find_extreme(const ReduceShape& s, const T* x, std::int64_t* out, T* extremes) {
  if (s.outer == 0 || s.inner == 0) return;
  const ReduceCut cut(s);
  // values, places: [outer, pieces, inner]
  const auto find_piece = [&](std::int64_t item, T* values, std::int64_t* places) {
    const std::int64_t o = item / cut.tiles / cut.pieces, piece = item / cut.tiles % cut.pieces;
    const std::int64_t column = item % cut.tiles * column_tile, first = piece * cut.rows;
    const std::int64_t rows = std::min(cut.rows, s.reduced - first);
    const T* from = x + (o * s.reduced + first) * s.inner + column;
    const std::int64_t to = (o * cut.pieces + piece) * s.inner + column;
    T* value = values == nullptr ? nullptr : values + to;
    if (s.inner == 1) {
      at_level(
          [&]<class Arch>() { find_in_rows<Arch, reduction>(from, 1, rows, value, places + to); });
    } else if (cut.tiles == 1) {
      find_narrow<reduction>(from, rows, s.inner, value, places + to);
    } else {
      find_columns<reduction>(from, rows, s.inner, std::min(column_tile, s.inner - column), value,
                              places + to);
    }
  };
  const auto find_pieces = [&](T* values, std::int64_t* places) {
    parallel_for(s.outer * cut.pieces * cut.tiles, cut.grain,
                 [&](std::int64_t begin, std::int64_t end) {
                   if (s.inner == 1 && cut.pieces == 1) {
                     at_level([&]<class Arch>() {
                       find_in_rows<Arch, reduction>(x + begin * s.reduced, end - begin, s.reduced,
                                                     values == nullptr ? nullptr : values + begin,
                                                     places + begin);
                     });
                     return;
                   }
                   for (std::int64_t item = begin; item < end; ++item) {
                     find_piece(item, values, places);
                   }
                 });
  };
  if (cut.pieces == 1) return find_pieces(extremes, out);
  const std::int64_t partial = s.outer * cut.pieces * s.inner;
  const Scratch<T> values(partial);
  const Scratch<std::int64_t> places(partial);
  find_pieces(values.data(), places.data());
  parallel_for(s.outer * s.inner, std::max<std::int64_t>(1, piece_elements / cut.pieces),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const std::int64_t first = i / s.inner * cut.pieces * s.inner + i % s.inner;
                   T best = values.data()[first];
                   std::int64_t place = places.data()[first];
                   for (std::int64_t k = 1; k < cut.pieces; ++k) {
                     const std::int64_t at = first + k * s.inner;
                     consider<reduction>(values.data()[at], places.data()[at] + k * cut.rows, best,
                                         place);
                   }
                   out[i] = place;
                   if (extremes != nullptr) extremes[i] = best;
                 }
               });
}

}  // namespace

template <class T> void argmax(const ReduceShape& shape, const T* x, std::int64_t* out, T* values) {
  find_extreme<Reduction::maximum>(shape, x, out, values);
}
template <class T> void argmin(const ReduceShape& shape, const T* x, std::int64_t* out, T* values) {
  find_extreme<Reduction::minimum>(shape, x, out, values);
}

#define CADENA_INSTANTIATE(T)                                            \
  template void argmax(const ReduceShape&, const T*, std::int64_t*, T*); \
  template void argmin(const ReduceShape&, const T*, std::int64_t*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)
CADENA_INSTANTIATE(std::int64_t)

}  // namespace cadena::kernels
