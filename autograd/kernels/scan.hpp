#pragma once

#include <cadena/autograd/kernels/reduce.hpp>

namespace cadena::kernels {

// Scans: each element of the result is made of those at and before its place along an axis. A
// ReduceShape [outer, reduced, inner] is scanned along its middle dimension; `reverse` scans from
// its end. float32 is added and multiplied in double. All orders are fixed by the shape.

/// out[o, r, i] = Σ_(k <= r) x[o, k, i]. float64 keeps what each addition loses, integers wrap
/// around. A long row (inner = 1) is cut in blocks: their sums first, then all blocks at once. T:
/// float, double, std::int64_t.
template <class T> void cumsum(const ReduceShape& shape, bool reverse, const T* x, T* out);

/// out[o, r, i] = Π_(k <= r) x[o, k, i], one factor after another: the products of blocks would
/// overflow where those from the beginning do not. T: float, double, std::int64_t.
template <class T> void cumprod(const ReduceShape& shape, const T* x, T* out);

/// out[o, r, i] = log Σ_(k <= r) exp(x[o, k, i]), shifted by the largest x so far; a long row is
/// cut in blocks. T: float, double.
template <class T> void logcumsumexp(const ReduceShape& shape, const T* x, T* out);

/// s[r] = b[r] + a[r] s[r - 1] along the axis; with `reverse` s[r] = b[r] + a[r + 1] s[r + 1],
/// which is the transpose of the map from b to s. a[0] is not read. T: float, double.
template <class T>
void recurrence(const ReduceShape& shape, bool reverse, const T* a, const T* b, T* s);

/// The largest (smallest) of x so far, and the last place where it stands; from the first NaN on
/// the last NaN. T: float, double, std::int64_t.
template <class T>
void cummax(const ReduceShape& shape, const T* x, T* values, std::int64_t* places);
template <class T>
void cummin(const ReduceShape& shape, const T* x, T* values, std::int64_t* places);

}  // namespace cadena::kernels
