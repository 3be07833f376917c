#pragma once

#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <cmath>

// What the normalisations share.

namespace cadena::ops {

/// How a tensor is looked at: its shape with the axes of the statistics apart, the shape that lets
/// a weight broadcast to it, the axes that one set of statistics is taken over, and those over
/// which a weight is repeated.
struct NormalizeView {
  Shape shape, weight;
  Axes statistics, repeated;
  bool centered;
  double epsilon;
};

/// The gradients of x, g and weight (undefined: 1) from those of what the gradient of a
/// normalisation gives: dx = R(g w), dweight = Σ g x̂, dbias = Σ g (undefined where it does not give
/// them). `backward(v)` is R(v) = s (v - mean v - x̂ mean(v x̂)), s = 1 / √(variance + epsilon). For
/// fixed x, R is linear and its own transpose; in x it depends on x̂, whose transposed derivative is
/// R again, and on s, whose derivative is -s² x̂ / n.
template <class R>
Gradients normalize_second_derivative(const NormalizeView& view, const Tensor& x, const Tensor& g,
                                      const Tensor& weight, const Tensor& of_dx,
                                      const Tensor& of_dweight, const Tensor& of_dbias,
                                      R&& backward) {
  const auto average = [&](const Tensor& values) { return mean(values, view.statistics, true); };
  const auto seen = [&](const Tensor& values) { return reshape(values, view.shape); };
  const auto widened = [&](const Tensor& values) { return reshape(values, view.weight); };
  const auto R_of = [&](const Tensor& v) { return seen(backward(reshape(v, x.shape()))); };

  Tensor away = seen(x);
  // Twice: far from 0 the first mean is rounded to what the distances from it feel.
  for (int times = 0; view.centered && times < 2; ++times) {
    away = away - average(away);
  }
  const Tensor scale = rsqrt(average(square(away)) + view.epsilon);
  const Tensor normal = away * scale, h = seen(of_dx), gradient = seen(g);
  const Tensor weighted = weight.defined() ? gradient * widened(weight) : gradient;
  const Tensor along_h = R_of(h);

  Tensor to_normal = -scale * (h * average(normal * weighted) + weighted * average(h * normal));
  Tensor to_g = weight.defined() ? along_h * widened(weight) : along_h;
  if (of_dweight.defined()) {
    to_normal = to_normal + gradient * widened(of_dweight);
    to_g = to_g + normal * widened(of_dweight);
  }
  if (of_dbias.defined()) {
    to_g = to_g + widened(of_dbias);
  }
  const Tensor to_x = R_of(to_normal) - scale * normal * average(h * R_of(weighted));
  return {reshape(to_x, x.shape()), reshape(to_g, g.shape()),
          weight.defined() ? reshape(sum(gradient * along_h, view.repeated), weight.shape())
                           : Tensor()};
}

/// Error unless x is floating, weight and bias (if they are there) have its dtype and `shape`, and
/// epsilon is one.
inline void check_normalize(const char* operation, const Tensor& x, const Tensor& weight,
                            const Tensor& bias, const Shape& shape, double epsilon) {
  if (!is_floating(x.dtype())) {
    fail("{}: expected float32 or float64, got {} {}", operation, name(x.dtype()), x.shape());
  }
  if (!(epsilon >= 0) || std::isinf(epsilon)) {
    fail("{}: expected a finite epsilon of at least 0, got {}", operation, epsilon);
  }
  const auto check = [&](const char* what, const Tensor& value) {
    if (value.defined() && (value.dtype() != x.dtype() || value.shape() != shape)) {
      fail("{}: expected a {} {} {} for {} {}, got {} {}", operation, name(x.dtype()), what, shape,
           name(x.dtype()), x.shape(), name(value.dtype()), value.shape());
    }
  };
  check("weight", weight);
  check("bias", bias);
}

}  // namespace cadena::ops
