#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Activation functions, elementwise; integers give float32.

Tensor tanh(const Tensor& x);      ///< (1 - e^(-2x)) / (1 + e^(-2x))
Tensor sigmoid(const Tensor& x);   ///< The logistic function 1 / (1 + e^(-x))
Tensor softplus(const Tensor& x);  ///< ln(1 + e^x), without overflow
Tensor relu(const Tensor& x);      ///< max(x, 0); subgradient 0 at 0
/// x for x > 0, slope·x otherwise; subgradient `slope` at 0.
Tensor leaky_relu(const Tensor& x, double slope = 0.01);
/// x for x > 0, alpha·(e^x - 1) otherwise; subgradient `alpha` at 0.
Tensor elu(const Tensor& x, double alpha = 1);
/// x·Φ(x), Φ the distribution function of the standard normal (Hendrycks and Gimpel 2016, exact).
Tensor gelu(const Tensor& x);
Tensor silu(const Tensor& x);  ///< x·sigmoid(x)

}  // namespace cadena
