#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>

namespace cadena {

// x̂ = (x - mean) / √(variance + epsilon), the variance divided by the number of elements, then
// x̂ · weight + bias where those are given. float32 or float64, weight and bias of x's dtype. The
// mean is corrected for its rounding, so that x far from 0 loses no digits. Value and gradient are
// one pass over the rows each. Error for an epsilon that is negative or not finite.

/// Statistics over the last dimensions, which are `normalized_shape`, of weight and bias too (Ba,
/// Kiros and Hinton 2016).
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double epsilon = 1e-5);

/// x / √(mean of x² + epsilon) · weight over the last dimensions (Zhang and Sennrich 2019). Without
/// an epsilon that of the dtype, as in PyTorch: 2^-23 or 2^-52.
Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                std::optional<double> epsilon = {});

/// x [N, C, ...]: statistics of each example over each of `groups` neighbouring parts of the
/// channels (Wu and He 2018). Weight and bias have one element a channel. Error unless groups
/// divides C.
Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight = {},
                  const Tensor& bias = {}, double epsilon = 1e-5);

/// One number a channel, outside of the graph.
struct ChannelStatistics {
  Tensor mean;
  Tensor variance;  ///< Divided by the number of elements.
};

struct BatchNormalized {
  Tensor output;
  ChannelStatistics statistics;  ///< Of this batch.
};

/// x [N, C] or [N, C, ...]: statistics of each channel over all other dimensions (Ioffe and Szegedy
/// 2015). Weight and bias have one element a channel. Error for channels of fewer than two
/// elements.
BatchNormalized batch_norm(const Tensor& x, const Tensor& weight = {}, const Tensor& bias = {},
                           double epsilon = 1e-5);
/// The same with given statistics, as after training: an affine function of x.
Tensor batch_norm(const Tensor& x, const ChannelStatistics& statistics, const Tensor& weight = {},
                  const Tensor& bias = {}, double epsilon = 1e-5);

}  // namespace cadena
