#include <cadena/autograd/graph/node.hpp>

#include <atomic>
#include <new>

namespace cadena::detail {
namespace {

std::atomic<std::uint64_t> last_id{0};

struct Plan {
  std::size_t edges, inputs, outputs, types, bytes;
};

Plan plan(std::size_t inputs, std::size_t outputs, Keep keep) noexcept {
  Plan plan{};
  plan.edges = sizeof(Node);
  plan.inputs = plan.edges + inputs * sizeof(Edge);
  plan.outputs = plan.inputs + (keep.any_input() ? inputs * sizeof(Tensor) : 0);
  plan.types = plan.outputs + (keep.output ? outputs * sizeof(Tensor) : 0);
  plan.bytes = plan.types + outputs * sizeof(Type);
  return plan;
}

template <class T> T* construct(std::byte* block, std::size_t offset, std::size_t count) {
  T* first = reinterpret_cast<T*>(block + offset);
  for (std::size_t i = 0; i < count; ++i) {
    new (first + i) T;
  }
  return first;
}

// Nodes of this thread that wait for destruction.
constinit thread_local Node* graves = nullptr;
constinit thread_local bool burying = false;

void bury(Node* node) noexcept {
  if (node->is_leaf()) {
    auto* leaf = static_cast<Leaf*>(node);
    leaf->~Leaf();
    deallocate(leaf, sizeof(Leaf));
    return;
  }
  const Keep kept{node->kept_inputs != nullptr, node->kept_outputs != nullptr};
  const Plan layout = plan(node->input_count, node->output_count, kept);
  std::destroy_n(node->edges, node->input_count);
  if (node->kept_inputs != nullptr) {
    std::destroy_n(node->kept_inputs, node->input_count);
  }
  if (node->kept_outputs != nullptr) {
    std::destroy_n(node->kept_outputs, node->output_count);
  }
  std::destroy_n(node->types, node->output_count);
  node->~Node();
  deallocate(node, layout.bytes);
}

}  // namespace

std::uint64_t next_node_id() noexcept {
  return last_id.fetch_add(1, std::memory_order_relaxed) + 1;
}

Ref<Node> Node::make(const OperatorRef& op, std::span<const Tensor* const> inputs,
                     std::span<const Tensor> outputs) {
  const Keep keep = op->keep();
  const Plan layout = plan(inputs.size(), outputs.size(), keep);
  auto* block = static_cast<std::byte*>(allocate(layout.bytes));
  Node* node = new (block) Node;
  node->input_count = static_cast<std::uint32_t>(inputs.size());
  node->output_count = static_cast<std::uint32_t>(outputs.size());
  node->id = next_node_id();
  node->op = op;
  node->edges = construct<Edge>(block, layout.edges, inputs.size());
  node->types = construct<Type>(block, layout.types, outputs.size());
  if (keep.any_input()) {
    node->kept_inputs = construct<Tensor>(block, layout.inputs, inputs.size());
  }
  if (keep.output) {
    node->kept_outputs = construct<Tensor>(block, layout.outputs, outputs.size());
  }
  Ref<Node> made(node);  // whole from here on: what throws below leaves nothing behind
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorImpl& input = *inputs[i]->impl();
    node->edges[i] = {input.node, input.output};
  }
  for (std::size_t i = 0; keep.any_input() && i < inputs.size(); ++i) {
    if (keep.input(static_cast<std::uint32_t>(i))) {
      node->kept_inputs[i] = *inputs[i];
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    node->types[i] = {outputs[i].impl()->dtype, outputs[i].impl()->shape};
    if (keep.output && i >= keep.first_output) {
      // A handle of its own: the caller gives the output this node, and a shared one would be a
      // cycle.
      node->kept_outputs[i] = Tensor(with_node(*outputs[i].impl(), nullptr, 0));
    }
  }
  return made;
}

void Node::release() noexcept {
  released = true;
  for (std::uint32_t i = 0; kept_inputs != nullptr && i < input_count; ++i) {
    kept_inputs[i] = Tensor();
  }
  for (std::uint32_t i = 0; kept_outputs != nullptr && i < output_count; ++i) {
    kept_outputs[i] = Tensor();
  }
}

void Node::destroy(Node* node) noexcept {
  // A loop, not a recursion: a chain of a million nodes must not need a deep stack. Dead nodes form
  // a list through their ids' place, which nobody reads any more.
  node->id = reinterpret_cast<std::uint64_t>(graves);
  graves = node;
  if (burying) {
    return;
  }
  burying = true;
  while (graves != nullptr) {
    Node* next = graves;
    graves = reinterpret_cast<Node*>(next->id);
    bury(next);
  }
  burying = false;
}

Extras& Node::its_extras() {
  if (!extras) {
    extras = std::make_unique<Extras>();
  }
  return *extras;
}

Ref<Node> Leaf::make(Dtype dtype, const Shape& shape) {
  auto* leaf = new (allocate(sizeof(Leaf))) Leaf;
  leaf->id = next_node_id();
  leaf->output_count = 1;
  leaf->type = {dtype, shape};
  leaf->types = &leaf->type;
  return Ref<Node>(leaf);
}

}  // namespace cadena::detail
