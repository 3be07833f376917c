#pragma once

#include <cadena/autograd/ops/softmax.hpp>

namespace cadena::nn {

// Outputs that sum to 1, as layers.

struct Softmax {
  std::int64_t axis = -1;
  Tensor operator()(const Tensor& x) const { return softmax(x, axis); }
};

struct LogSoftmax {
  std::int64_t axis = -1;
  Tensor operator()(const Tensor& x) const { return log_softmax(x, axis); }
};

/// The lecture's softmax layer: logistic, then normalise.
struct NormalizedLogistic {
  std::int64_t axis = -1;
  Tensor operator()(const Tensor& x) const { return normalized_logistic(x, axis); }
};

}  // namespace cadena::nn
