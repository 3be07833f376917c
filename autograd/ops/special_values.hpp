#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>

namespace cadena {

// NaN and infinities, elementwise. Integers and truth values have none.

Tensor isnan(const Tensor& x);     ///< whether x is NaN: boolean, without a gradient
Tensor isinf(const Tensor& x);     ///< whether x is ∞ or -∞: boolean, without a gradient
Tensor isfinite(const Tensor& x);  ///< whether x is neither: boolean, without a gradient

/// x with numbers for NaN, ∞ and -∞; unless given, the largest and the smallest of x's dtype for
/// the infinities. The gradient is 1 where x is finite and 0 elsewhere.
Tensor nan_to_num(const Tensor& x, double nan = 0, std::optional<double> posinf = {},
                  std::optional<double> neginf = {});

}  // namespace cadena
