#pragma once

#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/softmax.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>

// What softmax and cross-entropy share.

namespace cadena::ops {

/// A tensor as rows along its last dimension; no rows where there are no elements.
inline kernels::RowsShape rows_of(const Shape& shape) {
  const std::int64_t count = numel(shape);
  return {count == 0 ? 0 : count / shape.back(), shape.back()};
}

inline Shape without_last(Shape shape) {
  shape.erase(shape.size() - 1);
  return shape;
}

/// From y = softmax(x) and the gradient g of y that of x.
struct SoftmaxGradient {
  int axis;
  static constexpr Doc doc{"softmax", "gradient: y (g - sum of g y)"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::softmax_gradient(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(),
                                in[1].data<T>(), out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, {axis}); }
  Gradients vjp(const Backward& b) const {
    const Tensor y = b.in(0), g = b.in(1), h = b.grad();
    Gradients result(2);
    if (b.needs(0)) {
      result[0] = h * (g - sum(g * y, {axis}, true)) - g * sum(h * y, {axis}, true);
    }
    if (b.needs(1)) {  // the matrix of softmax's derivative is symmetric
      result[1] = bind(*this, y, h);
    }
    return result;
  }
  std::string attributes() const { return fmt::format("axis {} derivative 0", axis); }
  bool operator==(const SoftmaxGradient&) const = default;
};

}  // namespace cadena::ops
