#pragma once

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/generator.hpp>

namespace cadena {

// Tensors of random numbers: float32 unless said.

/// Uniform in [0, 1).
Tensor rand(const Shape& shape, TensorOptions options = {},
            const Generator& generator = default_generator());
/// Standard normal.
Tensor randn(const Shape& shape, TensorOptions options = {},
             const Generator& generator = default_generator());
/// Whole numbers, uniform in [low, high); int64 unless said.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options = {},
               const Generator& generator = default_generator());
/// The numbers 0 ... n - 1 in random order; int64 unless said.
Tensor randperm(std::int64_t n, TensorOptions options = {},
                const Generator& generator = default_generator());
/// 1 with probability p in [0, 1], else 0.
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {},
                 const Generator& generator = default_generator());
/// 1 with the probability that the element has, else 0; of the probabilities' floating dtype.
Tensor bernoulli(const Tensor& probabilities, const Generator& generator = default_generator());

}  // namespace cadena
