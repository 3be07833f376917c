#include <cadena/autograd/kernels/reduce_blocks.hpp>

namespace cadena::kernels {
namespace {

template <Reduction reduction, class T> struct OperationOf { using type = Plus<T, Arch>; };
template <class T> struct OperationOf<Reduction::maximum, T> { using type = Larger<T, Arch>; };
template <class T> struct OperationOf<Reduction::minimum, T> { using type = Smaller<T, Arch>; };

template <class T> struct OperationOf<Reduction::product, T> { using type = Times<T, Arch>; };

template <Reduction reduction, class V> CADENA_INLINE V term_of(V x, V other) {
  if constexpr (reduction == Reduction::squares) {
    const V scaled = x * other;
    return scaled * scaled;
  } else {
    return x;
  }
}

}  // namespace

template <class Arch, Reduction reduction, class T, class From>
T reduce_row(const From* x, std::int64_t n, T other) {
  using L = Lane<T, Arch>;
  using Operation = typename OperationOf<reduction, T>::type;
  if (n <= short_row) {
    T result = term_of<reduction>(T(x[0]), other);
    for (std::int64_t i = 1; i < n; ++i) {
      result = Operation::combine(result, term_of<reduction>(T(x[i]), other));
    }
    return result;
  }
  struct Term {
    const From* x;
    L other;
    CADENA_INLINE L operator()(std::int64_t i) const {
      return term_of<reduction>(L::load(x + i), other);
    }
    CADENA_INLINE L operator()(std::int64_t i, int m) const {
      return term_of<reduction>(L::load_partial(x + i, m), other);
    }
  };
  return reduce_terms<Arch, Operation, T>(Term{x, L(other)}, n);
}

template <class Arch, Reduction reduction, class T, class From>
void reduce_rows(const From* x, std::int64_t rows, std::int64_t n, const T* other, T* out) {
  if (n > short_row) {
    for (std::int64_t row = 0; row < rows; ++row) {
      out[row] = reduce_row<Arch, reduction>(x + row * n, n, other == nullptr ? T(1) : other[row]);
    }
    return;
  }
  // Within a row and within a column elements are added in the same order.
  static_assert(short_row <= column_block);
  each_turned(x, rows, n, [&](const From* turned, std::int64_t begin, std::int64_t count) {
    reduce_columns<Arch, reduction>(turned, other == nullptr ? nullptr : other + begin, n,
                                    turned_rows, count, column_block, out + begin);
  });
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

template <class Arch, Reduction reduction, class T, class From>
void reduce_columns(const From* x, const T* other, std::int64_t rows, std::int64_t stride,
                    std::int64_t columns, std::int64_t block, T* out) {
  using L = Lane<T, Arch>;
  using Operation = typename OperationOf<reduction, T>::type;
  constexpr int most_levels = 21;
  static_assert(column_blocks <= std::int64_t{1} << (most_levels - 1));
  // The tree of class Tree, a whole row of columns at a time.
  alignas(64) T levels[most_levels][column_tile];
  std::uint64_t count = 0;
  for (std::int64_t row = 0; row < rows; row += block, ++count) {
    const std::int64_t in_block = rows - row < block ? rows - row : block;
    int full = 0;  // the levels below the one this block goes to
    while (count >> full & 1) ++full;
    const From* from = x + row * stride;
    each_column_lane<L>(columns, [&](std::int64_t c, std::int64_t m) {
      const L of_all = reduction == Reduction::squares && other != nullptr
                           ? load_lane<L>(other + c, m)
                           : L(T(1));
      const auto term = [&](std::int64_t r) {
        const L value = load_lane<L>(from + r * stride + c, m);
        if constexpr (reduction == Reduction::weighted_sum) return value * L(other[row + r]);
        return term_of<reduction>(value, of_all);
      };
      L value = term(0);
      for (std::int64_t r = 1; r < in_block; ++r) value = Operation::combine(value, term(r));
      for (int k = 0; k < full; ++k) value = Operation::combine(L::load(levels[k] + c), value);
      value.store(levels[full] + c);
    });
  }
  each_column_lane<L>(columns, [&](std::int64_t c, std::int64_t m) {
    int level = 0;
    while (!(count >> level & 1)) ++level;
    L value = L::load(levels[level] + c);
    while (count >> ++level) {
      if (count >> level & 1) value = Operation::combine(L::load(levels[level] + c), value);
    }
    m >= L::width ? value.store(out + c) : value.store_partial(out + c, static_cast<int>(m));
  });
}

#define CADENA_INSTANTIATE_COLUMNS(reduction, T, From)                                             \
  template void reduce_columns<Arch, reduction>(const From*, const T*, std::int64_t, std::int64_t, \
                                                std::int64_t, std::int64_t, T*);
#define CADENA_INSTANTIATE(reduction, T, From)                                                  \
  template T reduce_row<Arch, reduction>(const From*, std::int64_t, T);                         \
  template void reduce_rows<Arch, reduction>(const From*, std::int64_t, std::int64_t, const T*, \
                                             T*);                                               \
  CADENA_INSTANTIATE_COLUMNS(reduction, T, From)
#define CADENA_INSTANTIATE_ALL(T)              \
  CADENA_INSTANTIATE(Reduction::sum, T, T)     \
  CADENA_INSTANTIATE(Reduction::maximum, T, T) \
  CADENA_INSTANTIATE(Reduction::minimum, T, T) \
  CADENA_INSTANTIATE(Reduction::product, T, T)
CADENA_INSTANTIATE_ALL(float)
CADENA_INSTANTIATE_ALL(double)
CADENA_INSTANTIATE_ALL(std::int64_t)
CADENA_INSTANTIATE(Reduction::sum, std::int64_t, std::uint8_t)
CADENA_INSTANTIATE(Reduction::squares, float, float)
CADENA_INSTANTIATE(Reduction::squares, double, double)
CADENA_INSTANTIATE_COLUMNS(Reduction::weighted_sum, float, float)
CADENA_INSTANTIATE_COLUMNS(Reduction::weighted_sum, double, double)
template float dot_row<Arch, float>(const float*, const float*, std::int64_t);
template double dot_row<Arch, double>(const double*, const double*, std::int64_t);

}  // namespace cadena::kernels
