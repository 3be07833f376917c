#pragma once

#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/nn/mode.hpp>

namespace cadena::nn {

/// While training, sets elements to 0 with probability p and divides the others by 1 - p; see
/// `train` and `eval`.
struct Dropout {
  double p = 0.5;
  Mode mode = {};
  Generator generator = default_generator();
  Tensor operator()(const Tensor& x) const { return dropout(x, p, mode.training(), generator); }
};

}  // namespace cadena::nn
