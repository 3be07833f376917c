#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/nn/loss_support.hpp>

#include <algorithm>
#include <atomic>
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

void check_margin(const char* loss, double margin) {
  if (!std::isfinite(margin)) {
    fail("{}: expected a finite margin, got {}", loss, margin);
  }
}

void check_range(const char* loss, const char* what, const Tensor& x, double low, double high,
                 const char* bounds) {
  constexpr std::int64_t piece = 65536;
  const auto check = [=](const Input& values) {
    dispatch_floating(values.dtype(), loss, [&]<class T>() {
      const T* all = values.data<T>();
      const T least = static_cast<T>(low), most = static_cast<T>(high);
      const auto is_outside = [=](T value) { return (value < least) | (value > most); };
      std::atomic<bool> outside = false;
      parallel_for(values.numel(), piece, [&](std::int64_t begin, std::int64_t end) {
        if (std::count_if(all + begin, all + end, is_outside) > 0) {
          outside = true;
        }
      });
      if (outside) {
        const T* first = std::find_if(all, all + values.numel(), is_outside);
        fail("{}: the {} is {} (element {}), {}", loss, what, *first, first - all, bounds);
      }
    });
  };
  cadena::detail::check_values(loss, is_floating(x.dtype()) ? x : x.to(float32), check);
}

Tensor numeric(const Tensor& target, const Tensor& prediction) {
  return is_floating(target.dtype()) || !is_floating(prediction.dtype())
             ? target
             : target.to(prediction.dtype());
}

Tensor signs(const char* loss, const Tensor& target, const Tensor& prediction) {
  if (target.dtype() == boolean || target.dtype() == uint8) {
    fail("{}: expected targets of 1 or -1, which {} cannot be", loss, name(target.dtype()));
  }
  return numeric(target, prediction);
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
