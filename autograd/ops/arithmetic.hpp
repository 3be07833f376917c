#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Elementwise, with NumPy's broadcasting and PyTorch's promotion; numbers are operands too.

Tensor add(const Tensor& x, const Tensor& y);       ///< x + y
Tensor subtract(const Tensor& x, const Tensor& y);  ///< x - y
Tensor multiply(const Tensor& x, const Tensor& y);  ///< x · y
Tensor divide(const Tensor& x, const Tensor& y);    ///< x / y; integers give float32
Tensor negative(const Tensor& x);                   ///< -x

/// x^y. Gradients at x = 0 are the right ones where there is one; integers give float32.
Tensor pow(const Tensor& x, const Tensor& y);
Tensor abs(const Tensor& x);         ///< |x|; subgradient 0 at 0
Tensor square(const Tensor& x);      ///< x²
Tensor sqrt(const Tensor& x);        ///< x^(1/2); gradient infinite at 0
Tensor reciprocal(const Tensor& x);  ///< 1 / x

/// The larger, NaN if either is. The gradient goes where the value came from, half of it to each at
/// a tie.
Tensor maximum(const Tensor& x, const Tensor& y);
/// The smaller, NaN if either is. The gradient goes where the value came from, half of it to each
/// at a tie.
Tensor minimum(const Tensor& x, const Tensor& y);
/// min(max(x, low), high); the gradient is 1 from low to high, both included, and 0 outside.
/// Infinite bounds are none; those of an int64 tensor are integers (Error otherwise).
Tensor clamp(const Tensor& x, double low, double high);
/// -1, 0 or 1; derivative 0. NaN stays NaN.
Tensor sign(const Tensor& x);

inline Tensor operator+(const Tensor& x, const Tensor& y) { return add(x, y); }
inline Tensor operator-(const Tensor& x, const Tensor& y) { return subtract(x, y); }
inline Tensor operator*(const Tensor& x, const Tensor& y) { return multiply(x, y); }
inline Tensor operator/(const Tensor& x, const Tensor& y) { return divide(x, y); }
inline Tensor operator-(const Tensor& x) { return negative(x); }

}  // namespace cadena
