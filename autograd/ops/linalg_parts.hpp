#pragma once

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/kernels/factor.hpp>

#include <string>

// What operators on matrices have in common.

namespace cadena::ops {

/// Errors unless x is floating [..., m, n].
void check_matrices(const char* operation, const Tensor& x);
/// Errors unless x is floating [..., n, n].
void check_square(const char* operation, const Tensor& x);
/// Errors unless both have the same dtype.
void check_same_dtype(const char* operation, const Tensor& a, const Tensor& b);

/// The dimensions before the last two.
Shape batch_of(const Shape& matrices);
/// With other last two dimensions.
Shape matrices_like(const Shape& matrices, std::int64_t rows, std::int64_t columns);
/// [..., 1, 1] of [...], to scale matrices.
Tensor as_factors(const Tensor& x);

/// "matrix [1, 0] of shape [2, 3, 4, 4]", for errors.
std::string which(const Shape& matrices, std::int64_t position);
/// An Error that says so if infinite or NaN elements, or slow convergence, were in the way.
void check_spectrum(const char* operation, const Shape& shape,
                    const std::optional<kernels::Failure>& failure);

/// Where element [i, j] of matrices [rows, columns] has j - i <= diagonal.
Tensor lower_mask(std::int64_t rows, std::int64_t columns, std::int64_t diagonal = 0);
/// The main diagonal of [n, n].
Tensor diagonal_mask(std::int64_t n);

/// A^-1 for derivatives: full of infinities where A is singular, without an Error.
Tensor inverse_or_infinite(const Tensor& x);
/// A^-1; Errors speak of the gradient of `operation`.
Tensor inverse_in_gradient(const char* operation, const Tensor& x);
/// A^-1·B for a triangular A with equal batches and without a check.
Tensor triangular_solution(const Tensor& a, const Tensor& b, bool upper, bool unit = false);

/// det of matrices close to singular, of any rank, to be differentiated; see det.
Tensor singular_det(const Tensor& matrix);
/// det of matrices that are known not to be.
Tensor regular_det(const Tensor& x);

/// Samples' matrices: random ones, with `shift` added on the diagonal.
Tensor sample_matrices(const Shape& shape, double shift, std::uint64_t seed);

}  // namespace cadena::ops
