#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/node.hpp>

// What a vjp is given.

namespace cadena {

using detail::Edge;
using detail::Node;
using detail::Ref;

int Backward::inputs() const noexcept { return static_cast<int>(node_.input_count); }

namespace {

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
  if (node_.kept_outputs == nullptr || !node_.kept_outputs[k].defined()) {
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

}  // namespace cadena
