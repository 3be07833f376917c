#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/moments_kernels.hpp>

namespace cadena::kernels {
namespace {

// So many sums stand side by side in registers, for so many rows of a tile at a time.
constexpr std::int64_t width = 32, rows_at_once = 16;
struct Width {
  constexpr operator std::int64_t() const { return width; }
};
struct Less {
  std::int64_t count;  // < width
  operator std::int64_t() const { return count; }
};

// Adds up distances from `first`, and their squares.
template <class T, class Columns>
CADENA_INLINE void add_distances(const T* x, std::int64_t rows, std::int64_t stride,
                                 Columns columns, const double* first, double* sums,
                                 double* squares) {
  double from[width], sum[width], square[width];
  for (std::int64_t c = 0; c < columns; ++c) {
    from[c] = first[c];
    sum[c] = sums[c];
    square[c] = squares[c];
  }
  for (std::int64_t r = 0; r < rows; ++r, x += stride) {
    for (std::int64_t c = 0; c < columns; ++c) {
      const double distance = static_cast<double>(x[c]) - from[c];
      sum[c] += distance;
      square[c] += distance * distance;
    }
  }
  for (std::int64_t c = 0; c < columns; ++c) {
    sums[c] = sum[c];
    squares[c] = square[c];
  }
}

CADENA_INLINE Moments moments_from(double first, double sum, double squares, double count) {
  const double mean = sum / count, difference = squares - sum * mean;
  return {first + mean, difference < 0 ? 0 : difference};  // NaN stays
}

}  // namespace

template <class Arch, class T>
void moments_of_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                        Moments* out) {
  // Distances from the first row have no rounding where all are equal. That the first one may be
  // far from the others costs at most as many units in the last place as there are rows.
  double first[moments_tile], sums[moments_tile], squares[moments_tile];
  for (std::int64_t c = 0; c < columns; ++c) {
    first[c] = static_cast<double>(x[c]);
    sums[c] = squares[c] = 0;
  }
  for (std::int64_t r = 0; r < rows; r += rows_at_once) {
    const T* from = x + r * stride;
    const std::int64_t now = rows - r < rows_at_once ? rows - r : rows_at_once;
    std::int64_t c = 0;
    for (; c + width <= columns; c += width) {
      add_distances(from + c, now, stride, Width{}, first + c, sums + c, squares + c);
    }
    add_distances(from + c, now, stride, Less{columns - c}, first + c, sums + c, squares + c);
  }
  const double count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < columns; ++c) {
    out[c] = moments_from(first[c], sums[c], squares[c], count);
  }
}

template <class Arch, class T> Moments moments_of_row(const T* x, std::int64_t n) {
  // All distances are from one number, so the sums go together without a division.
  double first[width], sums[width] = {}, squares[width] = {};
  for (double& number : first) number = static_cast<double>(x[0]);
  const std::int64_t rows = n / width, whole = rows * width;
  add_distances(x, rows, width, Width{}, first, sums, squares);
  add_distances(x + whole, n > whole ? 1 : 0, width, Less{n - whole}, first, sums, squares);
  for (std::int64_t half = width / 2; half >= 1; half /= 2) {
    for (std::int64_t k = 0; k < half; ++k) {
      sums[k] += sums[k + half];
      squares[k] += squares[k + half];
    }
  }
  return moments_from(first[0], sums[0], squares[0], static_cast<double>(n));
}

#define CADENA_INSTANTIATE(T)                                                                   \
  template Moments moments_of_row<Arch, T>(const T*, std::int64_t);                             \
  template void moments_of_columns<Arch, T>(const T*, std::int64_t, std::int64_t, std::int64_t, \
                                            Moments*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
