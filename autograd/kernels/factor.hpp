#pragma once

#include <cadena/autograd/kernels/factor_kernels.hpp>

#include <optional>

namespace cadena::kernels {

// Factorisations of `count` matrices, contiguous and row-major, one after another; in parallel over
// the matrices. T is float or double. See factor_kernels.hpp for what each one computes.

/// The first matrix with which something was wrong.
struct Failure {
  std::int64_t matrix;
  Outcome outcome;
};

template <class T>
void determinants(std::int64_t count, std::int64_t n, const T* a, Determinant* results);

/// a^-1 · b, or the inverse if b is null.
template <class T>
std::optional<Failure> solve_by_lu(std::int64_t count, std::int64_t n, std::int64_t columns,
                                   const T* a, const T* b, T* x);

template <class T>
void solve_triangular(std::int64_t count, std::int64_t n, std::int64_t columns, bool upper,
                      bool unit, const T* a, const T* b, T* x);

template <class T>
std::optional<Failure> cholesky(std::int64_t count, std::int64_t n, const T* a, T* l);

template <class T>
void qr(std::int64_t count, std::int64_t rows, std::int64_t columns, const T* a, T* q, T* r);

template <class T>
std::optional<Failure> eigh(std::int64_t count, std::int64_t n, const T* a, T* values, T* vectors);

template <class T>
std::optional<Failure> svd(std::int64_t count, std::int64_t rows, std::int64_t columns, const T* a,
                           T* u, T* s, T* vh);

}  // namespace cadena::kernels
