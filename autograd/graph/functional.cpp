#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/slice.hpp>

namespace cadena {
namespace {

/// x as a leaf of its own, or (when somebody outside may differentiate) x with its place in a
/// graph.
Tensor variable(const Tensor& x) {
  return modes().grad_enabled && x.requires_grad() ? reshape(x, x.shape())
                                                   : x.detach().requires_grad_leaf();
}

/// The gradient of an output; zeros where it does not depend on x.
Tensor gradient(const Tensor& output, const Tensor& x, const Tensor& upstream, bool create_graph) {
  if (!output.requires_grad()) {
    return zeros_like(x);
  }
  Tensor result =
      grad({&output, 1}, {&x, 1}, {&upstream, 1},
           {.create_graph = create_graph, .retain_graph = true, .allow_unused = true})[0];
  return result.defined() ? result : zeros_like(x);
}

void check_scalar(const Tensor& value, const char* operation) {
  if (value.numel() != 1) {
    fail("{}: expected a function with one value, got shape {}", operation, value.shape());
  }
}

/// Whether a result shall be differentiable: somebody outside asks for it.
bool recording(const Tensor& x, const Tensor& v) {
  return modes().grad_enabled && (x.requires_grad() || v.requires_grad());
}

}  // namespace

std::function<ValueAndGrad(const Tensor&)> value_and_grad(TensorFunction f) {
  return [f = std::move(f)](const Tensor& x) {
    const EnableGrad enable;
    const Tensor at = x.detach().requires_grad_leaf();
    const Tensor value = f(at);
    check_scalar(value, "value_and_grad");
    return ValueAndGrad{value.detach(), gradient(value, at, ones_like(value), false)};
  };
}

Product vjp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  const bool differentiable = recording(x, v);
  const Tensor at = variable(x);
  const EnableGrad enable;
  const Tensor value = f(at);
  Tensor product = gradient(value, at, v, differentiable);
  return {differentiable ? value : value.detach(), product};
}

Product jvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  const bool differentiable = recording(x, v);
  const Tensor at = variable(x);
  if (v.shape() != x.shape() || v.dtype() != x.dtype()) {
    fail("jvp: the direction is {} {}, expected {} {}", name(v.dtype()), v.shape(), name(x.dtype()),
         x.shape());
  }
  const EnableGrad enable;
  const Tensor value = f(at);
  // u ↦ uᵀJ is linear, so where u stands does not matter; its derivative along v is J·v.
  const Tensor u = zeros_like(value).requires_grad_leaf();
  const Tensor pulled = gradient(value, at, u, true);
  Tensor product = gradient(pulled, u, v, differentiable);
  return {differentiable ? value : value.detach(), product};
}

Tensor jacobian(const TensorFunction& f, const Tensor& x) {
  const bool differentiable = modes().grad_enabled && x.requires_grad();
  const Tensor at = variable(x);
  const EnableGrad enable;
  const Tensor value = f(at);
  Shape shape = value.shape();
  for (std::int64_t dimension : x.shape()) {
    shape.push_back(dimension);
  }
  const std::int64_t count = value.numel();
  if (count == 0) {
    return zeros(shape, {.dtype = x.dtype()});
  }
  const Tensor basis = eye(count, {}, {.dtype = value.dtype()});
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    rows.push_back(
        gradient(value, at, reshape(select(basis, 0, i), value.shape()), differentiable));
  }
  return reshape(stack(rows), shape);
}

Tensor hessian(const TensorFunction& f, const Tensor& x) {
  return jacobian(
      [&f](const Tensor& at) {
        const Tensor value = f(at);
        check_scalar(value, "hessian");
        return gradient(value, at, ones_like(value), true);
      },
      x);
}

Product hvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  return vjp(
      [&f](const Tensor& at) {
        const Tensor value = f(at);
        check_scalar(value, "hvp");
        return gradient(value, at, ones_like(value), true);
      },
      x, v);
}

}  // namespace cadena
