#pragma once

// What the factorisations by Eigen share. For kernel passes alone.

#include <cstdint>

#include <Eigen/Core>

namespace cadena::kernels {
namespace {

// A factorisation works on a matrix of its own: columns are contiguous, and the bits do not depend
// on where the caller's memory begins.
template <class T> using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic>;
template <class T> using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// Matrix i of a batch.
template <class T>
Eigen::Map<const Rows<T>> item(const T* a, std::int64_t i, std::int64_t rows,
                               std::int64_t columns) {
  return {a + i * rows * columns, rows, columns};
}
template <class T>
Eigen::Map<Rows<T>> item(T* a, std::int64_t i, std::int64_t rows, std::int64_t columns) {
  return {a + i * rows * columns, rows, columns};
}

}  // namespace
}  // namespace cadena::kernels
