#pragma once

#include <cadena/autograd/ops/random.hpp>
#include <cadena/nn/fields.hpp>

namespace cadena::nn {

struct LinearOptions {
  bool bias = true;
  Dtype dtype = float32;
  Generator generator = default_generator();  ///< Of the initial values.
};

/// x·Wᵀ + b: [..., inputs] -> [..., outputs]. Weight and bias begin uniform in ±1/√inputs
/// (PyTorch's default: kaiming_uniform with slope √5).
class Linear {
 public:
  Linear(std::int64_t inputs, std::int64_t outputs, const LinearOptions& options = {});

  Tensor operator()(const Tensor& x) const;

  Parameter weight;  ///< [outputs, inputs]
  Parameter bias;    ///< [outputs], or undefined

  static auto fields() { return cadena::fields<&Linear::weight, &Linear::bias>{}; }
};

}  // namespace cadena::nn
