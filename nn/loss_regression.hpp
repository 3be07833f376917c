#pragma once

#include <cadena/autograd/ops/softmax.hpp>

namespace cadena::nn {

using cadena::Reduction;

/// (ŷ - y)², elementwise; `mean` is over all elements.
Tensor mse(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

/// E = ½ Σ_k (ŷ_k - y_k)² of each example: shape [M] for `none`, their sum E, or the empirical
/// risk (1/M) Σ_m E_m for `mean`.
Tensor half_squared_error(const Tensor& prediction, const Tensor& target,
                          Reduction reduction = Reduction::sum);

/// |ŷ - y|, elementwise; subgradient 0 at 0.
Tensor l1(const Tensor& prediction, const Tensor& target, Reduction reduction = Reduction::mean);

struct SmoothL1Options {
  double beta = 1;  ///< At least 0; 0 is l1.
  Reduction reduction = Reduction::mean;
};
/// d² / (2 beta) where d = |ŷ - y| is at most beta, else d - beta / 2 (Girshick 2015).
Tensor smooth_l1(const Tensor& prediction, const Tensor& target,
                 const SmoothL1Options& options = {});

struct HuberOptions {
  double delta = 1;  ///< Above 0.
  Reduction reduction = Reduction::mean;
};
/// d² / 2 where d = |ŷ - y| is at most delta, else delta (d - delta / 2) (Huber 1964).
Tensor huber(const Tensor& prediction, const Tensor& target, const HuberOptions& options = {});

struct PoissonOptions {
  bool log_input = true;  ///< The prediction x is ln λ.
  bool full = false;      ///< With Stirling's y ln y - y + ½ ln(2πy) for ln y!, where y > 1.
  double epsilon = 1e-8;  ///< Keeps ln(λ + epsilon) finite when not log_input.
  Reduction reduction = Reduction::mean;
};
/// Negative log-likelihood of counts y ~ Poisson(λ) without ln y!: e^x - y x, or λ - y ln(λ +
/// epsilon).
Tensor poisson_nll(const Tensor& prediction, const Tensor& target,
                   const PoissonOptions& options = {});

struct GaussianOptions {
  bool full = false;      ///< With ½ ln 2π.
  double epsilon = 1e-6;  ///< Smaller variances count as this, with gradient 0.
  Reduction reduction = Reduction::mean;
};
/// ½ (ln v + (ŷ - y)² / v) (Nix and Weigend 1994), where the variance v has the prediction's shape
/// or, with a last dimension of 1, is one an example. Error for other shapes and below 0.
Tensor gaussian_nll(const Tensor& prediction, const Tensor& target, const Tensor& variance,
                    const GaussianOptions& options = {});

}  // namespace cadena::nn
