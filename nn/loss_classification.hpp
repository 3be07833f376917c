#pragma once

#include <cadena/autograd/ops/softmax.hpp>

#include <optional>

namespace cadena::nn {

/// Cross-entropy of logits with class indices, one-hot or soft targets; see ops/softmax.hpp.
using cadena::cross_entropy;
using cadena::CrossEntropyOptions;
using cadena::Reduction;

/// -(y ln ŷ + (1 - y) ln(1 - ŷ)), elementwise, ŷ and y in [0, 1] (Error if not). Below 1e-12 the
/// logarithm goes on as its tangent, so that values (at most 28.7) and gradients (at most 1e12) are
/// finite at 0 and 1.
Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            Reduction reduction = Reduction::mean);

struct BinaryCrossEntropyOptions {
  Tensor weight = {};  ///< Of the losses, broadcast to them; `mean` is over all elements still.
  Reduction reduction = Reduction::mean;
};
Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            const BinaryCrossEntropyOptions& options);

/// The same of sigmoid(logits), exact for logits of any size: y softplus(-z) + (1 - y) softplus(z).
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction = Reduction::mean);

struct BinaryLogitsOptions {
  Tensor weight = {};      ///< Of the losses, broadcast to them; `mean` is over all elements still.
  Tensor pos_weight = {};  ///< Of the part of y, broadcast to the losses: above 1 for recall.
  Reduction reduction = Reduction::mean;
};
Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        const BinaryLogitsOptions& options);

/// Cross-entropy over all outputs, -Σ_k (y_k ln ŷ_k + (1 - y_k) ln(1 - ŷ_k)) of each example: for
/// probabilities [M, classes] (of softmax or normalized_logistic) and targets of the same shape, or
/// class indices [M]; [classes] and a single index are one example. Reduced as half_squared_error;
/// checked and finite as binary_cross_entropy.
Tensor multiclass_cross_entropy(const Tensor& probabilities, const Tensor& target,
                                Reduction reduction = Reduction::mean);

struct NllOptions {
  Tensor weight = {};                             ///< One a class; `mean` divides by their sum.
  std::optional<std::int64_t> ignore_index = {};  ///< A label whose examples do not count.
  Reduction reduction = Reduction::mean;
};
/// -log_p[label] · weight[label] for log-probabilities [..., classes] and labels [...]. A label
/// that is no class is an Error.
Tensor nll(const Tensor& log_probabilities, const Tensor& labels, const NllOptions& options = {});

struct KlDivOptions {
  bool log_target = false;  ///< The target is given as its logarithm.
  Reduction reduction = Reduction::mean;
};
/// y (ln y - ln ŷ) of the logarithm of a distribution ŷ and a distribution y, elementwise; 0 where
/// y = 0, also for ln ŷ = -∞. As in PyTorch `mean` is over all elements; the divergence of the
/// distributions is the sum, divided by the number of examples for their mean.
Tensor kl_div(const Tensor& log_prediction, const Tensor& target, const KlDivOptions& options = {});

struct FocalOptions {
  std::optional<double> alpha = 0.25;  ///< In [0, 1]: weight of y = 1, 1 - alpha that of y = 0.
  double gamma = 2;                    ///< At least 0; 0 is binary cross-entropy.
  Reduction reduction = Reduction::mean;
};
/// Focal loss (Lin et al. 2017) of logits z and targets y in [0, 1], elementwise, p = sigmoid(z):
/// -α y (1 - p)^γ ln p - (1 - α)(1 - y) p^γ ln(1 - p), exact for logits of any size.
Tensor focal(const Tensor& logits, const Tensor& target, const FocalOptions& options = {});

struct HingeOptions {
  double margin = 1;
  bool squared = false;
  Reduction reduction = Reduction::mean;
};
/// max(0, margin - y ŷ), or its square, for scores ŷ and targets y of 1 or -1, elementwise;
/// subgradient 0 at the kink. Error for boolean and uint8 targets, which cannot be -1.
Tensor hinge(const Tensor& prediction, const Tensor& target, const HingeOptions& options = {});

struct MultiMarginOptions {
  int p = 1;  ///< 1 or 2.
  double margin = 1;
  Tensor weight = {};  ///< One a class.
  Reduction reduction = Reduction::mean;
};
/// Σ_{c ≠ label} max(0, margin - ŷ_label + ŷ_c)^p weight_label / classes of each example (Crammer
/// and Singer 2001), for scores [..., classes] and labels [...]; subgradient 0 at the kinks.
Tensor multi_margin(const Tensor& prediction, const Tensor& labels,
                    const MultiMarginOptions& options = {});

}  // namespace cadena::nn
