#pragma once

#include <cadena/nn/fields.hpp>
#include <cadena/nn/linear.hpp>

namespace cadena::nn {

/// y_k = xᵀ·W_k·z + b_k: [..., first], [..., second] -> [..., outputs]. Weight and bias begin
/// uniform in ±1/√first (PyTorch's default).
class Bilinear {
 public:
  Bilinear(std::int64_t first, std::int64_t second, std::int64_t outputs,
           const LinearOptions& options = {});

  /// Error unless x and z agree in all dimensions but the last.
  Tensor operator()(const Tensor& x, const Tensor& z) const;

  Parameter weight;  ///< [outputs, first, second]
  Parameter bias;    ///< [outputs], or undefined

  static auto fields() { return cadena::fields<&Bilinear::weight, &Bilinear::bias>{}; }
};

}  // namespace cadena::nn
