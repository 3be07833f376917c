#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/sweep.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>

#include <algorithm>
#include <mutex>

namespace cadena {

using detail::as_leaf;
using detail::Deriving;
using detail::Leaf;
using detail::Node;
using detail::Ref;
using detail::Sweep;
using detail::Targets;

namespace {

std::mutex leaf_mutex;  // of the gradients of all leaves

struct Finished {
  Ref<Node> leaf;
  Tensor gradient, before, sum;
};

/// Adds to the gradients of leaves. No operator runs under the lock: its loop may wait for a thread
/// that waits for the lock. So sums are made first, and again if another pass was faster.
void accumulate(std::span<Finished> all) {
  if (detail::Capturing* capturing = modes().capturing; capturing != nullptr) {
    for (const Finished& one : all) {
      const Leaf& leaf = *as_leaf(one.leaf.get());
      const Tensor before = capturing->gradient(leaf);
      capturing->put_gradient(leaf, before.defined() ? add(before, one.gradient) : one.gradient);
    }
    return;
  }
  const auto place = [](const Finished& one) -> Tensor& {
    return as_leaf(one.leaf.get())->gradient;
  };
  const auto is_current = [&](const Finished& one) {
    return place(one).impl().get() == one.before.impl().get();
  };
  for (bool done = false; !done;) {
    {
      const std::lock_guard lock(leaf_mutex);
      for (Finished& one : all) {
        one.before = place(one);
      }
    }
    Deriving at;
    for (Finished& one : all) {
      at.node = one.leaf.get();
      one.sum = one.before.defined() ? add(one.before, one.gradient) : one.gradient;
    }
    const std::lock_guard lock(leaf_mutex);
    done = std::all_of(all.begin(), all.end(), is_current);
    for (std::size_t i = 0; done && i < all.size(); ++i) {
      place(all[i]) = all[i].sum;  // the old value lives on in `before`, to die outside of the lock
    }
  }
}

/// Checks outputs and upstream gradients, and starts the sweep with them.
void seed(Sweep& sweep, std::span<const Tensor> outputs, std::span<const Tensor> gradients,
          const char* operation) {
  if (!gradients.empty() && gradients.size() != outputs.size()) {
    fail("{}: {} upstream gradients for {} outputs", operation, gradients.size(), outputs.size());
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& output = outputs[i];
    detail::impl_of(output, operation);
    if (!output.requires_grad()) {
      fail("{}: the output (shape {}, {}) does not depend on any tensor that requires a gradient",
           operation, output.shape(), name(output.dtype()));
    }
    if (!gradients.empty() && gradients[i].defined()) {
      const Tensor& gradient = gradients[i];
      if (gradient.shape() != output.shape() || gradient.dtype() != output.dtype()) {
        fail("{}: the upstream gradient is {} {}, the output {} {}", operation,
             name(gradient.dtype()), gradient.shape(), name(output.dtype()), output.shape());
      }
      // Given as a C++ number, it is a tensor from here on.
      sweep.seed(output, gradient.is_number() ? gradient.to(gradient.dtype()) : gradient);
    } else {
      if (output.numel() != 1) {
        fail(
            "{}: an output of shape {} needs an upstream gradient of its shape; only an output of "
            "one element can do without",
            operation, output.shape());
      }
      sweep.seed(output, ones(output.shape(), {.dtype = output.dtype()}));
    }
  }
}

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
              BackwardOptions options) {
  const EnableGrad recording(false);
  Sweep sweep;
  sweep.release = !options.retain_graph;
  seed(sweep, outputs, gradients, "backward");
  std::vector<Finished> finished;
  sweep.run([&](Node& node, const Tensors& results) {
    if (node.is_leaf() && results[0].defined()) {
      finished.push_back({Ref<Node>::share(&node), results[0].detach().contiguous(), {}, {}});
    }
  });
  // Leaves change only now, all or none: an error on the way leaves every gradient as it was.
  accumulate(finished);
}

namespace {

std::vector<Tensor> grad_of(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                            std::span<const Tensor> gradients, GradOptions options,
                            bool end_at_inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    detail::impl_of(inputs[i], "grad");
    if (!inputs[i].requires_grad()) {
      fail("grad: input {} (shape {}, {}) does not require a gradient", i, inputs[i].shape(),
           name(inputs[i].dtype()));
    }
  }
  std::vector<Tensor> results(inputs.size());
  {
    const EnableGrad recording(options.create_graph);
    const Targets targets(inputs);
    Sweep sweep;
    sweep.release = !options.retain_graph && !options.create_graph;
    sweep.targeted = true;
    sweep.ends = end_at_inputs ? &targets : nullptr;
    seed(sweep, outputs, gradients, "grad");
    sweep.useful = detail::reaching(outputs, inputs, sweep.ends);
    sweep.run([&](Node& node, const Tensors& at) {
      for (const Targets::Target& target : targets.of(&node)) {
        const Tensor& gradient = at[inputs[target.index].impl()->output];
        if (gradient.defined()) {
          results[target.index] = gradient;
        }
      }
    });
  }
  for (std::size_t i = 0; i < inputs.size() && !options.allow_unused; ++i) {
    if (!results[i].defined()) {
      fail(
          "grad: the outputs do not depend on input {} (shape {}); pass allow_unused to get an "
          "undefined gradient there",
          i, inputs[i].shape());
    }
  }
  return results;
}

}  // namespace

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, GradOptions options) {
  return grad_of(outputs, inputs, gradients, options, false);
}

std::vector<Tensor> detail::partial_grad(std::span<const Tensor> outputs,
                                         std::span<const Tensor> inputs,
                                         std::span<const Tensor> gradients, GradOptions options) {
  return grad_of(outputs, inputs, gradients, options, true);
}

std::vector<Tensor> grad(const Tensor& output, const std::vector<Tensor>& inputs,
                         GradOptions options) {
  return grad({&output, 1}, inputs, {}, options);
}

void Tensor::backward(BackwardOptions options) const { cadena::backward({this, 1}, {}, options); }

void Tensor::backward(const Tensor& gradient, BackwardOptions options) const {
  cadena::backward({this, 1}, {&gradient, 1}, options);
}

bool Tensor::is_leaf() const noexcept { return !impl_ || !impl_->node || impl_->node->is_leaf(); }

Tensor Tensor::grad() const {
  Leaf* leaf = as_leaf(detail::impl_of(*this, "grad").node.get());
  if (leaf == nullptr) {
    if (requires_grad()) {
      fail(
          "grad: a tensor of shape {} that an operator made has no gradient of its own; ask "
          "cadena::grad for it, set a hook, or start from requires_grad_leaf()",
          shape());
    }
    return Tensor();
  }
  detail::Capturing* capturing = modes().capturing;
  return capturing == nullptr ? gradient_of(*leaf) : capturing->gradient(*leaf);
}

void Tensor::zero_grad() const {
  if (Leaf* leaf = as_leaf(detail::impl_of(*this, "zero_grad").node.get())) {
    put_gradient(*leaf, Tensor());
  }
}

Tensor detail::gradient_of(const Leaf& leaf) {
  const std::lock_guard lock(leaf_mutex);
  return leaf.gradient;
}

void detail::put_gradient(Leaf& leaf, Tensor gradient) {
  if (Capturing* capturing = modes().capturing; capturing != nullptr) {
    capturing->put_gradient(leaf, std::move(gradient));
    return;
  }
  const std::lock_guard lock(leaf_mutex);
  std::swap(leaf.gradient, gradient);  // the old one dies outside of the lock
}

Tensor Tensor::detach() const {
  const detail::TensorImpl& impl = detail::impl_of(*this, "detach");
  return impl.node ? Tensor(with_node(impl, nullptr, 0)) : *this;
}

Tensor Tensor::requires_grad_leaf() const {
  const detail::TensorImpl& impl = detail::impl_of(*this, "requires_grad");
  if (!is_floating(impl.dtype)) {
    fail("requires_grad: only float32 and float64 tensors have gradients, got {} {}",
         name(impl.dtype), impl.shape);
  }
  return Tensor(with_node(impl, Leaf::make(impl.dtype, impl.shape), 0));
}

}  // namespace cadena
