#pragma once

#include <cadena/autograd/ops/softmax.hpp>

#include <cstdint>

// What losses share.

namespace cadena::nn {

/// Error unless both are defined and have the same shape.
void check_shapes(const char* loss, const Tensor& prediction, const Tensor& target);
/// Error unless the tensor is defined and has this shape.
void check_shape_of(const char* loss, const char* what, const Tensor& x, const Shape& shape);
/// Error unless the option is finite and at least `least`.
void check_option(const char* loss, const char* option, double value, double least);

/// Error if the margin is not finite.
void check_margin(const char* loss, double margin);
/// Error if an element is outside [low, high], which `bounds` says in words. NaN passes: the loss
/// shows it.
void check_range(const char* loss, const char* what, const Tensor& x, double low, double high,
                 const char* bounds);

/// Targets that are integers or booleans as numbers of the prediction's dtype.
Tensor numeric(const Tensor& target, const Tensor& prediction);

/// Targets of 1 or -1 as `numeric`. Error if their dtype has no -1.
Tensor signs(const char* loss, const Tensor& target, const Tensor& prediction);

/// Summed over all dimensions but the first.
Tensor of_examples(const Tensor& losses);

/// The losses times weights that broadcast to them (undefined: 1).
Tensor weighted(const char* loss, const Tensor& losses, const Tensor& weight);

/// x [..., classes] at the labels [...] (int64). Error that names the loss if one is no class.
Tensor at_labels(const char* loss, const Tensor& x, const Tensor& labels);
/// Labels as int64. Error unless x is [..., classes] and the labels are int64 or uint8 of shape
/// [...], and the weight (if there is one) has x's dtype and an element a class.
Tensor checked_labels(const char* loss, const Tensor& x, const Tensor& labels,
                      const Tensor& weight);

}  // namespace cadena::nn
