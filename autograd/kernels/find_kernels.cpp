#include <cadena/autograd/kernels/find_kernels.hpp>
#include <cadena/autograd/kernels/reduce_blocks.hpp>

namespace cadena::kernels {
namespace {

template <class T> CADENA_INLINE bool same(T x, T wanted) {
  return x == wanted || (x != x && wanted != wanted);
}

// The first i < n at which x[i] is `wanted`; there is one.
template <class T> CADENA_INLINE std::int64_t place_of(const T* x, std::int64_t n, T wanted) {
  constexpr std::int64_t step = 64;
  std::int64_t begin = 0;
  for (; begin + step <= n; begin += step) {
    int found = 0;
    for (std::int64_t i = 0; i < step; ++i) found |= same(x[begin + i], wanted) ? 1 : 0;
    if (found) break;
  }
  while (!same(x[begin], wanted)) ++begin;
  return begin;
}

}  // namespace

template <class Arch, Reduction reduction, class T>
void find_in_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                     T* values, std::int64_t* places) {
  using L = Lane<T, Arch>;
  // Places are kept as T, which holds the number of a row exactly: then they fill the same lanes.
  alignas(64) T best[column_tile], place[column_tile];
  for (std::int64_t row = 0; row < rows; row += column_block) {
    const std::int64_t end = rows - row < column_block ? rows : row + column_block;
    each_column_lane<L>(columns, [&](std::int64_t c, std::int64_t m) {
      L chosen = row == 0 ? load_lane<L>(x + c, m) : L::load(best + c);
      L at = row == 0 ? L(T(0)) : L::load(place + c);
      for (std::int64_t r = row; r < end; ++r) {
        const L value = load_lane<L>(x + r * stride + c, m);
        const auto worse = reduction == Reduction::maximum ? value <= chosen : value >= chosen;
        const auto beats = (!worse) & (chosen == chosen);  // the first NaN stays
        chosen = where(beats, value, chosen);
        at = where(beats, L(static_cast<T>(r)), at);
      }
      chosen.store(best + c);
      at.store(place + c);
    });
  }
  for (std::int64_t c = 0; c < columns; ++c) places[c] = static_cast<std::int64_t>(place[c]);
  if (values == nullptr) return;
  for (std::int64_t c = 0; c < columns; ++c) values[c] = best[c];
}

template <class Arch, Reduction reduction, class T>
void find_in_rows(const T* x, std::int64_t rows, std::int64_t n, T* values, std::int64_t* places) {
  if (n > short_row) {
    // First the extreme, then where it stands: a second look at a row in the cache costs less than
    // carrying places along.
    for (std::int64_t o = 0; o < rows; ++o, x += n) {
      const T extreme = reduce_row<Arch, reduction>(x, n, T(0));
      places[o] = place_of(x, n, extreme);
      if (values != nullptr) values[o] = extreme;
    }
    return;
  }
  each_turned(x, rows, n, [&](const T* turned, std::int64_t begin, std::int64_t count) {
    find_in_columns<Arch, reduction>(turned, n, turned_rows, count,
                                     values == nullptr ? nullptr : values + begin, places + begin);
  });
}

#define CADENA_INSTANTIATE(reduction, T)                                                \
  template void find_in_rows<Arch, reduction>(const T*, std::int64_t, std::int64_t, T*, \
                                              std::int64_t*);                           \
  template void find_in_columns<Arch, reduction>(const T*, std::int64_t, std::int64_t,  \
                                                 std::int64_t, T*, std::int64_t*);
CADENA_INSTANTIATE(Reduction::maximum, float)
CADENA_INSTANTIATE(Reduction::maximum, double)
CADENA_INSTANTIATE(Reduction::maximum, std::int64_t)
CADENA_INSTANTIATE(Reduction::minimum, float)
CADENA_INSTANTIATE(Reduction::minimum, double)
CADENA_INSTANTIATE(Reduction::minimum, std::int64_t)

}  // namespace cadena::kernels
