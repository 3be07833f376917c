#include <cadena/autograd/kernels/reduce_blocks.hpp>

namespace cadena::kernels {
namespace {

template <Reduction reduction, class T> struct OperationOf { using type = Plus<T, Arch>; };
template <class T> struct OperationOf<Reduction::maximum, T> { using type = Larger<T, Arch>; };
template <class T> struct OperationOf<Reduction::minimum, T> { using type = Smaller<T, Arch>; };

template <Reduction reduction, class V> CADENA_INLINE V term_of(V x, V center) {
  if constexpr (reduction == Reduction::squared_deviations) {
    const V deviation = x - center;
    return deviation * deviation;
  } else {
    return x;
  }
}

template <class T> CADENA_INLINE bool same(T x, T wanted) {
  return x == wanted || (x != x && wanted != wanted);
}

// In rows this short the lanes would stay empty.
constexpr std::int64_t short_row = 16;

}  // namespace

template <class Arch, Reduction reduction, class T>
T reduce_row(const T* x, std::int64_t n, T center) {
  using L = Lane<T, Arch>;
  using Operation = typename OperationOf<reduction, T>::type;
  if (n <= short_row) {
    T result = term_of<reduction>(x[0], center);
    for (std::int64_t i = 1; i < n; ++i) {
      result = Operation::combine(result, term_of<reduction>(x[i], center));
    }
    return result;
  }
  struct Term {
    const T* x;
    L center;
    CADENA_INLINE L operator()(std::int64_t i) const {
      return term_of<reduction>(L::load(x + i), center);
    }
    CADENA_INLINE L operator()(std::int64_t i, int m) const {
      return term_of<reduction>(L::load_partial(x + i, m), center);
    }
  };
  return reduce_terms<Arch, Operation, T>(Term{x, L(center)}, n);
}

template <class Arch, class T> T dot_row(const T* x, const T* y, std::int64_t n) {
  using L = Lane<T, Arch>;
  struct Term {
    const T *x, *y;
    CADENA_INLINE L operator()(std::int64_t i) const { return L::load(x + i) * L::load(y + i); }
    CADENA_INLINE L operator()(std::int64_t i, int m) const {
      return L::load_partial(x + i, m) * L::load_partial(y + i, m);
    }
  };
  return reduce_terms<Arch, Plus<T, Arch>, T>(Term{x, y}, n);
}

template <class Arch, Reduction reduction, class T>
void reduce_columns(const T* x, const T* other, std::int64_t rows, std::int64_t stride,
                    std::int64_t columns, std::int64_t block, T* out) {
  using L = Lane<T, Arch>;
  using Operation = typename OperationOf<reduction, T>::type;
  constexpr std::int64_t width = L::width;
  constexpr int most_levels = 21;
  static_assert(column_blocks <= std::int64_t{1} << (most_levels - 1));
  // The tree of class Tree, a whole row of columns at a time.
  alignas(64) T levels[most_levels][column_tile];
  const auto load = [](const T* from, std::int64_t m) {
    return m >= width ? L::load(from) : L::load_partial(from, static_cast<int>(m));
  };
  const auto store = [](L value, T* to, std::int64_t m) {
    m >= width ? value.store(to) : value.store_partial(to, static_cast<int>(m));
  };
  // Calls f(column, number of columns). The last lanes overlap the ones before, which are computed
  // once more and come out the same.
  const auto each_lane = [&](auto f) {
    std::int64_t c = 0;
    for (; c + width <= columns; c += width) f(c, width);
    if (c < columns && columns >= width) f(columns - width, width);
    if (columns < width) f(std::int64_t{0}, columns);
  };
  std::uint64_t count = 0;
  for (std::int64_t row = 0; row < rows; row += block, ++count) {
    const std::int64_t in_block = rows - row < block ? rows - row : block;
    int full = 0;  // the levels below the one this block goes to
    while (count >> full & 1) ++full;
    const T* from = x + row * stride;
    each_lane([&](std::int64_t c, std::int64_t m) {
      const L center = reduction == Reduction::squared_deviations ? load(other + c, m) : L(T(0));
      const auto term = [&](std::int64_t r) {
        const L value = load(from + r * stride + c, m);
        if constexpr (reduction == Reduction::weighted_sum) return value * L(other[row + r]);
        return term_of<reduction>(value, center);
      };
      L value = term(0);
      for (std::int64_t r = 1; r < in_block; ++r) value = Operation::combine(value, term(r));
      for (int k = 0; k < full; ++k) value = Operation::combine(L::load(levels[k] + c), value);
      value.store(levels[full] + c);
    });
  }
  each_lane([&](std::int64_t c, std::int64_t m) {
    int level = 0;
    while (!(count >> level & 1)) ++level;
    L value = L::load(levels[level] + c);
    while (count >> ++level) {
      if (count >> level & 1) value = Operation::combine(L::load(levels[level] + c), value);
    }
    store(value, out + c, m);
  });
}

template <class Arch, class T> std::int64_t find_in_row(const T* x, std::int64_t n, T wanted) {
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

template <class Arch, class T>
void find_in_columns(const T* x, const T* wanted, std::int64_t rows, std::int64_t stride,
                     std::int64_t columns, std::int64_t* out) {
  constexpr std::int64_t group = 16;  // columns that are looked at together until all are found
  constexpr std::int64_t groups = column_tile / group;
  std::int64_t missing[groups], all_missing = columns;
  for (std::int64_t c = 0; c < columns; ++c) out[c] = -1;
  for (std::int64_t g = 0; g < groups; ++g) missing[g] = group;
  if (columns % group != 0) missing[columns / group] = columns % group;
  for (std::int64_t row = 0; row < rows && all_missing > 0; ++row) {
    const T* from = x + row * stride;
    for (std::int64_t begin = 0, g = 0; begin < columns; begin += group, ++g) {
      if (missing[g] == 0) continue;
      const std::int64_t end = columns - begin < group ? columns : begin + group;
      int found = 0;
      if (end - begin == group) {
        for (std::int64_t c = 0; c < group; ++c)
          found |= same(from[begin + c], wanted[begin + c]) ? 1 : 0;
      }
      if (end - begin == group && !found) continue;
      for (std::int64_t c = begin; c < end; ++c) {
        if (out[c] >= 0 || !same(from[c], wanted[c])) continue;
        out[c] = row;
        --missing[g];
        --all_missing;
      }
    }
  }
}

#define CADENA_INSTANTIATE_COLUMNS(reduction, T)                                                   \
  template void reduce_columns<Arch, reduction, T>(const T*, const T*, std::int64_t, std::int64_t, \
                                                   std::int64_t, std::int64_t, T*);
#define CADENA_INSTANTIATE(reduction, T)                                \
  template T reduce_row<Arch, reduction, T>(const T*, std::int64_t, T); \
  CADENA_INSTANTIATE_COLUMNS(reduction, T)
#define CADENA_INSTANTIATE_ALL(T)                                                        \
  CADENA_INSTANTIATE(Reduction::sum, T)                                                  \
  CADENA_INSTANTIATE(Reduction::maximum, T)                                              \
  CADENA_INSTANTIATE(Reduction::minimum, T)                                              \
  template std::int64_t find_in_row<Arch, T>(const T*, std::int64_t, T);                 \
  template void find_in_columns<Arch, T>(const T*, const T*, std::int64_t, std::int64_t, \
                                         std::int64_t, std::int64_t*);
CADENA_INSTANTIATE_ALL(float)
CADENA_INSTANTIATE_ALL(double)
CADENA_INSTANTIATE_ALL(std::int64_t)
CADENA_INSTANTIATE(Reduction::squared_deviations, float)
CADENA_INSTANTIATE(Reduction::squared_deviations, double)
CADENA_INSTANTIATE_COLUMNS(Reduction::weighted_sum, float)
CADENA_INSTANTIATE_COLUMNS(Reduction::weighted_sum, double)
template float dot_row<Arch, float>(const float*, const float*, std::int64_t);
template double dot_row<Arch, double>(const double*, const double*, std::int64_t);

}  // namespace cadena::kernels
