#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/factor_eigen.hpp>
#include <cadena/autograd/kernels/factor_kernels.hpp>

#include <Eigen/Cholesky>
#include <Eigen/LU>
#include <Eigen/QR>

#include <cmath>
#include <limits>

namespace cadena::kernels {
namespace {

/// The product of the pivots and the sign of the permutation.
template <class T> Determinant determinant_of(const Eigen::PartialPivLU<Matrix<T>>& lu) {
  Determinant result{static_cast<double>(lu.permutationP().determinant()), 0};
  for (const T pivot : lu.matrixLU().diagonal()) {
    result.mantissa *= static_cast<double>(pivot);
    int exponent = 0;
    if (std::isfinite(result.mantissa)) {
      result.mantissa = std::frexp(result.mantissa, &exponent);
    }
    result.exponent += exponent;
  }
  return result;
}

/// The first pivot that is not positive, for a matrix that has one.
template <class T> Outcome first_bad_pivot(Matrix<T> a) {
  for (Eigen::Index j = 0; j < a.rows(); ++j) {
    const T pivot = a(j, j) - a.row(j).head(j).squaredNorm();
    if (!(pivot > 0)) {
      return static_cast<Outcome>(j);
    }
    a(j, j) = std::sqrt(pivot);
    for (Eigen::Index i = j + 1; i < a.rows(); ++i) {
      a(i, j) = (a(i, j) - a.row(i).head(j).dot(a.row(j).head(j))) / a(j, j);
    }
  }
  return static_cast<Outcome>(a.rows() - 1);  // only rounding tells it from a positive one
}

/// Makes the largest element of each column of the order of 1, exactly, so that no square over- or
/// underflows; what to multiply column j by to have it back is 2^exponents[j].
template <class T>
void scale_columns(Matrix<T>& a, Eigen::Matrix<int, Eigen::Dynamic, 1>& exponents) {
  for (Eigen::Index j = 0; j < a.cols(); ++j) {
    const T largest = a.col(j).cwiseAbs().maxCoeff();
    exponents[j] = 0;
    if (largest > 0 && std::isfinite(largest)) {
      exponents[j] = std::ilogb(largest);
      a.col(j) = a.col(j).unaryExpr([&](T x) { return std::ldexp(x, -exponents[j]); });
    }
  }
}

}  // namespace

template <class Arch, class T>
void determinants(Range range, std::int64_t n, const T* a, Determinant* results) {
  Matrix<T> matrix(n, n);
  Eigen::PartialPivLU<Matrix<T>> lu(n);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    matrix = item(a, i, n, n);
    lu.compute(matrix);
    results[i] = determinant_of<T>(lu);
  }
}

template <class Arch, class T>
void solve_by_lu(Range range, std::int64_t n, std::int64_t columns, const T* a, const T* b, T* x,
                 Outcome* outcomes) {
  Matrix<T> matrix(n, n), solution(n, columns);
  Eigen::PartialPivLU<Matrix<T>> lu(n);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    matrix = item(a, i, n, n);
    lu.compute(matrix);
    outcomes[i] = done;
    bool any_nan = false;
    for (Eigen::Index k = n; k-- > 0;) {
      const T pivot = lu.matrixLU()(k, k);
      any_nan = any_nan || std::isnan(pivot);
      if (pivot == 0) {
        outcomes[i] = static_cast<Outcome>(k);
      }
    }
    auto to = item(x, i, n, columns);
    if (any_nan || outcomes[i] != done) {
      // Substitution leaves out zeros of the right side, where NaN would be lost.
      outcomes[i] = any_nan ? done : outcomes[i];
      to.setConstant(any_nan ? std::numeric_limits<T>::quiet_NaN()
                             : std::numeric_limits<T>::infinity());
      continue;
    }
    if (b != nullptr) {
      solution = lu.permutationP() * item(b, i, n, columns);
    } else {
      solution = lu.permutationP();
    }
    lu.matrixLU().template triangularView<Eigen::UnitLower>().solveInPlace(solution);
    lu.matrixLU().template triangularView<Eigen::Upper>().solveInPlace(solution);
    to = solution;
  }
}

template <class Arch, class T>
void solve_triangular(Range range, std::int64_t n, std::int64_t columns, bool upper, bool unit,
                      const T* a, const T* b, T* x) {
  Matrix<T> matrix(n, n), solution(n, columns);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    matrix = item(a, i, n, n);
    if (unit) {
      matrix.diagonal().setOnes();
    }
    solution = item(b, i, n, columns);
    if (upper) {
      matrix.template triangularView<Eigen::Upper>().solveInPlace(solution);
    } else {
      matrix.template triangularView<Eigen::Lower>().solveInPlace(solution);
    }
    item(x, i, n, columns) = solution;
  }
}

template <class Arch, class T>
void cholesky(Range range, std::int64_t n, const T* a, T* l, Outcome* outcomes) {
  Matrix<T> matrix(n, n);
  Eigen::LLT<Matrix<T>, Eigen::Lower> llt(n);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    // Halves first, for the sum could overflow.
    matrix = T(0.5) * item(a, i, n, n) + T(0.5) * item(a, i, n, n).transpose();
    llt.compute(matrix);
    // Eigen lets NaN pass.
    const bool positive =
        llt.info() == Eigen::Success && (llt.matrixLLT().diagonal().array() > 0).all();
    outcomes[i] = positive ? done : first_bad_pivot<T>(matrix);
    auto to = item(l, i, n, n);
    to.setZero();
    to.template triangularView<Eigen::Lower>() = llt.matrixLLT();
  }
}

template <class Arch, class T>
void qr(Range range, std::int64_t rows, std::int64_t columns, const T* a, T* q, T* r) {
  const std::int64_t k = rows < columns ? rows : columns;
  Matrix<T> matrix(rows, columns), left(rows, k), right(k, columns);
  Eigen::HouseholderQR<Matrix<T>> factors(rows, columns);
  Eigen::Matrix<int, Eigen::Dynamic, 1> exponents(columns);
  for (std::int64_t i = range.begin; i < range.end; ++i) {
    matrix = item(a, i, rows, columns);
    if (rows > 0) {
      scale_columns<T>(matrix, exponents);
    }
    factors.compute(matrix);
    left.setIdentity();
    left.applyOnTheLeft(factors.householderQ());
    right.setZero();
    right.template triangularView<Eigen::Upper>() = factors.matrixQR().topRows(k);
    for (Eigen::Index j = 0; j < right.cols() && k > 0; ++j) {
      right.col(j) = right.col(j).unaryExpr([&](T x) { return std::ldexp(x, exponents[j]); });
    }
    for (Eigen::Index j = 0; j < k; ++j) {
      if (right(j, j) < 0) {
        right.row(j) = -right.row(j);
        left.col(j) = -left.col(j);
      }
    }
    item(q, i, rows, k) = left;
    item(r, i, k, columns) = right;
  }
}

#define CADENA_INSTANTIATE(T)                                                                   \
  template void determinants<Arch>(Range, std::int64_t, const T*, Determinant*);                \
  template void solve_by_lu<Arch>(Range, std::int64_t, std::int64_t, const T*, const T*, T*,    \
                                  Outcome*);                                                    \
  template void solve_triangular<Arch>(Range, std::int64_t, std::int64_t, bool, bool, const T*, \
                                       const T*, T*);                                           \
  template void cholesky<Arch>(Range, std::int64_t, const T*, T*, Outcome*);                    \
  template void qr<Arch>(Range, std::int64_t, std::int64_t, const T*, T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
