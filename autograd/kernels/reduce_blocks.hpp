#pragma once

// Balanced reductions of rows, for kernel sources.

#include <cadena/autograd/kernels/lane_core.hpp>
#include <cadena/autograd/kernels/lane_integer.hpp>
#include <cadena/autograd/kernels/reduce_kernels.hpp>
#include <cadena/autograd/kernels/wrap.hpp>

#include <cstdint>
#include <limits>

namespace cadena::kernels {

template <class T, class Arch> struct Plus {
  static constexpr T identity = 0;
  static CADENA_INLINE T combine(T a, T b) { return wrapping_sum(a, b); }
  static CADENA_INLINE Lane<T, Arch> combine(Lane<T, Arch> a, Lane<T, Arch> b) { return a + b; }
};

template <class T, class Arch> struct Times {
  static constexpr T identity = 1;
  static CADENA_INLINE T combine(T a, T b) { return wrapping_product(a, b); }
  static CADENA_INLINE Lane<T, Arch> combine(Lane<T, Arch> a, Lane<T, Arch> b) { return a * b; }
};

// The scalar forms give NaN when either is NaN, as those of Lane do.
template <class T, class Arch> struct Larger {
  static constexpr T identity = std::numeric_limits<T>::has_infinity
                                    ? -std::numeric_limits<T>::infinity()
                                    : std::numeric_limits<T>::lowest();
  static CADENA_INLINE T combine(T a, T b) {
    const T larger = a > b ? a : b;
    return a != a ? a : larger;
  }
  static CADENA_INLINE Lane<T, Arch> combine(Lane<T, Arch> a, Lane<T, Arch> b) {
    return maximum(a, b);
  }
};

template <class T, class Arch> struct Smaller {
  static constexpr T identity = std::numeric_limits<T>::has_infinity
                                    ? std::numeric_limits<T>::infinity()
                                    : std::numeric_limits<T>::max();
  static CADENA_INLINE T combine(T a, T b) {
    const T smaller = a < b ? a : b;
    return a != a ? a : smaller;
  }
  static CADENA_INLINE Lane<T, Arch> combine(Lane<T, Arch> a, Lane<T, Arch> b) {
    return minimum(a, b);
  }
};

/// Combines values pushed one by one as a balanced tree does: neighbours first, and what has no
/// neighbour goes up a level. A binary counter says which levels hold a value.
template <class T, class Operation> class Tree {
 public:
  CADENA_INLINE void push(T value) {
    int level = 0;
    for (std::uint64_t c = count_++; c & 1; c >>= 1) {
      value = Operation::combine(levels_[level++], value);
    }
    levels_[level] = value;
  }
  CADENA_INLINE T result() const {
    if (count_ == 0) return Operation::identity;
    int level = 0;
    std::uint64_t c = count_;
    for (; !(c & 1); c >>= 1) ++level;
    T value = levels_[level];
    while (c >>= 1) {
      ++level;
      if (c & 1) value = Operation::combine(levels_[level], value);
    }
    return value;
  }

 private:
  std::uint64_t count_ = 0;
  T levels_[54];
};

// A block is reduced in lanes of 128 bytes, whatever the registers hold.
template <class T> inline constexpr int block_lanes = 128 / static_cast<int>(sizeof(T));

template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> first_of(int n, Lane<T, Arch> x, T otherwise) {
  alignas(64) static constexpr T index[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  static_assert(Lane<T, Arch>::width <= 16);
  return where(Lane<T, Arch>::load(index) < Lane<T, Arch>(n), x, Lane<T, Arch>(otherwise));
}

/// The reduction of term(0..n), where term(i) is the Lane of terms i, i + 1, ... and term(i, m) the
/// one whose first m numbers count.
template <class Arch, class Operation, class T, class Term>
CADENA_INLINE T reduce_block(Term term, std::int64_t n) {
  using L = Lane<T, Arch>;
  constexpr int lanes = block_lanes<T>, registers = lanes / L::width;
  static_assert(registers >= 1);
  L sums[registers];
  for (L& s : sums) s = L(Operation::identity);
  std::int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    for (int k = 0; k < registers; ++k) {
      sums[k] = Operation::combine(sums[k], term(i + k * L::width));
    }
  }
  for (int k = 0; i < n; ++k, i += L::width) {
    const L last = n - i >= L::width
                       ? term(i)
                       : first_of<T, Arch>(static_cast<int>(n - i),
                                           term(i, static_cast<int>(n - i)), Operation::identity);
    sums[k] = Operation::combine(sums[k], last);
  }
  // The upper half upon the lower, again and again.
  for (int half = registers / 2; half >= 1; half /= 2) {
    for (int k = 0; k < half; ++k) sums[k] = Operation::combine(sums[k], sums[k + half]);
  }
  alignas(64) T numbers[L::width];
  sums[0].store(numbers);
  for (int half = L::width / 2; half >= 1; half /= 2) {
    for (int k = 0; k < half; ++k) numbers[k] = Operation::combine(numbers[k], numbers[k + half]);
  }
  return numbers[0];
}

/// The same for any n: blocks of row_block terms, and a balanced tree.
template <class Arch, class Operation, class T, class Term>
CADENA_INLINE T reduce_terms(Term term, std::int64_t n) {
  if (n <= row_block) return reduce_block<Arch, Operation, T>(term, n);
  Tree<T, Operation> tree;
  for (std::int64_t begin = 0; begin < n; begin += row_block) {
    const auto part = [&](std::int64_t i, auto... m) { return term(begin + i, m...); };
    const std::int64_t rest = n - begin;
    tree.push(reduce_block<Arch, Operation, T>(part, rest < row_block ? rest : row_block));
  }
  return tree.result();
}

/// Rows this short are turned into columns, this many at a time: in rows their lanes would stay
/// empty.
inline constexpr std::int64_t short_row = 16, turned_rows = 64;

/// Calls f(turned, first row, number of rows), where `turned` has turned_rows columns, for rows of
/// n <= short_row elements.
template <class T, class F>
CADENA_INLINE void each_turned(const T* x, std::int64_t rows, std::int64_t n, F f) {
  T turned[short_row * turned_rows];
  for (std::int64_t begin = 0; begin < rows; begin += turned_rows) {
    const std::int64_t count = rows - begin < turned_rows ? rows - begin : turned_rows;
    for (std::int64_t row = 0; row < count; ++row) {
      for (std::int64_t i = 0; i < n; ++i) {
        turned[i * turned_rows + row] = x[(begin + row) * n + i];
      }
    }
    f(turned, begin, count);
  }
}

/// Calls f(column, number of columns) for the lanes of a row. The last ones overlap those before,
/// which are worked on once more: f must give the same then.
template <class L, class F> CADENA_INLINE void each_column_lane(std::int64_t columns, F f) {
  constexpr std::int64_t width = L::width;
  std::int64_t c = 0;
  for (; c + width <= columns; c += width) f(c, width);
  if (c < columns && columns >= width) f(columns - width, width);
  if (columns < width) f(std::int64_t{0}, columns);
}

/// A lane of which m numbers count.
template <class L, class From> CADENA_INLINE L load_lane(const From* from, std::int64_t m) {
  return m >= L::width ? L::load(from) : L::load_partial(from, static_cast<int>(m));
}

}  // namespace cadena::kernels
