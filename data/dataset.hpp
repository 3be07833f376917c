#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <concepts>
#include <cstdint>
#include <span>

namespace cadena::data {

struct Batch {
  Tensor inputs, targets;
};

/// Anything that has a number of samples and puts some of them into a batch. `batch` may be called
/// in another thread than the one that made the data set, by one thread at a time.
template <class D>
concept Dataset = requires(const D& dataset, std::span<const std::int64_t> samples) {
  { dataset.size() } -> std::convertible_to<std::int64_t>;
  { dataset.batch(samples) } -> std::convertible_to<Batch>;
};

/// Samples along the first dimension of two tensors.
class TensorDataset {
 public:
  /// Error unless both have a first dimension, and the same.
  TensorDataset(const Tensor& inputs, const Tensor& targets);

  std::int64_t size() const { return inputs_.shape()[0]; }
  const Tensor& inputs() const noexcept { return inputs_; }
  const Tensor& targets() const noexcept { return targets_; }

  /// Inputs [samples, ...] and targets [samples, ...]; Error if a sample is outside [0, size()).
  /// Samples in succession are a view, others a copy.
  Batch batch(std::span<const std::int64_t> samples) const;

 private:
  Tensor inputs_, targets_;  // contiguous
};

}  // namespace cadena::data
