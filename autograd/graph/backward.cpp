#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <functional>
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

/// k as an index; an Error where a vjp asks for an input or output that the operator has not.
std::size_t checked(const Node& node, const char* what, int k, std::uint32_t count) {
  if (k < 0 || static_cast<std::uint32_t>(k) >= count) {
    fail("{}: vjp reads {} {} of {}", node.op->doc().name, what, k, count);
  }
  return static_cast<std::size_t>(k);
}

}  // namespace

const Tensor& Backward::in(int k) const {
  checked(node_, "input", k, node_.input_count);
  if (!node_.op->keep().input(static_cast<std::uint32_t>(k))) {
    fail("{}: vjp reads input {}, which the operator does not keep", node_.op->doc().name, k);
  }
  return node_.kept_inputs[k];
}

Tensor Backward::out(int k) const {
  checked(node_, "output", k, node_.output_count);
  if (node_.kept_outputs == nullptr) {
    fail("{}: vjp reads output {}, which the operator does not keep", node_.op->doc().name, k);
  }
  const Tensor& kept = node_.kept_outputs[k];
  if (!modes().grad_enabled || !is_floating(kept.dtype())) {
    return kept;
  }
  return Tensor(with_node(*kept.impl(), Ref<Node>::share(const_cast<Node*>(&node_)),
                          static_cast<std::uint32_t>(k)));
}

const Tensor& Backward::grad(int k) const {
  const Type& type = out_type(k);
  Tensor& gradient = gradients_[static_cast<std::size_t>(k)];
  if (!gradient.defined()) {
    gradient = zeros(type.shape, {.dtype = type.dtype});
  }
  return gradient;
}

const Type& Backward::in_type(int k) const {
  const Edge& edge = node_.edges[checked(node_, "input", k, node_.input_count)];
  if (!edge.node) {
    fail("{}: vjp asks for the type of input {}, through which no gradient flows",
         node_.op->doc().name, k);
  }
  return edge.node->types[edge.output];
}

const Type& Backward::out_type(int k) const {
  return node_.types[checked(node_, "output", k, node_.output_count)];
}

namespace {

std::mutex leaf_mutex;  // of the gradients of all leaves, taken once a backward

/// The inputs that `grad` was asked for, found by their nodes.
class Targets {
 public:
  struct Target {
    const Node* node;
    std::size_t index;
  };

  explicit Targets(std::span<const Tensor> inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      targets_.push_back({inputs[i].impl()->node.get(), i});
    }
    std::sort(targets_.begin(), targets_.end(), before);
  }
  std::span<const Target> of(const Node* node) const {
    const auto [first, last] =
        std::equal_range(targets_.begin(), targets_.end(), Target{node, 0}, before);
    return {first, last};
  }

 private:
  static bool before(const Target& a, const Target& b) noexcept {
    return std::less<>()(a.node, b.node);
  }
  std::vector<Target> targets_;
};

/// One pass over a graph: gradients wait at their nodes, the node of the highest id goes next. Ids
/// increase from input to output, so all consumers of a node have been by then, and each node is
/// visited once whatever the number of paths.
class Sweep {
 public:
  bool release = false;
  /// When set, only nodes of `useful` are visited and targets' gradients are caught.
  bool targeted = false;
  boost::unordered_flat_set<const Node*> useful;
  /// Where the sweep ends; null for nowhere but at leaves.
  const Targets* ends = nullptr;

  void seed(const Tensor& output, const Tensor& gradient) {
    add(*output.impl()->node.get(), output.impl()->output, gradient);
  }

  template <class Visit> void run(Visit&& visit) {
    while (!heap_.empty()) {
      const auto [id, node, slot] = heap_.front();
      Tensors gradients = std::move(slots_[slot]);
      free_.push_back(slot);
      pop();
      if (ends != nullptr && !ends->of(node).empty()) {
        visit(*node, gradients);  // its hooks are for the pass that goes on from here
        continue;
      }
      if (node->hooks != nullptr) {
        apply_hooks(*node, gradients);
      }
      visit(*node, gradients);
      if (!node->is_leaf() && (!targeted || useful.contains(node))) {
        propagate(*node, gradients);
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t id;
    Node* node;
    std::uint32_t slot;  // where its gradients gather
  };
  static bool lower(const Entry& a, const Entry& b) noexcept { return a.id < b.id; }
  static constexpr std::size_t few = 16;  // nodes waiting; found faster by looking than by hashing

  void pop() {
    if (heap_.size() > few) {
      index_.erase(heap_.front().node);
    }
    std::pop_heap(heap_.begin(), heap_.end(), lower);
    heap_.pop_back();
    if (heap_.size() == few) {
      index_.clear();
    }
  }

  /// Where the gradients of a node gather; a place is made for it if it is new.
  Tensors& gathered(Node& node) {
    if (heap_.size() <= few) {
      for (const Entry& entry : heap_) {
        if (entry.node == &node) {
          return slots_[entry.slot];
        }
      }
    } else if (const auto found = index_.find(&node); found != index_.end()) {
      return slots_[found->second];
    }
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.emplace_back();
    }
    const std::uint32_t slot = free_.back();
    free_.pop_back();
    slots_[slot].resize(node.output_count);
    heap_.push_back({node.id, &node, slot});
    std::push_heap(heap_.begin(), heap_.end(), lower);
    if (heap_.size() == few + 1) {
      for (const Entry& entry : heap_) {
        index_.emplace(entry.node, entry.slot);
      }
    } else if (heap_.size() > few) {
      index_.emplace(&node, slot);
    }
    return slots_[slot];
  }

  void add(Node& node, std::uint32_t output, const Tensor& gradient) {
    Tensor& sum = gathered(node)[output];
    sum = sum.defined() ? cadena::add(sum, gradient) : gradient;
  }

  static void apply_hooks(Node& node, Tensors& gradients) {
    for (const detail::Hook& hook : std::vector<detail::Hook>(*node.hooks)) {
      Tensor& gradient = gradients[hook.output];
      if (!gradient.defined()) {
        continue;
      }
      Tensor replaced = hook.function(gradient);
      if (replaced.defined()) {
        const Type& type = node.types[hook.output];
        if (replaced.dtype() != type.dtype || replaced.shape() != type.shape) {
          fail("register_hook: the hook returned {} {}, expected {} {}", name(replaced.dtype()),
               replaced.shape(), name(type.dtype), type.shape);
        }
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

  void propagate(Node& node, Tensors& gradients) {
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
    const Backward context(node, {gradients.data(), gradients.size()},
                           {needed.data(), needed.size()});
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
  std::vector<Tensors> slots_;
  std::vector<std::uint32_t> free_;
  boost::unordered_flat_map<const Node*, std::uint32_t> index_;  // when more than `few` wait
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

/// All nodes from which a target can be reached, found without recursion; with `ends` without
/// looking behind those.
boost::unordered_flat_set<const Node*> reaching(std::span<const Tensor> outputs,
                                                std::span<const Tensor> targets,
                                                const Targets* ends) {
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
    if (ends != nullptr && !ends->of(node).empty()) {
      continue;
    }
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
      finished.emplace_back(Ref<Node>::share(&node), results[0].detach().contiguous());
    }
  });
  // Leaves change only now: an error on the way leaves every gradient as it was.
  const std::lock_guard lock(leaf_mutex);
  for (const auto& [node, gradient] : finished) {
    Tensor& sum = as_leaf(node.get())->gradient;
    sum = sum.defined() ? add(sum, gradient) : gradient;
  }
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
    sweep.useful = reaching(outputs, inputs, sweep.ends);
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

HookHandle::HookHandle() noexcept = default;
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
  if (!hook) {
    fail("register_hook: the function is empty");
  }
  if (impl.node->hooks == nullptr) {
    impl.node->hooks = new std::vector<detail::Hook>;
  }
  const std::uint64_t id = detail::next_node_id();
  impl.node->hooks->push_back({id, impl.output, std::move(hook)});
  return HookHandle(impl.node, id);
}

}  // namespace cadena
