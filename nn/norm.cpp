#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/nn/norm.hpp>

#include <algorithm>
#include <cmath>

namespace cadena::nn {
namespace {

void check_dtype(const char* layer, Dtype dtype) {
  if (!is_floating(dtype)) {
    fail("{}: expected float32 or float64 as dtype, got {}", layer, name(dtype));
  }
}

/// Error unless a layer can normalise over dimensions of this shape.
void check_shape(const char* layer, const Shape& shape) {
  if (shape.empty() ||
      std::any_of(shape.begin(), shape.end(), [](auto size) { return size < 0; })) {
    fail("{}: expected one dimension or more, of sizes of at least 0, got shape {}", layer, shape);
  }
}

void check_epsilon(const char* layer, double epsilon) {
  if (!(epsilon >= 0) || std::isinf(epsilon)) {
    fail("{}: expected a finite epsilon of at least 0, got {}", layer, epsilon);
  }
}

Tensor value_or_none(const Parameter& parameter) {
  return parameter.defined() ? parameter.value() : Tensor();
}

/// Error unless x has so many channels.
void check_channels(const char* layer, const Tensor& x, std::int64_t channels) {
  if (x.dim() < 2 || x.shape()[1] != channels) {
    fail("{}: expected x [examples, {}, ...], got {}", layer, channels, x.shape());
  }
}

}  // namespace

LayerNorm::LayerNorm(const Shape& shape, const LayerNormOptions& options)
    : normalized_shape(shape), epsilon(options.epsilon) {
  check_dtype("LayerNorm", options.dtype);
  check_shape("LayerNorm", shape);
  check_epsilon("LayerNorm", epsilon);
  if (options.affine) {
    weight = Parameter(cadena::ones(shape, {.dtype = options.dtype}));
    if (options.bias) {
      bias = Parameter(cadena::zeros(shape, {.dtype = options.dtype}));
    }
  }
}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return layer_norm(x, normalized_shape, value_or_none(weight), value_or_none(bias), epsilon);
}

RMSNorm::RMSNorm(const Shape& shape, const RMSNormOptions& options)
    : normalized_shape(shape), epsilon(options.epsilon) {
  check_dtype("RMSNorm", options.dtype);
  check_shape("RMSNorm", shape);
  check_epsilon("RMSNorm", epsilon.value_or(0));
  if (options.affine) {
    weight = Parameter(cadena::ones(shape, {.dtype = options.dtype}));
  }
}

Tensor RMSNorm::operator()(const Tensor& x) const {
  return rms_norm(x, normalized_shape, value_or_none(weight), epsilon);
}

GroupNorm::GroupNorm(std::int64_t number, std::int64_t all, const GroupNormOptions& options)
    : groups(number), channels(all), epsilon(options.epsilon) {
  check_dtype("GroupNorm", options.dtype);
  check_epsilon("GroupNorm", epsilon);
  if (groups < 1 || channels < 0 || channels % groups != 0) {
    fail("GroupNorm: expected groups that divide the channels, got {} and {}", groups, channels);
  }
  if (options.affine) {
    weight = Parameter(cadena::ones({channels}, {.dtype = options.dtype}));
    bias = Parameter(cadena::zeros({channels}, {.dtype = options.dtype}));
  }
}

Tensor GroupNorm::operator()(const Tensor& x) const {
  check_channels("GroupNorm", x, channels);
  return group_norm(x, groups, value_or_none(weight), value_or_none(bias), epsilon);
}

BatchNorm::BatchNorm(std::int64_t channels, const BatchNormOptions& options)
    : epsilon(options.epsilon), momentum(options.momentum) {
  check_dtype("BatchNorm", options.dtype);
  check_epsilon("BatchNorm", epsilon);
  if (channels < 0) {
    fail("BatchNorm: expected a number of channels of at least 0, got {}", channels);
  }
  if (momentum && !(*momentum >= 0 && *momentum <= 1)) {
    fail("BatchNorm: expected a momentum in [0, 1], got {}", *momentum);
  }
  const TensorOptions as{.dtype = options.dtype};
  if (options.affine) {
    weight = Parameter(cadena::ones({channels}, as));
    bias = Parameter(cadena::zeros({channels}, as));
  }
  if (options.track_running_stats) {
    running_mean = Buffer(cadena::zeros({channels}, as));
    running_var = Buffer(cadena::ones({channels}, as));
    num_batches_tracked = Buffer(cadena::zeros({}, {.dtype = int64}));
  }
}

void BatchNorm::track(const ChannelStatistics& batch, std::int64_t count) const {
  const NoGrad no_grad;
  num_batches_tracked.assign(num_batches_tracked + 1);
  const Dtype dtype = running_mean.dtype();
  const Tensor share =
      momentum ? full({}, *momentum, {.dtype = dtype}) : 1 / num_batches_tracked.value().to(dtype);
  const auto follow = [&](const Buffer& running, const Tensor& now) {
    running.assign(running + share * (now.to(dtype) - running));
  };
  const double n = static_cast<double>(count);
  follow(running_mean, batch.mean);
  follow(running_var, batch.variance * (n / (n - 1)));
}

Tensor BatchNorm::operator()(const Tensor& x) const {
  const bool tracks = running_mean.defined();
  if (tracks) {
    check_channels("BatchNorm", x, running_mean.shape()[0]);
  }
  const Tensor scale = value_or_none(weight), shift = value_or_none(bias);
  if (tracks && !mode.training()) {
    const ChannelStatistics running{running_mean.value().to(x.dtype()),
                                    running_var.value().to(x.dtype())};
    return batch_norm(x, running, scale, shift, epsilon);
  }
  const BatchNormalized result = batch_norm(x, scale, shift, epsilon);
  if (tracks) {
    std::int64_t count = x.size(0);
    for (int i = 2; i < x.dim(); ++i) {
      count *= x.size(i);
    }
    track(result.statistics, count);
  }
  return result.output;
}

}  // namespace cadena::nn
