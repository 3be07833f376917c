#pragma once

#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <functional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace cadena {

/// While it lives, operators of this thread record nothing. Loops of `parallel_for` inherit it.
class NoGrad {
 public:
  NoGrad() noexcept : before_(std::exchange(modes().grad_enabled, false)) {}
  ~NoGrad() { modes().grad_enabled = before_; }
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

/// While it lives, operators of this thread record again, inside of a NoGrad too.
class EnableGrad {
 public:
  explicit EnableGrad(bool enabled = true) noexcept
      : before_(std::exchange(modes().grad_enabled, enabled)) {}
  ~EnableGrad() { modes().grad_enabled = before_; }
  EnableGrad(const EnableGrad&) = delete;
  EnableGrad& operator=(const EnableGrad&) = delete;

 private:
  bool before_;
};

struct GradOptions {
  bool create_graph = false;  ///< The gradients are themselves differentiable.
  bool retain_graph = false;  ///< Keep saved values; implied by create_graph.
  bool allow_unused = false;  ///< An input that the outputs do not depend on gets an undefined
                              ///< gradient instead of an Error.
};

/// d(sum of outputs · gradients)/d(inputs), without touching any `.grad()`. `gradients` are the
/// upstream gradients, one an output; none means ones, for outputs of one element.
std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, GradOptions options = {});
std::vector<Tensor> grad(const Tensor& output, const std::vector<Tensor>& inputs,
                         GradOptions options = {});

namespace detail {
/// As `grad`, but nothing behind the inputs is walked: the derivative along each input while the
/// others are held, even where one was computed from another.
std::vector<Tensor> partial_grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                                 std::span<const Tensor> gradients, GradOptions options = {});
}  // namespace detail

/// Adds d(sum of outputs · gradients)/d(leaf) to `.grad()` of every leaf that requires it.
/// Saved values are let go unless `retain_graph`; a second pass is then an Error.
void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
              BackwardOptions options = {});

/// The value of a function and its gradient with respect to one tensor.
struct ValueAndGrad {
  Tensor value;
  Tensor grad;
};

using TensorFunction = std::function<Tensor(const Tensor&)>;

// The functions below are differentiable again where grad mode is on and x, v or a tensor that f
// reads (a parameter, say) requires a gradient; under NoGrad they record nothing. Error where f
// gives integers.

/// From f, a function that returns f(x) and df/dx for a scalar-valued f.
std::function<ValueAndGrad(const Tensor&)> value_and_grad(TensorFunction f);

/// Value and product of a function's derivative with a tensor.
struct Product {
  Tensor value;
  Tensor product;
};

/// f(x) and vᵀ·J: the gradient of sum(v · f(x)); v has shape and dtype of f(x).
Product vjp(const TensorFunction& f, const Tensor& x, const Tensor& v);
/// f(x) and J·v, from two vjps (the derivative of u ↦ uᵀ·J, which is linear); v has x's shape.
Product jvp(const TensorFunction& f, const Tensor& x, const Tensor& v);
/// All derivatives: shape of f(x) followed by shape of x.
Tensor jacobian(const TensorFunction& f, const Tensor& x);
/// Second derivatives of a scalar-valued f: shape of x twice.
Tensor hessian(const TensorFunction& f, const Tensor& x);
/// Gradient of a scalar-valued f and the product of its Hessian with v (x's shape).
Product hvp(const TensorFunction& f, const Tensor& x, const Tensor& v);

/// A function set on a tensor's gradient; removed when this handle is destroyed.
class HookHandle {
 public:
  HookHandle() noexcept;
  HookHandle(detail::Ref<detail::Node> node, std::uint64_t id) noexcept;
  HookHandle(HookHandle&& other) noexcept;
  HookHandle& operator=(HookHandle&& other) noexcept;
  ~HookHandle();
  void remove() noexcept;

 private:
  detail::Ref<detail::Node> node_;
  std::uint64_t id_ = 0;
};

/// Calls `hook` with the gradient of x once it is complete, in each backward pass. A defined result
/// (same shape and dtype) takes its place; return Tensor() to only look. Error if x takes no
/// gradient.
[[nodiscard]] HookHandle register_hook(const Tensor& x, std::function<Tensor(const Tensor&)> hook);

/// f(inputs) without keeping the values that f computes on the way: backward computes them again.
/// Tensors that f captures get their gradients too. f must compute the same at both times; the
/// default generator is set back for the second.
Tensor checkpoint(const std::function<Tensor(std::span<const Tensor>)>& f,
                  const std::vector<Tensor>& inputs);

}  // namespace cadena
