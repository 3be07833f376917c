#pragma once

#include <cadena/autograd/ops/activation.hpp>

namespace cadena::nn {

// Activations as layers, for Sequential and as fields of models. Formulas: autograd/ops.

struct Relu {
  Tensor operator()(const Tensor& x) const { return relu(x); }
};

struct LeakyRelu {
  double slope = 0.01;
  Tensor operator()(const Tensor& x) const { return leaky_relu(x, slope); }
};

struct Elu {
  double alpha = 1;
  Tensor operator()(const Tensor& x) const { return elu(x, alpha); }
};

struct Gelu {
  Tensor operator()(const Tensor& x) const { return gelu(x); }
};

struct Silu {
  Tensor operator()(const Tensor& x) const { return silu(x); }
};

struct Tanh {
  Tensor operator()(const Tensor& x) const { return tanh(x); }
};

struct Sigmoid {
  Tensor operator()(const Tensor& x) const { return sigmoid(x); }
};

struct Softplus {
  Tensor operator()(const Tensor& x) const { return softplus(x); }
};

struct Selu {
  Tensor operator()(const Tensor& x) const { return selu(x); }
};

struct Mish {
  Tensor operator()(const Tensor& x) const { return mish(x); }
};

struct Hardtanh {
  double min_val = -1, max_val = 1;
  Tensor operator()(const Tensor& x) const { return hardtanh(x, min_val, max_val); }
};

struct Hardswish {
  Tensor operator()(const Tensor& x) const { return hardswish(x); }
};

struct Softsign {
  Tensor operator()(const Tensor& x) const { return softsign(x); }
};

struct LogSigmoid {
  Tensor operator()(const Tensor& x) const { return logsigmoid(x); }
};

/// Halves the axis.
struct Glu {
  std::int64_t axis = -1;
  Tensor operator()(const Tensor& x) const { return glu(x, axis); }
};

}  // namespace cadena::nn
