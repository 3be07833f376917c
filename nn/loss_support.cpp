#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/nn/loss_support.hpp>

#include <cmath>

namespace cadena::nn {

void check_shapes(const char* loss, const Tensor& prediction, const Tensor& target) {
  if (!prediction.defined() || !target.defined()) {
    fail("{}: the {} is undefined", loss, prediction.defined() ? "target" : "prediction");
  }
  if (prediction.shape() != target.shape()) {
    fail("{}: prediction and target must have the same shape, got {} and {}", loss,
         prediction.shape(), target.shape());
  }
}

void check_shape_of(const char* loss, const char* what, const Tensor& x, const Shape& shape) {
  if (!x.defined()) {
    fail("{}: the {} is undefined", loss, what);
  }
  if (x.shape() != shape) {
    fail("{}: expected a {} of shape {}, got {}", loss, what, shape, x.shape());
  }
}

void check_option(const char* loss, const char* option, double value, double least) {
  if (!(value >= least) || std::isinf(value)) {
    fail("{}: expected a finite {} of at least {}, got {}", loss, option, least, value);
  }
}

Tensor numeric(const Tensor& target, const Tensor& prediction) {
  return is_floating(target.dtype()) || !is_floating(prediction.dtype())
             ? target
             : target.to(prediction.dtype());
}

Tensor of_examples(const Tensor& losses) {
  Axes outputs;
  for (int axis = 1; axis < losses.dim(); ++axis) {
    outputs.push_back(axis);
  }
  return outputs.empty() ? losses : sum(losses, outputs);
}

Tensor weighted(const char* loss, const Tensor& losses, const Tensor& weight) {
  if (!weight.defined()) {
    return losses;
  }
  if (broadcast_shapes(losses.shape(), weight.shape(), loss) != losses.shape()) {
    fail("{}: weights of shape {} do not broadcast to the losses {}", loss, weight.shape(),
         losses.shape());
  }
  return losses * weight.to(losses.dtype());
}

Tensor at_labels(const char* loss, const Tensor& x, const Tensor& labels) {
  try {
    return squeeze(gather(x, -1, unsqueeze(labels, -1)), {-1});
  } catch (const Error& error) {
    fail("{}: {}", loss, error.what());
  }
}

Tensor checked_labels(const char* loss, const Tensor& x, const Tensor& labels,
                      const Tensor& weight) {
  if (!x.defined() || !labels.defined()) {
    fail("{}: the {} is undefined", loss, x.defined() ? "target" : "prediction");
  }
  if (x.dim() == 0 || !is_floating(x.dtype())) {
    fail("{}: expected a floating prediction [..., classes], got {} {}", loss, name(x.dtype()),
         x.shape());
  }
  Shape examples = x.shape();
  examples.erase(examples.size() - 1);
  if (is_floating(labels.dtype()) || labels.dtype() == boolean || labels.shape() != examples) {
    fail("{}: expected int64 or uint8 labels of shape {} for {}, got {} {}", loss, examples,
         x.shape(), name(labels.dtype()), labels.shape());
  }
  if (weight.defined() && (weight.dtype() != x.dtype() || weight.shape() != Shape{x.size(-1)})) {
    fail("{}: expected {} weights of shape [{}], got {} {}", loss, name(x.dtype()), x.size(-1),
         name(weight.dtype()), weight.shape());
  }
  return labels.to(int64);
}

}  // namespace cadena::nn
