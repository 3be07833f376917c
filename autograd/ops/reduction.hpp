#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>

namespace cadena {

// Reductions over any axes: all if none are named, negative ones count from the end, `keepdim`
// leaves dimensions of size 1. NaN propagates. Each order of summation is fixed by the shape.

struct VarOptions {
  double correction = 1;  ///< Taken off the count: 1 for a sample (Bessel), 0 for a population.
  bool keepdim = false;
};

/// Σ(x - mean)² / max(0, n - correction); integers give float32. Where n <= correction that is 0/0,
/// NaN, or infinite.
Tensor var(const Tensor& x, const Axes& axes = {}, VarOptions options = {});

/// The largest element, of x's dtype. Ties share the gradient evenly. Error over nothing.
Tensor amax(const Tensor& x, const Axes& axes = {}, bool keepdim = false);
/// The smallest element, of x's dtype. Ties share the gradient evenly. Error over nothing.
Tensor amin(const Tensor& x, const Axes& axes = {}, bool keepdim = false);

/// The index (int64) along an axis of the first largest element, or of the first NaN; without an
/// axis the index in row-major order. Error over nothing.
Tensor argmax(const Tensor& x, std::optional<std::int64_t> axis = {}, bool keepdim = false);
/// The index (int64) along an axis of the first smallest element, or of the first NaN; without an
/// axis the index in row-major order. Error over nothing.
Tensor argmin(const Tensor& x, std::optional<std::int64_t> axis = {}, bool keepdim = false);

/// (Σ|x|^p)^(1/p) for p >= 1, max|x| for an infinite p, without overflow on the way; 0 over
/// nothing. The subgradient is 0 at the zero vector and, for p = 1, in each coordinate that is 0;
/// for an infinite p ties share it evenly. Integers give float32.
Tensor norm(const Tensor& x, double p = 2, const Axes& axes = {}, bool keepdim = false);

}  // namespace cadena
