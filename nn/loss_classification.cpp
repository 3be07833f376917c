#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/nn/loss_classification.hpp>
#include <cadena/nn/loss_support.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace cadena::nn {
namespace {

/// Error if an element is outside [0, 1].
void check_unit(const char* loss, const char* what, const Tensor& x,
                const char* bounds = "outside [0, 1]") {
  check_range(loss, what, x, 0, 1, bounds);
}

/// Of probabilities [classes], which are those of one example, or [M, classes].
Tensor of_classes(const Tensor& losses) {
  return losses.dim() == 1 ? sum(losses) : of_examples(losses);
}

/// One-hot rows of class indices.
Tensor rows_of(const char* loss, const Tensor& labels, std::int64_t classes, Dtype dtype) {
  if (labels.dtype() == boolean) {
    fail("{}: expected int64 or uint8 labels, got boolean", loss);
  }
  cadena::detail::check_values(loss, labels.to(int64), [loss, classes](const Input& all) {
    const std::int64_t* begin = all.data<std::int64_t>();
    const std::int64_t* end = begin + all.numel();
    const std::int64_t* wrong =
        std::find_if(begin, end, [&](std::int64_t label) { return label < 0 || label >= classes; });
    if (wrong != end) {
      fail("{}: label {} (element {}) is outside [0, {}), the number of classes", loss, *wrong,
           wrong - begin, classes);
    }
  });
  return one_hot(labels, classes, {.dtype = dtype});
}

/// ln p, and its tangent at `floor` below it.
Tensor bounded_log(const Tensor& p) {
  constexpr double floor = 1e-12;
  const Tensor below = p < floor;
  return where(below, p / floor + (std::log(floor) - 1), log(where(below, floor, p)));
}

Tensor bernoulli_losses(const Tensor& probabilities, const Tensor& target) {
  const Tensor other = 1 - target;  // also of integer targets; booleans have no difference
  return -(target * bounded_log(probabilities) + other * bounded_log(1 - probabilities));
}

/// weight[label] of each example.
Tensor weights_of(const Tensor& weight, const Tensor& labels) {
  return reshape(index_select(weight, 0, flatten(labels)), labels.shape());
}

}  // namespace

Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            Reduction reduction) {
  return binary_cross_entropy(probabilities, target,
                              BinaryCrossEntropyOptions{.reduction = reduction});
}

Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            const BinaryCrossEntropyOptions& options) {
  constexpr const char* loss = "binary_cross_entropy";
  check_shapes(loss, probabilities, target);
  const Tensor y = numeric(target, probabilities);
  check_unit(loss, "prediction", probabilities,
             "outside [0, 1]; for logits: binary_cross_entropy_with_logits");
  check_unit(loss, "target", y);
  return ops::reduced(weighted(loss, bernoulli_losses(probabilities, y), options.weight),
                      options.reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction) {
  return binary_cross_entropy_with_logits(logits, target,
                                          BinaryLogitsOptions{.reduction = reduction});
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        const BinaryLogitsOptions& options) {
  constexpr const char* loss = "binary_cross_entropy_with_logits";
  check_shapes(loss, logits, target);
  const Tensor y = numeric(target, logits);
  const Tensor positive = weighted(loss, y * softplus(-logits), options.pos_weight);
  return ops::reduced(weighted(loss, positive + (1 - y) * softplus(logits), options.weight),
                      options.reduction);
}

Tensor multiclass_cross_entropy(const Tensor& probabilities, const Tensor& target,
                                Reduction reduction) {
  constexpr const char* loss = "multiclass_cross_entropy";
  Tensor y = target;
  if (probabilities.defined() && target.defined() && !is_floating(target.dtype()) &&
      target.dim() + 1 == probabilities.dim()) {
    y = rows_of(loss, target, probabilities.size(-1), probabilities.dtype());
  }
  check_shapes(loss, probabilities, y);
  y = numeric(y, probabilities);
  check_unit(loss, "prediction", probabilities, "outside [0, 1]; for logits: cross_entropy");
  check_unit(loss, "target", y);
  return ops::reduced(of_classes(bernoulli_losses(probabilities, y)), reduction);
}

Tensor nll(const Tensor& log_probabilities, const Tensor& labels, const NllOptions& options) {
  constexpr const char* loss = "nll";
  Tensor known = checked_labels(loss, log_probabilities, labels, options.weight);
  Tensor ignored;
  if (options.ignore_index) {
    ignored = known == *options.ignore_index;
    known = where(ignored, 0, known);
  }
  Tensor losses = -at_labels(loss, log_probabilities, known);
  if (!options.weight.defined() && !ignored.defined()) {
    return ops::reduced(losses, options.reduction);
  }
  Tensor counts = options.weight.defined() ? weights_of(options.weight, known) : ones_like(losses);
  if (ignored.defined()) {  // before they meet: what is ignored may be infinite or NaN
    losses = where(ignored, 0.0, losses);
    counts = where(ignored, 0.0, counts);
  }
  losses = losses * counts;
  return options.reduction == Reduction::mean ? sum(losses) / sum(counts)
                                              : ops::reduced(losses, options.reduction);
}

Tensor kl_div(const Tensor& log_prediction, const Tensor& target, const KlDivOptions& options) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  check_shapes("kl_div", log_prediction, target);
  Tensor y = numeric(target, log_prediction), log_y;
  if (options.log_target) {
    log_y = where(y == -infinity, 0.0, y);
    y = exp(y);
  } else {
    log_y = log(where(y == 0.0, 1.0, y));
  }
  Tensor log_p = log_prediction;
  if (cadena::detail::is_captured(log_p) ||
      (log_p.numel() > 0 && !(amin(log_p.detach()).item() > -infinity))) {
    log_p = where((y == 0.0) & (log_p == -infinity), 0.0, log_p);
  }
  return ops::reduced(y * (log_y - log_p), options.reduction);
}

Tensor focal(const Tensor& logits, const Tensor& target, const FocalOptions& options) {
  check_shapes("focal", logits, target);
  check_option("focal", "gamma", options.gamma, 0);
  if (options.alpha && !(*options.alpha >= 0 && *options.alpha <= 1)) {
    fail("focal: expected an alpha in [0, 1], got {}", *options.alpha);
  }
  const Tensor y = numeric(target, logits);
  const Tensor of_one = softplus(-logits), of_zero = softplus(logits);  // -ln p, -ln(1 - p)
  const Tensor one = y * of_one * exp(-options.gamma * of_zero);
  const Tensor zero = (1 - y) * of_zero * exp(-options.gamma * of_one);
  return ops::reduced(
      options.alpha ? *options.alpha * one + (1 - *options.alpha) * zero : one + zero,
      options.reduction);
}

Tensor hinge(const Tensor& prediction, const Tensor& target, const HingeOptions& options) {
  check_shapes("hinge", prediction, target);
  check_margin("hinge", options.margin);
  const Tensor losses = relu(options.margin - signs("hinge", target, prediction) * prediction);
  return ops::reduced(options.squared ? square(losses) : losses, options.reduction);
}

Tensor multi_margin(const Tensor& prediction, const Tensor& labels,
                    const MultiMarginOptions& options) {
  constexpr const char* loss = "multi_margin";
  const Tensor known = checked_labels(loss, prediction, labels, options.weight);
  if (options.p != 1 && options.p != 2) {
    fail("{}: expected p = 1 or 2, got {}", loss, options.p);
  }
  check_margin(loss, options.margin);
  const std::int64_t classes = prediction.size(-1);
  const Tensor right = unsqueeze(at_labels(loss, prediction, known), -1);
  const Tensor short_of = relu(options.margin - right + prediction);
  const Tensor is_right =
      arange(static_cast<double>(classes), {.dtype = int64}) == unsqueeze(known, -1);
  const Tensor parts = where(is_right, 0.0, options.p == 2 ? square(short_of) : short_of);
  const Tensor losses = sum(parts, {-1}) / static_cast<double>(classes);
  return ops::reduced(
      options.weight.defined() ? losses * weights_of(options.weight, known) : losses,
      options.reduction);
}

}  // namespace cadena::nn
