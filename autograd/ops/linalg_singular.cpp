// The determinant of a matrix close to singular, with derivatives of any order.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <cmath>
#include <limits>

namespace cadena::ops {
namespace {

/// det of one matrix [n, n], n >= 1, by products and sums alone (Bird 2011, "A simple division-free
/// algorithm for computing determinants"): n - 1 times X <- μ(X)·A from X = A, where μ(X) is X
/// above the diagonal, minus the sum of what follows on the diagonal of X on it, and 0 below.
Tensor divisionless_det(const Tensor& a) {
  const std::int64_t n = a.size(0);
  const Tensor on_diagonal = diagonal_mask(n), below = lower_mask(n, n);
  const Tensor following = where(below, 0.0, ones({n, n}, {.dtype = a.dtype()}));
  Tensor x = a;
  for (std::int64_t i = 1; i < n; ++i) {
    const Tensor diagonal = sum(where(on_diagonal, x, 0.0), {1});
    const Tensor sums = -matmul(following, diagonal);
    const Tensor mu = where(below, where(on_diagonal, unsqueeze(sums, 1), 0.0), x);
    x = matmul(mu, a);
  }
  const Tensor corner = select(select(x, 0, 0), 0, 0);
  return n % 2 == 0 ? -corner : corner;
}

/// det U · det Vᵀ, 1 or -1.
double orientation(const Svd& svd) {
  return slogdet(svd.u).sign.item() * slogdet(svd.vh).sign.item();
}

}  // namespace

Tensor singular_det(const Tensor& matrix) {
  Svd fixed;
  double sign;
  {
    const NoGrad none;
    fixed = svd(matrix);
    sign = orientation(fixed);
  }
  const std::vector<double> values = fixed.s.to_vector<double>();
  const double epsilon = matrix.dtype() == float32 ? std::numeric_limits<float>::epsilon()
                                                   : std::numeric_limits<double>::epsilon();
  const auto n = static_cast<std::int64_t>(values.size());
  std::int64_t rank = 0;  // as far as it is beyond doubt; n - 1 at most
  while (rank + 1 < n && values[static_cast<std::size_t>(rank)] > std::sqrt(epsilon) * values[0]) {
    ++rank;
  }
  const Tensor turned = matmul(matmul(transpose(fixed.u), matrix), transpose(fixed.vh));
  if (rank == 0) {
    return sign * divisionless_det(turned);
  }
  const auto block = [&](bool low, bool right) {
    const Tensor rows = low ? slice(turned, 0, rank) : slice(turned, 0, 0, rank);
    return right ? slice(rows, 1, rank) : slice(rows, 1, 0, rank);
  };
  const Tensor first = block(false, false);
  const Tensor eliminated =
      matmul(block(true, false), matmul(inverse_or_infinite(first), block(false, true)));
  return sign * regular_det(first) * divisionless_det(block(true, true) - eliminated);
}

}  // namespace cadena::ops
