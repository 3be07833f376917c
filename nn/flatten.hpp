#pragma once

#include <cadena/autograd/ops/layout.hpp>

namespace cadena::nn {

/// Merges dimensions first to last: all but the batch, [M, ...] -> [M, features].
struct Flatten {
  std::int64_t first = 1;
  std::int64_t last = -1;
  Tensor operator()(const Tensor& x) const { return flatten(x, first, last); }
};

}  // namespace cadena::nn
