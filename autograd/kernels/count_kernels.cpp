#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/count_kernels.hpp>
#include <cadena/autograd/kernels/reduce_kernels.hpp>

#include <algorithm>
#include <limits>
#include <type_traits>

namespace cadena::kernels {
namespace {

// As wide as T, so that plain loops over counters become vectors without conversions.
template <class T>
using Counter = std::conditional_t<
    sizeof(T) == 1, std::uint8_t,
    std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>>;

// So many rows are counted before the counters are added to the result.
template <class T>
constexpr std::int64_t rows_at_once =
    std::min<std::uint64_t>(std::numeric_limits<Counter<T>>::max(), 1 << 30);

// Counts of a row stand side by side.
constexpr std::int64_t width = 64;
struct Width {
  static constexpr std::int64_t most = width;
  constexpr operator std::int64_t() const { return width; }
};
struct Several {
  static constexpr std::int64_t most = column_tile;
  std::int64_t count;
  operator std::int64_t() const { return count; }
};

template <class T, class Columns>
CADENA_INLINE void of_columns(const T* x, std::int64_t rows, std::int64_t stride, Columns columns,
                              std::int64_t* out) {
  for (std::int64_t c = 0; c < columns; ++c) out[c] = 0;
  for (std::int64_t begin = 0; begin < rows; begin += rows_at_once<T>) {
    Counter<T> counts[Columns::most] = {};
    const std::int64_t end = std::min(rows, begin + rows_at_once<T>);
    for (std::int64_t r = begin; r < end; ++r) {
      const T* from = x + r * stride;
      for (std::int64_t c = 0; c < columns; ++c) {
        counts[c] = static_cast<Counter<T>>(counts[c] + (from[c] != 0 ? 1 : 0));
      }
    }
    for (std::int64_t c = 0; c < columns; ++c) out[c] += static_cast<std::int64_t>(counts[c]);
  }
}

}  // namespace

template <class Arch, class T> std::int64_t count_row(const T* x, std::int64_t n) {
  const std::int64_t whole = n / width * width;
  std::int64_t result = 0;
  if (whole > 0) {
    std::int64_t counts[width];
    of_columns(x, n / width, width, Width{}, counts);
    for (const std::int64_t count : counts) result += count;
  }
  for (std::int64_t i = whole; i < n; ++i) result += x[i] != 0 ? 1 : 0;
  return result;
}

template <class Arch, class T>
void count_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                   std::int64_t* out) {
  of_columns(x, rows, stride, Several{columns}, out);
}

#define CADENA_INSTANTIATE(T)                                                              \
  template std::int64_t count_row<Arch, T>(const T*, std::int64_t);                        \
  template void count_columns<Arch, T>(const T*, std::int64_t, std::int64_t, std::int64_t, \
                                       std::int64_t*);
CADENA_INSTANTIATE(std::uint8_t)
CADENA_INSTANTIATE(std::int64_t)
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
