#pragma once

#include <cstdint>

namespace cadena::kernels {

/// A contiguous array [outer, reduced, inner] whose middle dimension is reduced: the result is
/// [outer, inner].
struct ReduceShape {
  std::int64_t outer, reduced, inner;
};

// All orders of summation are fixed by the shape and the same for each number of threads and each
// architecture: within a row (inner = 1) lanes of 128 bytes in blocks of 1024 elements, within a
// column 16 elements one after another, and a balanced tree above. Memory is read once.

/// out[o, i] = Σ_r x[o, r, i]; 0 when nothing is reduced. T: float, double, std::int64_t.
template <class T> void sum(const ReduceShape& shape, const T* x, T* out);
/// The same of bytes.
void sum(const ReduceShape& shape, const std::uint8_t* x, std::int64_t* out);

/// out[o, i] = Π_r x[o, r, i] in the same order; 1 when nothing is reduced. T: float, double,
/// std::int64_t.
template <class T> void product(const ReduceShape& shape, const T* x, T* out);

/// out[o, i] = Σ_r (x[o, r, i] · scale[o, i])²; `scale` may be null for 1. T: float, double.
template <class T> void sum_squares(const ReduceShape& shape, const T* x, const T* scale, T* out);

/// The largest and the smallest element; NaN if there is one. `reduced` must not be 0 (unless there
/// is no result). T: float, double, std::int64_t.
template <class T> void maximum(const ReduceShape& shape, const T* x, T* out);
template <class T> void minimum(const ReduceShape& shape, const T* x, T* out);

/// The first index r at which the largest (smallest) element stands, or the first NaN. `reduced`
/// must not be 0. `values`, unless null, gets the element there. T: float, double, std::int64_t.
template <class T>
void argmax(const ReduceShape& shape, const T* x, std::int64_t* out, T* values = nullptr);
template <class T>
void argmin(const ReduceShape& shape, const T* x, std::int64_t* out, T* values = nullptr);

/// Σ_i x[i]·y[i]. T: float, double.
template <class T> T dot(std::int64_t n, const T* x, const T* y);

/// A matrix [rows, columns] whose rows begin `stride` elements apart.
struct StridedRows {
  std::int64_t rows, columns, stride;
};

/// out[c] = Σ_r weights[r]·x[r, c]. T: float, double.
template <class T>
void weighted_sum(const StridedRows& shape, const T* weights, const T* x, T* out);

}  // namespace cadena::kernels
