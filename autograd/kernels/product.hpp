#pragma once

#include <cstdint>

namespace cadena::kernels {

enum class Transpose : bool { no, yes };

/// C[rows, columns] = op(A)[rows, inner] · op(B)[inner, columns], all row-major. A is stored as
/// [rows, inner], or as [inner, rows] when transposed; B as [inner, columns], or [columns, inner].
struct ProductShape {
  std::int64_t rows, columns, inner;
  Transpose a = Transpose::no, b = Transpose::no;
};

/// A row-major matrix; `stride` elements lie between the beginnings of its rows. With `batch`, many
/// matrices that lie `batch` elements apart (0: the same one each time).
template <class T> struct MatrixView {
  T* data;
  std::int64_t stride;
  std::int64_t batch = 0;
};

/// What to do with a finished part of C, e.g. add a bias while it is in the cache: called for the
/// rows [row, row + rows) and columns [column, column + columns) of C, each element once, from any
/// thread.
struct ProductEpilogue {
  void (*run)(void* context, std::int64_t row, std::int64_t rows, std::int64_t column,
              std::int64_t columns) = nullptr;
  void* context = nullptr;
};

/// C = op(A)·op(B); T is float or double. C must not overlap
/// A or B. The bits depend on the shape and the transposes, not on the number of threads;
/// infinities and NaN propagate (0·∞ is NaN); old values of C are not read.
/// inner = 0 gives zeros. float32: results below the smallest normal number may be zero.
template <class T>
void product(const ProductShape& shape, MatrixView<const T> a, MatrixView<const T> b,
             MatrixView<T> c, ProductEpilogue epilogue = {});

/// `count` products of the same shape; the batch strides of the views say where each begins. C's
/// must not overlap.
template <class T>
void product_batch(std::int64_t count, const ProductShape& shape, MatrixView<const T> a,
                   MatrixView<const T> b, MatrixView<T> c);

}  // namespace cadena::kernels
