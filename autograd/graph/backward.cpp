#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <mutex>

namespace cadena {

using detail::as_leaf;
using detail::Edge;
using detail::Leaf;
using detail::Node;
using detail::Ref;

int Backward::inputs() const noexcept { return static_cast<int>(node_.input_count); }

namespace {

[[noreturn]] void fail_released(const Node& node) {
  fail("{}: the graph was released by an earlier backward; pass retain_graph to walk it twice",
       node.op->doc().name);
}

}  // namespace

Tensor Backward::in(int k) const {
  if (!node_.op->keep().input(static_cast<std::uint32_t>(k))) {
    fail("{}: vjp reads input {}, which the operator does not keep", node_.op->doc().name, k);
  }
  return node_.kept_inputs[k];
}

Tensor Backward::out(int k) const {
  if (node_.kept_outputs == nullptr) {
    fail("{}: vjp reads output {}, which the operator does not keep", node_.op->doc().name, k);
  }
  const Tensor& kept = node_.kept_outputs[k];
  if (!modes().grad_enabled) {
    return kept;
  }
  return Tensor(
      with_node(*kept.impl(), Ref<Node>(const_cast<Node*>(&node_)), static_cast<std::uint32_t>(k)));
}

Tensor Backward::grad(int k) const {
  const Tensor& gradient = gradients_[static_cast<std::size_t>(k)];
  const Type& type = out_type(k);
  return gradient.defined() ? gradient : zeros(type.shape, {.dtype = type.dtype});
}

const Type& Backward::in_type(int k) const {
  const Edge& edge = node_.edges[k];
  return edge.node->types[edge.output];
}

const Type& Backward::out_type(int k) const { return node_.types[k]; }

namespace {

std::mutex leaf_mutex;  // of the gradients of all leaves, taken once a backward

/// One pass over a graph: gradients wait at their nodes, the node of the highest id goes next. Ids
/// increase from input to output, so all consumers of a node have been by then, and each node is
/// visited once whatever the number of paths.
class Sweep {
 public:
  bool release = false;
  /// When set, only nodes of `useful` are visited and targets' gradients are caught.
  bool targeted = false;
  boost::unordered_flat_set<const Node*> useful;

  void seed(const Tensor& output, const Tensor& gradient) {
    add(*output.impl()->node.get(), output.impl()->output, gradient);
  }

  template <class Visit> void run(Visit&& visit) {
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end(), lower);
      Node* node = heap_.back().second;
      heap_.pop_back();
      const auto found = waiting_.find(node);
      Tensors gradients = std::move(found->second);
      waiting_.erase(found);
      apply_hooks(*node, gradients);
      visit(*node, gradients);
      if (!node->is_leaf() && (!targeted || useful.contains(node))) {
        propagate(*node, gradients);
      }
    }
  }

 private:
  using Entry = std::pair<std::uint64_t, Node*>;
  static bool lower(const Entry& a, const Entry& b) noexcept { return a.first < b.first; }

  void add(Node& node, std::uint32_t output, const Tensor& gradient) {
    const auto [place, fresh] = waiting_.try_emplace(&node);
    if (fresh) {
      place->second.resize(node.output_count);
      heap_.emplace_back(node.id, &node);
      std::push_heap(heap_.begin(), heap_.end(), lower);
    }
    Tensor& sum = place->second[output];
    if (!sum.defined()) {
      sum = gradient;
    } else {
      const Tensor total = cadena::add(sum, gradient);
      waiting_.find(&node)->second[output] = total;
    }
  }

  static void apply_hooks(Node& node, Tensors& gradients) {
    if (node.hooks == nullptr) {
      return;
    }
    for (const detail::Hook& hook : std::vector<detail::Hook>(*node.hooks)) {
      Tensor& gradient = gradients[hook.output];
      if (!gradient.defined()) {
        continue;
      }
      Tensor replaced = hook.function(gradient);
      if (replaced.defined()) {
        check_gradient(replaced, node.types[hook.output], "hook", 0);
        gradient = std::move(replaced);
      }
    }
  }

  static void check_gradient(const Tensor& gradient, const Type& type, const char* what,
                             int input) {
    if (gradient.dtype() != type.dtype || gradient.shape() != type.shape) {
      fail("{}: gradient of input {} is {} {}, expected {} {}", what, input, name(gradient.dtype()),
           gradient.shape(), name(type.dtype), type.shape);
    }
  }

  void propagate(Node& node, const Tensors& gradients) {
    SmallVector<bool, 8> needed(node.input_count, false);
    bool any = false;
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      const Node* source = node.edges[i].node.get();
      needed[i] = source != nullptr && (!targeted || useful.contains(source));
      any = any || needed[i];
    }
    if (!any) {
      return;
    }
    if (node.released) {
      fail_released(node);
    }
    const Backward context(node, gradients, {needed.data(), needed.size()});
    Gradients results = node.op->vjp(context);
    if (results.size() != node.input_count) {
      fail("{}: vjp gave {} gradients for {} inputs", node.op->doc().name, results.size(),
           node.input_count);
    }
    if (release) {
      node.release();
    }
    for (std::uint32_t i = 0; i < node.input_count; ++i) {
      if (!needed[i] || !results[i].defined()) {
        continue;
      }
      const Edge& edge = node.edges[i];
      check_gradient(results[i], edge.node->types[edge.output], node.op->doc().name,
                     static_cast<int>(i));
      add(*edge.node, edge.output, results[i]);
    }
  }

  std::vector<Entry> heap_;
  boost::unordered_flat_map<Node*, Tensors> waiting_;
};

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
      sweep.seed(output, gradient);
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

/// All nodes from which a target can be reached, found without recursion.
boost::unordered_flat_set<const Node*> reaching(std::span<const Tensor> outputs,
                                                std::span<const Tensor> targets) {
  boost::unordered_flat_set<const Node*> useful, seen;
  std::uint64_t lowest = ~std::uint64_t{0};
  for (const Tensor& target : targets) {
    useful.insert(target.impl()->node.get());
    lowest = std::min(lowest, target.impl()->node->id);
  }
  std::vector<const Node*> stack, found;
  const auto visit = [&](const Node* node) {
    if (node != nullptr && node->id >= lowest && seen.insert(node).second) {
      stack.push_back(node);
    }
  };
  for (const Tensor& output : outputs) {
    visit(output.impl()->node.get());
  }
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    found.push_back(node);
    for (const Edge& edge : node->inputs()) {
      visit(edge.node.get());
    }
  }
  std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->id < b->id; });
  for (const Node* node : found) {
    for (const Edge& edge : node->inputs()) {
      if (edge.node && useful.contains(edge.node.get())) {
        useful.insert(node);
        break;
      }
    }
  }
  return useful;
}

}  // namespace

void backward(std::span<const Tensor> outputs, std::span<const Tensor> gradients,
              BackwardOptions options) {
  const EnableGrad recording(false);
  Sweep sweep;
  sweep.release = !options.retain_graph;
  seed(sweep, outputs, gradients, "backward");
  std::vector<std::pair<Ref<Node>, Tensor>> finished;
  sweep.run([&](Node& node, const Tensors& results) {
    if (node.is_leaf() && results[0].defined()) {
      finished.emplace_back(Ref<Node>(&node), results[0]);
    }
  });
  // Leaves change only now: an error on the way leaves every gradient as it was.
  const std::lock_guard lock(leaf_mutex);
  for (const auto& [node, gradient] : finished) {
    Tensor& sum = as_leaf(node.get())->gradient;
    sum = sum.defined() ? add(sum, gradient) : gradient.detach();
  }
}

std::vector<Tensor> grad(std::span<const Tensor> outputs, std::span<const Tensor> inputs,
                         std::span<const Tensor> gradients, GradOptions options) {
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
    Sweep sweep;
    sweep.release = !options.retain_graph && !options.create_graph;
    sweep.targeted = true;
    seed(sweep, outputs, gradients, "grad");
    sweep.useful = reaching(outputs, inputs);
    sweep.run([&](Node& node, const Tensors& at) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const detail::TensorImpl& impl = *inputs[i].impl();
        if (impl.node.get() == &node && at[impl.output].defined()) {
          results[i] = at[impl.output];
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
    return Tensor();
  }
  const std::lock_guard lock(leaf_mutex);
  return leaf->gradient;
}

void Tensor::zero_grad() const {
  if (Leaf* leaf = as_leaf(detail::impl_of(*this, "zero_grad").node.get())) {
    const std::lock_guard lock(leaf_mutex);
    leaf->gradient = Tensor();
  }
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

HookHandle::HookHandle(Ref<Node> node, std::uint64_t id) noexcept
    : node_(std::move(node)), id_(id) {}
HookHandle::HookHandle(HookHandle&& other) noexcept = default;
HookHandle& HookHandle::operator=(HookHandle&& other) noexcept {
  remove();
  node_ = std::move(other.node_);
  id_ = other.id_;
  return *this;
}
HookHandle::~HookHandle() { remove(); }

void HookHandle::remove() noexcept {
  if (node_ && node_->hooks != nullptr) {
    std::erase_if(*node_->hooks, [this](const detail::Hook& hook) { return hook.id == id_; });
  }
  node_ = nullptr;
}

HookHandle register_hook(const Tensor& x, std::function<Tensor(const Tensor&)> hook) {
  const detail::TensorImpl& impl = detail::impl_of(x, "register_hook");
  if (!impl.node) {
    fail("register_hook: the tensor (shape {}) takes no gradient", impl.shape);
  }
  if (impl.node->hooks == nullptr) {
    impl.node->hooks = new std::vector<detail::Hook>;
  }
  const std::uint64_t id = detail::next_node_id();
  impl.node->hooks->push_back({id, impl.output, std::move(hook)});
  return HookHandle(impl.node, id);
}

}  // namespace cadena
