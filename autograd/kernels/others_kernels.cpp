#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/others_kernels.hpp>

namespace cadena::kernels {

template <class Arch, class T>
void multiply_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                      double* products) {
  for (std::int64_t c = 0; c < columns; ++c) products[c] = static_cast<double>(x[c]);
  const auto multiply = [&](auto count) CADENA_INLINE_LAMBDA {
    for (std::int64_t r = 1; r < rows; ++r) {
      const T* from = x + r * stride;
      for (std::int64_t c = 0; c < count; ++c) products[c] *= static_cast<double>(from[c]);
    }
  };
  if (columns == others_width) {
    struct Width {
      constexpr operator std::int64_t() const { return others_width; }
    };
    multiply(Width{});
  } else {
    multiply(columns);
  }
}

template <class Arch, class T>
void divide_columns(const T* x, std::int64_t rows, std::int64_t stride, std::int64_t columns,
                    const double* totals, T* out) {
  for (std::int64_t r = 0; r < rows; ++r, x += stride, out += stride) {
    for (std::int64_t c = 0; c < columns; ++c) {
      out[c] = static_cast<T>(totals[c] / static_cast<double>(x[c]));
    }
  }
}

template <class Arch, class T> void divide_row(const T* x, std::int64_t n, double total, T* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = static_cast<T>(total / static_cast<double>(x[i]));
}

#define CADENA_INSTANTIATE(T)                                                                 \
  template void multiply_columns<Arch, T>(const T*, std::int64_t, std::int64_t, std::int64_t, \
                                          double*);                                           \
  template void divide_columns<Arch, T>(const T*, std::int64_t, std::int64_t, std::int64_t,   \
                                        const double*, T*);                                   \
  template void divide_row<Arch, T>(const T*, std::int64_t, double, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
