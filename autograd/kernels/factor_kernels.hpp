#pragma once

#include <cstdint>

namespace cadena::kernels {

// Factorisations by Eigen, the parts that are compiled once per architecture. Matrices lie
// contiguous and row-major, one after another; each function treats those of `range` in the calling
// thread. Sizes are at least 1.

/// Some matrices of a batch.
struct Range {
  std::int64_t begin, end;
};

/// A determinant as mantissa · 2^exponent, which neither overflows nor vanishes.
struct Determinant {
  double mantissa;
  std::int64_t exponent;
};

/// What became of a matrix: `done`, the index of the pivot that was in the way, or one of the rest.
enum Outcome : std::int64_t { done = -1, not_finite = -2, not_converged = -3 };

/// det of matrices [n, n] by LU with partial pivoting.
template <class Arch, class T>
void determinants(Range range, std::int64_t n, const T* a, Determinant* results);

/// x = a^-1 · b, a [n, n] and b [n, columns], by LU with partial pivoting; the inverse without a b.
/// An outcome is the pivot that is exactly 0; x is then infinite.
template <class Arch, class T>
void solve_by_lu(Range range, std::int64_t n, std::int64_t columns, const T* a, const T* b, T* x,
                 Outcome* outcomes);

/// x = a^-1 · b for a triangular a [n, n], of which the other triangle is not read; `unit` takes
/// its diagonal for ones.
template <class Arch, class T>
void solve_triangular(Range range, std::int64_t n, std::int64_t columns, bool upper, bool unit,
                      const T* a, const T* b, T* x);

/// The lower triangular l with l·lᵀ = (a + aᵀ) / 2. An outcome is the first pivot that is not
/// positive; l is then not to be used.
template <class Arch, class T>
void cholesky(Range range, std::int64_t n, const T* a, T* l, Outcome* outcomes);

/// a = q·r with q [rows, k], r [k, columns] upper triangular with a diagonal of at least 0, k the
/// smaller of rows and columns; by Householder's reflections.
template <class Arch, class T>
void qr(Range range, std::int64_t rows, std::int64_t columns, const T* a, T* q, T* r);

/// (a + aᵀ) / 2 = vectors · diag(values) · vectorsᵀ, values ascending.
template <class Arch, class T>
void eigh(Range range, std::int64_t n, const T* a, T* values, T* vectors, Outcome* outcomes);

/// a = u · diag(s) · vh with u [rows, k], s [k] descending, vh [k, columns].
template <class Arch, class T>
void svd(Range range, std::int64_t rows, std::int64_t columns, const T* a, T* u, T* s, T* vh,
         Outcome* outcomes);

}  // namespace cadena::kernels
