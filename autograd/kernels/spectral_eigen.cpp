#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/factor_eigen.hpp>
#include <cadena/autograd/kernels/factor_kernels.hpp>

#include <Eigen/Eigenvalues>
#include <Eigen/SVD>

namespace cadena::kernels {
namespace {

// float32 is computed in float64 as well: these are the largest templates of the library by far,
// and their iterations gain more from the precision than from the shorter lanes.
using Wide = Matrix<double>;

Outcome outcome_of(Eigen::ComputationInfo info) {
  return info == Eigen::Success ? done : not_converged;
}

}  // namespace

template <class Arch, class T>
void eigh(Range range, std::int64_t n, const T* a, T* values, T* vectors, Outcome* outcomes) {
  Wide matrix(n, n);
  Eigen::SelfAdjointEigenSolver<Wide> solver(n);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    const auto from = item(a, i, n, n).template cast<double>();
    matrix = 0.5 * from + 0.5 * from.transpose();
    outcomes[i] = not_finite;
    if (matrix.allFinite()) {
      solver.compute(matrix);
      outcomes[i] = outcome_of(solver.info());
      item(values, i, n, 1) = solver.eigenvalues().template cast<T>();
      item(vectors, i, n, n) = solver.eigenvectors().template cast<T>();
    }
  }
}

template <class Arch, class T>
void svd(Range range, std::int64_t rows, std::int64_t columns, const T* a, T* u, T* s, T* vh,
         Outcome* outcomes) {
  const std::int64_t k = rows < columns ? rows : columns;
  Wide matrix(rows, columns);
  Eigen::BDCSVD<Wide> solver(rows, columns, Eigen::ComputeThinU | Eigen::ComputeThinV);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    matrix = item(a, i, rows, columns).template cast<double>();
    outcomes[i] = not_finite;
    if (matrix.allFinite()) {
      solver.compute(matrix);
      outcomes[i] = outcome_of(solver.info());
      item(u, i, rows, k) = solver.matrixU().template cast<T>();
      item(s, i, k, 1) = solver.singularValues().template cast<T>();
      item(vh, i, k, columns) = solver.matrixV().transpose().template cast<T>();
    }
  }
}

#define CADENA_INSTANTIATE(T)                                                \
  template void eigh<Arch>(Range, std::int64_t, const T*, T*, T*, Outcome*); \
  template void svd<Arch>(Range, std::int64_t, std::int64_t, const T*, T*, T*, T*, Outcome*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
