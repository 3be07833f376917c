#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/list.hpp>

namespace cadena::ops {

void check_matrices(const char* operation, const Tensor& x) {
  const detail::TensorImpl& impl = detail::impl_of(x, operation);
  if (!is_floating(impl.dtype)) {
    fail("{}: expected float32 or float64, got {}; convert with to(float32)", operation,
         name(impl.dtype));
  }
  if (impl.shape.size() < 2) {
    fail("{}: expected matrices [..., m, n], got shape {}", operation, impl.shape);
  }
}

void check_square(const char* operation, const Tensor& x) {
  check_matrices(operation, x);
  if (x.size(-2) != x.size(-1)) {
    fail("{}: expected square matrices [..., n, n], got shape {} ({} against {})", operation,
         x.shape(), x.size(-2), x.size(-1));
  }
}

void check_same_dtype(const char* operation, const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype()) {
    fail("{}: dtypes differ: {} and {}; convert one with to()", operation, name(a.dtype()),
         name(b.dtype()));
  }
}

Shape batch_of(const Shape& matrices) {
  Shape batch = matrices;
  batch.erase(batch.size() - 1);
  batch.erase(batch.size() - 1);
  return batch;
}

Shape matrices_like(const Shape& matrices, std::int64_t rows, std::int64_t columns) {
  Shape shape = batch_of(matrices);
  shape.push_back(rows);
  shape.push_back(columns);
  return shape;
}

Tensor as_factors(const Tensor& x) { return unsqueeze(unsqueeze(x, -1), -1); }

std::string which(const Shape& matrices, std::int64_t position) {
  const Shape batch = batch_of(matrices);
  return batch.empty() ? fmt::format("the matrix of shape {}", matrices)
                       : fmt::format("matrix {} of shape {}", unravel(position, batch), matrices);
}

void check_spectrum(const char* operation, const Shape& shape,
                    const std::optional<kernels::Failure>& failure) {
  if (failure) {
    fail("{}: {} {}", operation, which(shape, failure->matrix),
         failure->outcome == kernels::not_finite ? "has infinite or NaN elements"
                                                 : "takes too many iterations");
  }
}

Tensor lower_mask(std::int64_t rows, std::int64_t columns, std::int64_t diagonal) {
  const double m = static_cast<double>(rows), n = static_cast<double>(columns);
  return unsqueeze(arange(m, {.dtype = int64}) + diagonal, 1) >= arange(n, {.dtype = int64});
}

Tensor diagonal_mask(std::int64_t n) { return eye(n, {}, {.dtype = boolean}); }

Tensor sample_matrices(const Shape& shape, double shift, std::uint64_t seed) {
  return sample_values(shape, -1, 1, seed) +
         shift * eye(shape[shape.size() - 2], shape.back(), {.dtype = float64});
}

}  // namespace cadena::ops
