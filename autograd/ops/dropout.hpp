#pragma once

#include <cadena/autograd/core/generator.hpp>
#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

/// In training each element is 0 with probability p, and x / (1 - p) otherwise (inverted dropout,
/// Srivastava et al. 2014, so that the expected value stays); x itself when not training or p = 0,
/// zeros when p = 1. Each call drops others; derivatives of any order see what the call dropped.
/// Error unless 0 <= p <= 1.
Tensor dropout(const Tensor& x, double p = 0.5, bool training = true,
               const Generator& generator = default_generator());

}  // namespace cadena
