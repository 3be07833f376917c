#include <cadena/autograd/graph/observer.hpp>
#include <cadena/autograd/graph/sweep.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>

namespace cadena::detail {
namespace {

void check_gradient(const Tensor& gradient, const Type& type, const char* what, int input) {
  if (gradient.dtype() != type.dtype || gradient.shape() != type.shape) {
    fail("{}: gradient of input {} is {} {}, expected {} {}", what, input, name(gradient.dtype()),
         gradient.shape(), name(type.dtype), type.shape);
  }
}

}  // namespace

void Sweep::pop() {
  if (heap_.size() > few) {
    index_.erase(heap_.front().node);
  }
  std::pop_heap(heap_.begin(), heap_.end(), lower);
  heap_.pop_back();
  if (heap_.size() == few) {
    index_.clear();
  }
}

Tensors& Sweep::gathered(Node& node) {
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

void Sweep::add(Node& node, std::uint32_t output, const Tensor& gradient) {
  Tensor& sum = gathered(node)[output];
  sum = sum.defined() ? cadena::add(sum, gradient) : gradient;
}

void Sweep::apply_hooks(Node& node, Tensors& gradients) {
  for (const Hook& hook : std::vector<Hook>(node.extras->hooks)) {
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

Gradients Sweep::derive(const Node& node, Tensors& gradients, std::span<const bool> needed) {
  const std::span<Tensor> upstream(gradients.data(), gradients.size());
  Observer* observer = modes().observer;
  if (observer == nullptr) {
    return node.op->vjp(Backward(node, upstream, needed));
  }
  observer->deriving(node);
  try {
    Gradients results = node.op->vjp(Backward(node, upstream, needed));
    observer->derived(node, upstream, needed, results);
    return results;
  } catch (...) {
    observer->derivation_failed(node);
    throw;
  }
}

void Sweep::propagate(Node& node, Tensors& gradients) {
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
    fail("{}: the graph was released by an earlier backward; pass retain_graph to walk it twice",
         node.op->doc().name);
  }
  Gradients results = derive(node, gradients, {needed.data(), needed.size()});
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

}  // namespace cadena::detail
