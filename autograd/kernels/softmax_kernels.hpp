#pragma once

#include <cadena/autograd/kernels/softmax.hpp>

namespace cadena::kernels {

// One row of each kernel of softmax.hpp, compiled once per architecture; n >= 1.

template <class Arch, class T> T logsumexp_row(const T* x, std::int64_t n);
template <class Arch, class T> void softmax_row(const T* x, std::int64_t n, T* out);
template <class Arch, class T> void log_softmax_row(const T* x, std::int64_t n, T* out);
template <class Arch, class T>
void softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out);
template <class Arch, class T>
void log_softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out);
template <class Arch, class T>
T cross_entropy_row(const T* x, std::int64_t n, std::int64_t label, T smoothing,
                    RowSoftmax<T>* kept);
template <class Arch, class T>
void cross_entropy_gradient_row(const T* x, std::int64_t n, std::int64_t label, T smoothing,
                                const RowSoftmax<T>& kept, T g, T* out);

/// So many columns at most make a tile of a matrix whose softmax goes along the columns: wide
/// enough that memory is read ahead.
inline constexpr std::int64_t softmax_tile = 512;

/// Columns of rows that are `stride` elements apart.
struct ColumnTile {
  std::int64_t rows, stride, columns;
};

// The same along each column of a tile; `out` is not an input, and has its stride.

template <class Arch, class T> void softmax_columns(const ColumnTile& tile, const T* x, T* out);
template <class Arch, class T> void log_softmax_columns(const ColumnTile& tile, const T* x, T* out);
template <class Arch, class T>
void softmax_gradient_columns(const ColumnTile& tile, const T* y, const T* g, T* out);
template <class Arch, class T>
void log_softmax_gradient_columns(const ColumnTile& tile, const T* y, const T* g, T* out);

}  // namespace cadena::kernels
