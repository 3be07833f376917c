#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/nn/loss.hpp>

#include <cmath>

namespace cadena::nn {
namespace {

void check_shapes(const char* loss, const Tensor& prediction, const Tensor& target) {
  if (!prediction.defined() || !target.defined()) {
    fail("{}: the {} is undefined", loss, prediction.defined() ? "target" : "prediction");
  }
  if (prediction.shape() != target.shape()) {
    fail("{}: prediction and target must have the same shape, got {} and {}", loss,
         prediction.shape(), target.shape());
  }
}

Tensor reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    default:
      return losses;
  }
}

/// Summed over all dimensions but the first.
Tensor of_examples(const Tensor& losses) {
  Axes outputs;
  for (int axis = 1; axis < losses.dim(); ++axis) {
    outputs.push_back(axis);
  }
  return outputs.empty() ? losses : sum(losses, outputs);
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

/// Boolean targets as numbers of the prediction's dtype.
Tensor numeric(const Tensor& target, const Tensor& prediction) {
  return is_floating(target.dtype()) || !is_floating(prediction.dtype())
             ? target
             : target.to(prediction.dtype());
}

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_shapes("mse", prediction, target);
  return reduced(square(prediction - numeric(target, prediction)), reduction);
}

Tensor half_squared_error(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_shapes("half_squared_error", prediction, target);
  return reduced(0.5 * of_examples(square(prediction - numeric(target, prediction))), reduction);
}

Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            Reduction reduction) {
  check_shapes("binary_cross_entropy", probabilities, target);
  return reduced(bernoulli_losses(probabilities, numeric(target, probabilities)), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction) {
  check_shapes("binary_cross_entropy_with_logits", logits, target);
  const Tensor y = numeric(target, logits);
  return reduced(y * softplus(-logits) + (1 - y) * softplus(logits), reduction);
}

Tensor multiclass_cross_entropy(const Tensor& probabilities, const Tensor& target,
                                Reduction reduction) {
  if (probabilities.defined() && target.defined() && !is_floating(target.dtype()) &&
      target.dim() + 1 == probabilities.dim()) {
    const Tensor rows = one_hot(target, probabilities.size(-1), {.dtype = probabilities.dtype()});
    return multiclass_cross_entropy(probabilities, rows, reduction);
  }
  check_shapes("multiclass_cross_entropy", probabilities, target);
  return reduced(of_examples(bernoulli_losses(probabilities, numeric(target, probabilities))),
                 reduction);
}

}  // namespace cadena::nn
