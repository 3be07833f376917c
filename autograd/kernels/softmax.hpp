#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

#include <optional>

namespace cadena::kernels {

/// A contiguous matrix whose rows are worked on one by one.
struct RowsShape {
  std::int64_t rows, columns;
};

// T is float or double throughout. Each row is shifted by its maximum first, so that no exp
// overflows. columns must not be 0 unless rows is.
//
// A ReduceShape [outer, reduced, inner] says that the "rows" go along its middle dimension: index c
// of row r = [o, i] is the element [o, c, i].

/// out[r] = log Σ_c exp(x[r, c]); -∞ for a row of -∞, +∞ for one that has +∞.
template <class T> void logsumexp(const RowsShape& shape, const T* x, T* out);

/// out[r, c] = exp(x[r, c]) / Σ_k exp(x[r, k]).
template <class T> void softmax(const ReduceShape& shape, const T* x, T* out);

/// out[r, c] = x[r, c] - log Σ_k exp(x[r, k]).
template <class T> void log_softmax(const ReduceShape& shape, const T* x, T* out);

/// From y = softmax(x) and the gradient g of y, that of x: y (g - Σ_k g[k] y[k]).
template <class T> void softmax_gradient(const ReduceShape& shape, const T* y, const T* g, T* out);

/// From y = log_softmax(x) and the gradient g of y, that of x: g - exp(y) Σ_k g[k].
template <class T>
void log_softmax_gradient(const ReduceShape& shape, const T* y, const T* g, T* out);

/// What cross_entropy keeps of a row for its gradient.
template <class T> struct RowSoftmax {
  T maximum;
  T scale;  // 1 / Σ_c exp(x[r, c] - maximum)
};

/// Labels as a cross-entropy takes them.
struct Labels {
  const std::int64_t* values;                // one a row
  std::optional<std::int64_t> ignored = {};  // rows with this label have loss 0
  double smoothing = 0;  // goes to all classes alike, 1 - smoothing to the label
};

/// loss[r] = -Σ_c q[c] log softmax(x)[r, c] with q = (1 - smoothing) (c == label) + smoothing /
/// columns. Gives the first row whose label is neither ignored nor in [0, columns), or -1; the loss
/// of such a row is NaN. `kept` has one element a row.
template <class T>
std::int64_t cross_entropy(const RowsShape& shape, const T* x, const Labels& labels, T* loss,
                           RowSoftmax<T>* kept);

/// out[r, c] = (softmax(x)[r, c] - q[c]) g[r], where g has one element a row; 0 in ignored rows.
/// `kept` comes from cross_entropy; all other labels are in [0, columns).
template <class T>
void cross_entropy_gradient(const RowsShape& shape, const T* x, const Labels& labels,
                            const RowSoftmax<T>* kept, const T* g, T* out);

}  // namespace cadena::kernels
