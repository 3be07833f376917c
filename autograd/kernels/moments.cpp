#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/moments.hpp>
#include <cadena/autograd/kernels/moments_kernels.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>
#include <limits>

namespace cadena::kernels {

Moments together(const Moments* parts, std::int64_t parts_count, std::int64_t stride,
                 std::int64_t count, std::int64_t last) {
  if (parts_count == 1) return parts[0];
  const auto weight = [=](std::int64_t k) {
    return static_cast<double>(k + 1 < parts_count ? count : last);
  };
  const double all = static_cast<double>((parts_count - 1) * count + last);
  // From the first mean, which all are when all elements are equal.
  double shift = 0;
  for (std::int64_t k = 1; k < parts_count; ++k) {
    shift += weight(k) * (parts[k * stride].mean - parts[0].mean);
  }
  const double mean = parts[0].mean + shift / all;
  double squares = 0, rest = 0;
  for (std::int64_t k = 0; k < parts_count; ++k) {
    const double distance = parts[k * stride].mean - mean, weighted = weight(k) * distance;
    rest += weighted;
    squares += parts[k * stride].squares + weighted * distance;
  }
  return {mean + rest / all, std::max(squares - rest * (rest / all), 0.0)};
}

namespace {

template <class T> struct Results {
  T* means;
  double* squares;
  void set(std::int64_t i, const Moments& of) const {
    means[i] = static_cast<T>(of.mean);
    squares[i] = of.squares;
  }
};

template <class T> void of_rows(const ReduceShape& s, const T* x, const Results<T>& to) {
  const std::int64_t n = s.reduced, blocks = divide_up(n, moments_row);
  if (n <= few_elements) {
    parallel_for(s.outer, piece_elements / few_elements, [&](std::int64_t begin, std::int64_t end) {
      Turned<T> turned;
      Moments of[turned_at_once];
      for (std::int64_t o = begin; o < end; o += turned_at_once) {
        const std::int64_t rows = std::min(turned_at_once, end - o);
        turn(x + o * n, rows, n, turned);
        at_level([&]<class Arch>() { moments_of_columns<Arch>(turned, n, rows, rows, of); });
        for (std::int64_t k = 0; k < rows; ++k) to.set(o + k, of[k]);
      }
    });
    return;
  }
  if (blocks == 1) {
    parallel_for(s.outer, std::max<std::int64_t>(1, piece_elements / n),
                 [&](std::int64_t begin, std::int64_t end) {
                   at_level([&]<class Arch>() {
                     for (std::int64_t o = begin; o < end; ++o) {
                       to.set(o, moments_of_row<Arch>(x + o * n, n));
                     }
                   });
                 });
    return;
  }
  const Scratch<Moments> parts(s.outer * blocks);
  parallel_for(s.outer * blocks, piece_elements / moments_row,
               [&](std::int64_t begin, std::int64_t end) {
                 at_level([&]<class Arch>() {
                   for (std::int64_t item = begin; item < end; ++item) {
                     const std::int64_t first = item % blocks * moments_row;
                     parts.data()[item] = moments_of_row<Arch>(x + item / blocks * n + first,
                                                               std::min(moments_row, n - first));
                   }
                 });
               });
  parallel_for(s.outer, std::max<std::int64_t>(1, piece_elements / blocks),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t o = begin; o < end; ++o) {
                   to.set(o, together(parts.data() + o * blocks, blocks, 1, moments_row,
                                      n - (blocks - 1) * moments_row));
                 }
               });
}

// Few columns: `group` rows are taken for one; the rows that do not fill a group come last.
void of_narrow(const auto* x, std::int64_t rows, std::int64_t columns, std::int64_t group,
               Moments* out) {
  const std::int64_t wide_rows = rows / group, left = rows % group, wide = group * columns;
  Moments parts[2 * moments_tile];
  at_level([&]<class Arch>() {
    moments_of_columns<Arch>(x, wide_rows, wide, wide, parts);
    if (left > 0) {
      moments_of_columns<Arch>(x + (rows - left) * columns, left, columns, columns, parts + wide);
    }
  });
  for (std::int64_t c = 0; c < columns; ++c) {
    out[c] = together(parts + c, left > 0 ? group + 1 : group, columns, wide_rows,
                      left > 0 ? left : wide_rows);
  }
}

template <class T> void of_matrices(const ReduceShape& s, const T* x, const Results<T>& to) {
  static_assert(moments_tile == column_tile);
  const ReduceCut cut(s);
  const Scratch<Moments> parts(s.outer * cut.pieces * s.inner);
  parallel_for(
      s.outer * cut.pieces * cut.tiles, cut.grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t item = begin; item < end; ++item) {
          const std::int64_t column = item % cut.tiles * column_tile;
          const std::int64_t piece = item / cut.tiles, first = piece % cut.pieces * cut.rows;
          const std::int64_t rows = std::min(cut.rows, s.reduced - first);
          const T* from = x + (piece / cut.pieces * s.reduced + first) * s.inner + column;
          Moments* out = parts.data() + piece * s.inner + column;
          const std::int64_t group = cut.tiles > 1 ? 1 : rows_in_one(rows, s.inner);
          if (group > 1) {
            of_narrow(from, rows, s.inner, group, out);
          } else {
            at_level([&]<class Arch>() {
              moments_of_columns<Arch>(from, rows, s.inner, std::min(column_tile, s.inner - column),
                                       out);
            });
          }
        }
      });
  parallel_for(s.outer * s.inner, std::max<std::int64_t>(1, piece_elements / cut.pieces),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t i = begin; i < end; ++i) {
                   const Moments* of = parts.data() + i / s.inner * cut.pieces * s.inner;
                   to.set(i, together(of + i % s.inner, cut.pieces, s.inner, cut.rows,
                                      s.reduced - (cut.pieces - 1) * cut.rows));
                 }
               });
}

}  // namespace

template <class T> void moments(const ReduceShape& s, const T* x, T* means, double* squares) {
  if (s.reduced == 0) {
    std::fill_n(means, s.outer * s.inner, std::numeric_limits<T>::quiet_NaN());
    std::fill_n(squares, s.outer * s.inner, 0.0);
  } else if (s.outer * s.inner == 0) {
    return;
  } else if (s.inner == 1) {
    of_rows<T>(s, x, {means, squares});
  } else {
    of_matrices<T>(s, x, {means, squares});
  }
}

template void moments(const ReduceShape&, const float*, float*, double*);
template void moments(const ReduceShape&, const double*, double*, double*);

}  // namespace cadena::kernels
