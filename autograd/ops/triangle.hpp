#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Parts of matrices, which are the last two dimensions unless axes are named. Diagonal k begins
// above the main one for k > 0 (column - row = k), below it for k < 0.

/// The elements on and below a diagonal; 0 above.
Tensor tril(const Tensor& x, std::int64_t diagonal = 0);
/// The elements on and above a diagonal; 0 below.
Tensor triu(const Tensor& x, std::int64_t diagonal = 0);

/// The elements of a diagonal of axes axis1 (rows) and axis2 (columns), which become one dimension,
/// the last: y[..., i] = x[..., i, ..., i + offset, ...]. A view; no elements if the diagonal is
/// outside.
Tensor diagonal(const Tensor& x, std::int64_t offset = 0, std::int64_t axis1 = 0,
                std::int64_t axis2 = 1);

/// Square matrices with the last dimension of x on a diagonal, 0 elsewhere; their rows are
/// dimension axis1 of the result, their columns axis2.
Tensor diag_embed(const Tensor& x, std::int64_t offset = 0, std::int64_t axis1 = -2,
                  std::int64_t axis2 = -1);

/// The matrix with a vector on its diagonal k, or diagonal k of a matrix.
Tensor diag(const Tensor& x, std::int64_t k = 0);

}  // namespace cadena
