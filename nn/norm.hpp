#pragma once

#include <cadena/autograd/ops/normalize.hpp>
#include <cadena/nn/fields.hpp>

namespace cadena::nn {

// Normalisations as layers; formulas: autograd/ops/normalize.hpp. Weights begin as 1, biases as 0.

struct LayerNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< With weight and bias.
  bool bias = true;    ///< False: with the weight alone.
  Dtype dtype = float32;
};

/// Over the last dimensions, which are `normalized_shape`. Error for none.
class LayerNorm {
 public:
  explicit LayerNorm(const Shape& normalized_shape, const LayerNormOptions& options = {});
  Tensor operator()(const Tensor& x) const;

  Parameter weight;  ///< [normalized_shape], or undefined
  Parameter bias;    ///< [normalized_shape], or undefined
  Shape normalized_shape;
  double epsilon;

  static auto fields() {
    return cadena::fields<&LayerNorm::weight, &LayerNorm::bias, &LayerNorm::normalized_shape,
                          &LayerNorm::epsilon>{};
  }
};

struct RMSNormOptions {
  std::optional<double> epsilon = {};  ///< That of the dtype unless given.
  bool affine = true;                  ///< With a weight.
  Dtype dtype = float32;
};

/// By the root of the mean square over the last dimensions, which are `normalized_shape`. Error for
/// none.
class RMSNorm {
 public:
  explicit RMSNorm(const Shape& normalized_shape, const RMSNormOptions& options = {});
  Tensor operator()(const Tensor& x) const;

  Parameter weight;  ///< [normalized_shape], or undefined
  Shape normalized_shape;
  std::optional<double> epsilon;

  static auto fields() {
    return cadena::fields<&RMSNorm::weight, &RMSNorm::normalized_shape, &RMSNorm::epsilon>{};
  }
};

struct GroupNormOptions {
  double epsilon = 1e-5;
  bool affine = true;  ///< With weight and bias.
  Dtype dtype = float32;
};

/// Of x [N, channels, ...], over each of `groups` neighbouring parts of the channels.
class GroupNorm {
 public:
  GroupNorm(std::int64_t groups, std::int64_t channels, const GroupNormOptions& options = {});
  Tensor operator()(const Tensor& x) const;

  Parameter weight;  ///< [channels], or undefined
  Parameter bias;    ///< [channels], or undefined
  std::int64_t groups, channels;
  double epsilon;

  static auto fields() {
    return cadena::fields<&GroupNorm::weight, &GroupNorm::bias, &GroupNorm::groups,
                          &GroupNorm::channels, &GroupNorm::epsilon>{};
  }
};

struct BatchNormOptions {
  double epsilon = 1e-5;
  /// Share of the new in the running statistics; none: their mean over all batches.
  std::optional<double> momentum = 0.1;
  bool affine = true;               ///< With weight and bias.
  bool track_running_stats = true;  ///< False: the batch's own in evaluation too.
  Dtype dtype = float32;
};

/// Of x [N, channels] or [N, channels, ...], over all but the channels: while training with the
/// statistics of the batch, from which the running ones are made; in evaluation (see `eval`) with
/// those. The running variance is divided by n - 1, the batch's by n. Each call while training
/// updates the running statistics: inside of a `checkpoint`, which calls once more in backward,
/// twice a step.
class BatchNorm {
 public:
  explicit BatchNorm(std::int64_t channels, const BatchNormOptions& options = {});
  Tensor operator()(const Tensor& x) const;

  Parameter weight;            ///< [channels], or undefined
  Parameter bias;              ///< [channels], or undefined
  Buffer running_mean;         ///< [channels], or undefined
  Buffer running_var;          ///< [channels], or undefined
  Buffer num_batches_tracked;  ///< 0-d int64, or undefined
  Mode mode;
  double epsilon;
  std::optional<double> momentum;

  static auto fields() {
    return cadena::fields<&BatchNorm::weight, &BatchNorm::bias, &BatchNorm::running_mean,
                          &BatchNorm::running_var, &BatchNorm::num_batches_tracked,
                          &BatchNorm::mode, &BatchNorm::epsilon, &BatchNorm::momentum>{};
  }

 private:
  void track(const ChannelStatistics& batch, std::int64_t count) const;
};

}  // namespace cadena::nn
