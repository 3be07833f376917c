#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <boost/unordered/unordered_flat_set.hpp>

#include <vector>

namespace cadena {
namespace {

void check_function(const TensorFunction& f, const char* operation) {
  if (!f) {
    fail("{}: the function is empty", operation);
  }
}

void check_scalar(const Tensor& value, const char* operation) {
  if (value.numel() != 1) {
    fail("{}: expected a function with one value, got shape {}", operation, value.shape());
  }
}

/// Whether a graph leads to another leaf than this one.
bool reaches_other_leaf(const Tensor& value, const detail::Node* leaf) {
  boost::unordered_flat_set<const detail::Node*> seen;
  std::vector<const detail::Node*> stack;
  const auto visit = [&](const detail::Node* node) {
    if (node != nullptr && seen.insert(node).second) {
      stack.push_back(node);
    }
  };
  visit(value.impl()->node.get());
  while (!stack.empty()) {
    const detail::Node* node = stack.back();
    stack.pop_back();
    if (node->is_leaf() && node != leaf) {
      return true;
    }
    for (const detail::Edge& edge : node->inputs()) {
      visit(edge.node.get());
    }
  }
  return false;
}

/// A function at a point, with the derivatives along it.
class At {
 public:
  At(const TensorFunction& f, const Tensor& x, const char* operation)
      : outer_(modes().grad_enabled) {
    check_function(f, operation);
    const EnableGrad enable;
    // In its own place of a graph when somebody outside may differentiate, else as a leaf.
    inside_ = outer_ && x.requires_grad();
    x_ = inside_ ? reshape(x, x.shape()) : x.detach().requires_grad_leaf();
    value_ = f(x_);
    if (!is_floating(detail::impl_of(value_, operation).dtype)) {
      fail("{}: the function gives {}, which has no derivative", operation, name(value_.dtype()));
    }
    // What f read besides x, say parameters of a model, shall be differentiable as well.
    differentiable_ = outer_ && (inside_ || reaches_other_leaf(value_, x_.impl()->node.get()));
  }

  const Tensor& x() const { return x_; }
  /// As it is for who asks: part of a graph if somebody outside may differentiate.
  Tensor value() const { return differentiable_ ? value_ : value_.detach(); }
  const Tensor& inner_value() const { return value_; }

  /// The gradient of an output along x; zeros where it does not depend on x.
  Tensor gradient(const Tensor& output, const Tensor& upstream, bool create_graph) const {
    if (!output.requires_grad()) {
      return zeros_like(x_);
    }
    Tensor result =
        grad({&output, 1}, {&x_, 1}, {&upstream, 1},
             {.create_graph = create_graph, .retain_graph = true, .allow_unused = true})[0];
    return result.defined() ? result : zeros_like(x_);
  }
  Tensor gradient(const Tensor& upstream) const {
    const bool asked = outer_ && upstream.requires_grad();
    return gradient(value_, upstream, differentiable_ || asked);
  }
  bool differentiable() const { return differentiable_; }

 private:
  bool outer_, inside_ = false, differentiable_ = false;
  Tensor x_, value_;
};

/// Checks an upstream gradient or a direction.
void check_like(const Tensor& v, const Tensor& of, const char* what) {
  const detail::TensorImpl& impl = detail::impl_of(v, what);
  if (impl.shape != of.shape() || impl.dtype != of.dtype()) {
    fail("{} is {} {}, expected {} {}", what, name(impl.dtype), impl.shape, name(of.dtype()),
         of.shape());
  }
}

}  // namespace

std::function<ValueAndGrad(const Tensor&)> value_and_grad(TensorFunction f) {
  check_function(f, "value_and_grad");
  return [f = std::move(f)](const Tensor& x) {
    const At at(f, x, "value_and_grad");
    check_scalar(at.inner_value(), "value_and_grad");
    return ValueAndGrad{at.value(), at.gradient(ones_like(at.inner_value()))};
  };
}

Product vjp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  const At at(f, x, "vjp");
  check_like(v, at.inner_value(), "vjp: the upstream gradient");
  return {at.value(), at.gradient(v)};
}

Product jvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  check_like(v, x, "jvp: the direction");
  const At at(f, x, "jvp");
  const bool asked = at.differentiable() || (modes().grad_enabled && v.requires_grad());
  // u ↦ uᵀJ is linear, so where u stands does not matter; its derivative along v is J·v.
  const EnableGrad enable;
  const Tensor u = zeros_like(at.inner_value()).requires_grad_leaf();
  const Tensor pulled = at.gradient(at.inner_value(), u, true);
  if (!pulled.requires_grad()) {
    return {at.value(), zeros_like(u)};
  }
  Tensor product = grad({&pulled, 1}, {&u, 1}, {&v, 1},
                        {.create_graph = asked, .retain_graph = true, .allow_unused = true})[0];
  return {at.value(), product.defined() ? product : zeros_like(u)};
}

Tensor jacobian(const TensorFunction& f, const Tensor& x) {
  const At at(f, x, "jacobian");
  const Tensor& value = at.inner_value();
  Shape shape = value.shape();
  for (std::int64_t dimension : x.shape()) {
    shape.push_back(dimension);
  }
  const std::int64_t count = value.numel();
  if (count == 0) {
    return zeros(shape, {.dtype = x.dtype()});
  }
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor unit = one_hot(tensor(i), count, {.dtype = value.dtype()});
    rows.push_back(at.gradient(reshape(unit, value.shape())));
  }
  return reshape(stack(rows), shape);
}

namespace {

/// x ↦ df/dx of a scalar-valued f.
TensorFunction gradient_of(const TensorFunction& f, const char* operation) {
  check_function(f, operation);
  return [&f, operation](const Tensor& x) {
    const Tensor value = f(x);
    check_scalar(value, operation);
    if (!value.requires_grad()) {
      return zeros_like(x);
    }
    Tensor result = grad({&value, 1}, {&x, 1}, {}, {.create_graph = true, .allow_unused = true})[0];
    return result.defined() ? result : zeros_like(x);
  };
}

}  // namespace

Tensor hessian(const TensorFunction& f, const Tensor& x) {
  return jacobian(gradient_of(f, "hessian"), x);
}

Product hvp(const TensorFunction& f, const Tensor& x, const Tensor& v) {
  return vjp(gradient_of(f, "hvp"), x, v);
}

}  // namespace cadena
