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
/// scale·x for x > 0, scale·alpha·(e^x - 1) otherwise, with the constants of Klambauer et al. 2017
/// (1.0507, 1.6733); subgradient scale·alpha at 0.
Tensor selu(const Tensor& x);
Tensor mish(const Tensor& x);  ///< x·tanh(softplus(x)) (Misra 2019)
/// x within [min_val, max_val], the bounds beyond; subgradient 0 at the bounds. Error unless
/// min_val
/// <= max_val.
Tensor hardtanh(const Tensor& x, double min_val = -1, double max_val = 1);
/// x·min(max(x + 3, 0), 6)/6 (Howard et al. 2019); subgradient 0 at -3 and 1 at 3.
Tensor hardswish(const Tensor& x);
Tensor softsign(const Tensor& x);    ///< x / (1 + |x|)
Tensor logsigmoid(const Tensor& x);  ///< ln sigmoid(x), without overflow
/// a·sigmoid(b) of the halves a and b of x along an axis, which is half as long then (Dauphin et
/// al. 2017). Error if its size is odd or x is 0-d.
Tensor glu(const Tensor& x, std::int64_t axis = -1);

}  // namespace cadena
