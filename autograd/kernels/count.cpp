#include <cadena/autograd/kernels/count.hpp>
#include <cadena/autograd/kernels/count_kernels.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>

namespace cadena::kernels {
namespace {

// Rows of `columns` elements, one after the other. Few columns are made more by taking `group` rows
// for one.
template <class Arch, class T>
void count_rows(const T* x, std::int64_t rows, std::int64_t columns, std::int64_t* out) {
  if (columns == 1) {
    out[0] = count_row<Arch>(x, rows);
    return;
  }
  const std::int64_t group = rows_in_one(rows, columns), left = rows % group;
  std::int64_t counts[column_tile];
  count_columns<Arch>(x + (rows - left) * columns, left, columns, columns, out);
  count_columns<Arch>(x, rows / group, group * columns, group * columns, counts);
  for (std::int64_t k = 0; k < group; ++k) {
    for (std::int64_t c = 0; c < columns; ++c) out[c] += counts[k * columns + c];
  }
}

}  // namespace

template <class T> void count_nonzero(const ReduceShape& s, const T* x, std::int64_t* out) {
  if (s.outer * s.reduced * s.inner == 0) {
    std::fill_n(out, s.outer * s.inner, 0);
    return;
  }
  const ReduceCut cut(s);
  const bool whole = cut.pieces == 1;
  const Scratch<std::int64_t> memory(whole ? 0 : s.outer * cut.pieces * s.inner);
  std::int64_t* partial = whole ? out : memory.data();  // [outer, pieces, inner]
  const auto count = [=]<class Arch>(std::int64_t item) {
    const std::int64_t column = item % cut.tiles * column_tile, piece = item / cut.tiles;
    const std::int64_t first = piece % cut.pieces * cut.rows;
    const std::int64_t rows = std::min(cut.rows, s.reduced - first);
    const T* from = x + (piece / cut.pieces * s.reduced + first) * s.inner + column;
    std::int64_t* to = partial + piece * s.inner + column;
    if (cut.tiles == 1) {
      count_rows<Arch>(from, rows, s.inner, to);
    } else {
      count_columns<Arch>(from, rows, s.inner, std::min(column_tile, s.inner - column), to);
    }
  };
  parallel_for(s.outer * cut.pieces * cut.tiles, cut.grain,
               [&](std::int64_t begin, std::int64_t end) {
                 at_level([&]<class Arch>() {
                   for (std::int64_t item = begin; item < end; ++item) {
                     count.template operator()<Arch>(item);
                   }
                 });
               });
  if (!whole) sum({s.outer, cut.pieces, s.inner}, static_cast<const std::int64_t*>(partial), out);
}

template void count_nonzero(const ReduceShape&, const std::uint8_t*, std::int64_t*);
template void count_nonzero(const ReduceShape&, const std::int64_t*, std::int64_t*);
template void count_nonzero(const ReduceShape&, const float*, std::int64_t*);
template void count_nonzero(const ReduceShape&, const double*, std::int64_t*);

}  // namespace cadena::kernels
