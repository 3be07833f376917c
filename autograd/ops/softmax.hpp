#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>

namespace cadena {

// Along an axis, negative ones counting from the end; integers give float32. Rows are shifted by
// their largest element first, so that nothing overflows.

/// log Σ e^x over the axes (all if none are named); `keepdim` leaves dimensions of size 1. -∞ over
/// nothing and where all elements are -∞ (with gradient 0 there).
Tensor logsumexp(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// e^x / Σ e^x.
Tensor softmax(const Tensor& x, std::int64_t axis = -1);

/// x - log Σ e^x.
Tensor log_softmax(const Tensor& x, std::int64_t axis = -1);

/// σ(x) / Σ σ(x) with the logistic function σ: the softmax layer of the lecture, "logistic, then
/// normalise". Computed as the softmax of log σ(x), which is the same and has no 0/0.
Tensor normalized_logistic(const Tensor& x, std::int64_t axis = -1);

/// What becomes of the losses of single examples.
enum class Reduction : std::uint8_t {
  mean,  ///< Over all examples; NaN if there are none.
  sum,
  none,  ///< They are the result, of the shape of `logits` without its last dimension.
};

/// Cross-entropy of softmax(logits), logits of shape [..., classes], with
/// - int64 or uint8 labels in [0, classes), of shape [...]: -log softmax(logits)[label], or
/// - floating targets of the logits' shape (one-hot or soft): -Σ_c target_c · log
/// softmax(logits)_c, where a target of 0 against a logit of -∞ counts 0.
/// Error where shapes do not fit or a label is out of range. With labels the value is one pass over
/// the logits and the gradient another.
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     Reduction reduction = Reduction::mean);

struct CrossEntropyOptions {
  Tensor weight = {};                             ///< One a class: [classes].
  std::optional<std::int64_t> ignore_index = {};  ///< A label whose examples do not count.
  double label_smoothing = 0;                     ///< In [0, 1]; see below.
  Reduction reduction = Reduction::mean;
};

/// The same with
/// - `weight`: each class's part is multiplied by the weight of the class. For labels `mean` then
///   divides by the sum of the weights of the labels, and not by the number of examples;
/// - `ignore_index`: examples with this label, which need not be a class, have loss and gradient 0
///   and do not count for `mean` (Error for soft targets);
/// - `label_smoothing` ε: the target is (1 - ε) target + ε / classes (Szegedy et al. 2016).
Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options);

}  // namespace cadena

namespace cadena::ops {

/// What a reduction makes of the losses of single examples; also for the losses of nn.
Tensor reduced(const Tensor& losses, Reduction reduction);

}  // namespace cadena::ops
