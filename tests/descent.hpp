#pragma once

// Parameters and gradients that tests of optimizers share.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>

#include <cmath>
#include <vector>

#include "support.hpp"

namespace support {

using namespace cadena;

inline constexpr int steps = 1000;
inline constexpr std::int64_t count = 37;  // lanes and a tail

inline double at_start(std::int64_t i) { return std::sin(1.7 * static_cast<double>(i)) + 0.2; }

/// A gradient that depends on the place, and on the step as mini-batches do.
inline double slope(double w, std::int64_t i, int t) {
  const double curvature = 0.1 + 0.05 * static_cast<double>(i);
  return curvature * (w - 0.3) + 0.5 * std::cos(0.37 * t + static_cast<double>(i));
}

inline Cell parameter(Dtype dtype, std::int64_t n = count, std::int64_t from = 0) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    values.push_back(at_start(from + i));
  }
  return Cell(from_vector(values, {n}, {.dtype = dtype}), true);
}

inline void set_gradient(const Cell& cell, const std::vector<double>& values) {
  cell.zero_grad();
  cell.value().backward(from_vector(values, cell.value().shape(), {.dtype = cell.value().dtype()}));
}

inline void set_gradient(const Cell& cell, int t, std::int64_t from = 0) {
  std::vector<double> gradient = cell.value().to_vector<double>();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = slope(gradient[i], from + static_cast<std::int64_t>(i), t);
  }
  set_gradient(cell, gradient);
}

inline Values values_of(const Cell& cell) { return values(cell.value()); }

}  // namespace support
