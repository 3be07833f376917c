#pragma once

#include <cadena/autograd/ops/softmax.hpp>

namespace cadena::nn {

// Losses. Predictions and targets have the same shape (nothing is broadcast: a column against a
// row would give a matrix of losses); the first dimension counts the examples.

/// Cross-entropy of logits with class indices, one-hot or soft targets; see ops/softmax.hpp.
using cadena::cross_entropy;
using cadena::Reduction;

/// (ŷ - y)², elementwise; `mean` is over all elements.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// E = ½ Σ_k (ŷ_k - y_k)² of each example: shape [M] for `none`, their sum E, or the empirical
/// risk (1/M) Σ_m E_m for `mean`.
Tensor half_squared_error(const Tensor& prediction, const Tensor& target,
                          Reduction reduction = Reduction::sum);

/// -(y ln ŷ + (1 - y) ln(1 - ŷ)), elementwise, ŷ and y in [0, 1] (Error if not). Below 1e-12 the
/// logarithm goes on as its tangent, so that values (at most 28.7) and gradients (at most 1e12) are
/// finite at 0 and 1.
Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            Reduction reduction = Reduction::mean);

/// The same of sigmoid(logits), exact for logits of any size: y softplus(-z) + (1 - y) softplus(z).
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction = Reduction::mean);

/// Cross-entropy over all outputs, -Σ_k (y_k ln ŷ_k + (1 - y_k) ln(1 - ŷ_k)) of each example: for
/// probabilities [M, classes] (of softmax or normalized_logistic) and targets of the same shape, or
/// class indices [M]; [classes] and a single index are one example. Reduced as half_squared_error;
/// checked and finite as binary_cross_entropy.
Tensor multiclass_cross_entropy(const Tensor& probabilities, const Tensor& target,
                                Reduction reduction = Reduction::mean);

}  // namespace cadena::nn
