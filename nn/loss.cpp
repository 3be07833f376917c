#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/nn/loss.hpp>

#include <algorithm>
#include <atomic>
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

/// Error if an element is outside [0, 1]; `hint` says what else was meant. NaN passes: the loss
/// shows it.
void check_unit(const char* loss, const char* what, const Tensor& x, const char* hint) {
  constexpr std::int64_t piece = 65536;
  const Tensor values = (is_floating(x.dtype()) ? x : x.to(float32)).detach().contiguous();
  dispatch_floating(values.dtype(), loss, [&]<class T>() {
    const std::span<const T> all = values.data<T>();
    const auto is_outside = [](T value) { return (value < 0) | (value > 1); };
    std::atomic<bool> outside = false;
    parallel_for(std::ssize(all), piece, [&](std::int64_t begin, std::int64_t end) {
      bool any = false;
      for (std::int64_t i = begin; i < end; ++i) {
        any |= is_outside(all[static_cast<std::size_t>(i)]);
      }
      if (any) {
        outside = true;
      }
    });
    if (outside) {
      const auto first = std::find_if(all.begin(), all.end(), is_outside);
      fail("{}: the {} is {} (element {}), outside [0, 1]{}", loss, what, *first,
           first - all.begin(), hint);
    }
  });
}

/// Summed over all dimensions but the first.
Tensor of_examples(const Tensor& losses) {
  Axes outputs;
  for (int axis = 1; axis < losses.dim(); ++axis) {
    outputs.push_back(axis);
  }
  return outputs.empty() ? losses : sum(losses, outputs);
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
  const std::vector<std::int64_t> all = labels.to_vector<std::int64_t>();
  const auto wrong = std::find_if(
      all.begin(), all.end(), [&](std::int64_t label) { return label < 0 || label >= classes; });
  if (wrong != all.end()) {
    fail("{}: label {} (element {}) is outside [0, {}), the number of classes", loss, *wrong,
         wrong - all.begin(), classes);
  }
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

/// Boolean targets as numbers of the prediction's dtype.
Tensor numeric(const Tensor& target, const Tensor& prediction) {
  return is_floating(target.dtype()) || !is_floating(prediction.dtype())
             ? target
             : target.to(prediction.dtype());
}

}  // namespace

Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_shapes("mse", prediction, target);
  return ops::reduced(square(prediction - numeric(target, prediction)), reduction);
}

Tensor half_squared_error(const Tensor& prediction, const Tensor& target, Reduction reduction) {
  check_shapes("half_squared_error", prediction, target);
  return ops::reduced(0.5 * of_examples(square(prediction - numeric(target, prediction))),
                      reduction);
}

Tensor binary_cross_entropy(const Tensor& probabilities, const Tensor& target,
                            Reduction reduction) {
  constexpr const char* loss = "binary_cross_entropy";
  check_shapes(loss, probabilities, target);
  const Tensor y = numeric(target, probabilities);
  check_unit(loss, "prediction", probabilities, "; for logits: binary_cross_entropy_with_logits");
  check_unit(loss, "target", y, "");
  return ops::reduced(bernoulli_losses(probabilities, y), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& logits, const Tensor& target,
                                        Reduction reduction) {
  check_shapes("binary_cross_entropy_with_logits", logits, target);
  const Tensor y = numeric(target, logits);
  return ops::reduced(y * softplus(-logits) + (1 - y) * softplus(logits), reduction);
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
  check_unit(loss, "prediction", probabilities, "; for logits: cross_entropy");
  check_unit(loss, "target", y, "");
  return ops::reduced(of_classes(bernoulli_losses(probabilities, y)), reduction);
}

}  // namespace cadena::nn
