#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena::nn {

/// x itself: takes a layer's place where there shall be none.
struct Identity {
  Tensor operator()(const Tensor& x) const { return x; }
};

}  // namespace cadena::nn
