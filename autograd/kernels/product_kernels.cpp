#include <cadena/autograd/kernels/lane_core.hpp>
#include <cadena/autograd/kernels/product_kernels.hpp>

namespace cadena::kernels {
namespace {

// C's rows [row, row + R) from B packed to rows of `packed_stride` elements, a whole number of
// lanes.
template <class Arch, int R, class T>
void few_rows(const ProductShape& s, const T* a, std::int64_t a_row, std::int64_t a_inner,
              const T* packed, std::int64_t packed_stride, T* c, std::int64_t c_row) {
  using L = Lane<T, Arch>;
  for (std::int64_t j = 0; j < s.columns; j += L::width) {
    L sums[R];
    for (int r = 0; r < R; ++r) sums[r] = L(T(0));
    for (std::int64_t k = 0; k < s.inner; ++k) {
      const L right = L::load(packed + k * packed_stride + j);
      for (int r = 0; r < R; ++r) sums[r] = mul_add(L(a[r * a_row + k * a_inner]), right, sums[r]);
    }
    const int rest = s.columns - j < L::width ? static_cast<int>(s.columns - j) : L::width;
    for (int r = 0; r < R; ++r) {
      T* out = c + r * c_row + j;
      if (rest == L::width) {
        sums[r].store(out);
      } else {
        sums[r].store_partial(out, rest);
      }
    }
  }
}

}  // namespace

template <class Arch, class T>
void product_in_registers(const ProductShape& s, MatrixView<const T> a, MatrixView<const T> b,
                          MatrixView<T> c) {
  constexpr std::int64_t width = Lane<T, Arch>::width;
  static_assert(tiny_width % width == 0);
  const std::int64_t a_row = s.a == Transpose::yes ? 1 : a.stride;
  const std::int64_t a_inner = s.a == Transpose::yes ? a.stride : 1;
  const T* right = b.data;
  std::int64_t right_stride = b.stride;
  alignas(64) T packed[tiny_elements];
  if (s.b == Transpose::yes || s.columns % width != 0) {
    right = packed;
    right_stride = (s.columns + width - 1) / width * width;
    const std::int64_t b_inner = s.b == Transpose::yes ? 1 : b.stride;
    const std::int64_t b_column = s.b == Transpose::yes ? b.stride : 1;
    for (std::int64_t k = 0; k < s.inner; ++k) {
      T* row = packed + k * right_stride;
      for (std::int64_t j = right_stride - width; j < right_stride; j += width) {
        Lane<T, Arch>(T(0)).store(row + j);
      }
      for (std::int64_t j = 0; j < s.columns; ++j) row[j] = b.data[k * b_inner + j * b_column];
    }
  }
  std::int64_t i = 0;
  for (; i + 4 <= s.rows; i += 4) {
    few_rows<Arch, 4>(s, a.data + i * a_row, a_row, a_inner, right, right_stride,
                      c.data + i * c.stride, c.stride);
  }
  for (; i < s.rows; ++i) {
    few_rows<Arch, 1>(s, a.data + i * a_row, a_row, a_inner, right, right_stride,
                      c.data + i * c.stride, c.stride);
  }
}

template void product_in_registers<Arch>(const ProductShape&, MatrixView<const float>,
                                         MatrixView<const float>, MatrixView<float>);
template void product_in_registers<Arch>(const ProductShape&, MatrixView<const double>,
                                         MatrixView<const double>, MatrixView<double>);

}  // namespace cadena::kernels
