#pragma once

#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/graph/operator.hpp>

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace cadena::detail {

/// Where a gradient goes: an output of a node.
struct Edge {
  Ref<Node> node;
  std::uint32_t output = 0;
};

/// A function on a finished gradient; what it returns (if defined) takes its place.
struct Hook {
  std::uint64_t id;
  std::uint32_t output;
  std::function<Tensor(const Tensor&)> function;
};

struct Trace;

/// What few nodes have.
struct Extras {
  std::vector<Hook> hooks;
  std::shared_ptr<const Trace> trace;  ///< Where it was made: anomaly.cpp.
};

/// One application of an operator, or (without one) a leaf. Ids increase, so descending ids are an
/// order in which every consumer comes before what it consumes. Edges, kept values and output types
/// follow the node in its block.
struct Node : Counted {
  bool released = false;  ///< Kept values are gone after a backward.
  std::uint32_t input_count = 0;
  std::uint32_t output_count = 0;
  std::uint64_t id = 0;
  OperatorRef op;                 ///< Null for a leaf.
  Edge* edges = nullptr;          ///< One an input; a null node where no gradient flows.
  Tensor* kept_inputs = nullptr;  ///< Null if the operator does not keep them.
  Tensor* kept_outputs =
      nullptr;            ///< Without their place in the graph, or they would own the node.
  Type* types = nullptr;  ///< Of the outputs.
  std::unique_ptr<Extras> extras;  ///< Null for most.

  static Ref<Node> make(const OperatorRef& op, std::span<const Tensor* const> inputs,
                        std::span<const Tensor> outputs);
  static void destroy(Node* node) noexcept;
  void release() noexcept;

  bool is_leaf() const noexcept { return !op; }
  /// Those of the node, made if there are none.
  Extras& its_extras();
  std::span<const Edge> inputs() const noexcept { return {edges, input_count}; }
};

/// A leaf keeps the gradient that `backward` gathers.
struct Leaf : Node {
  Type type;
  Tensor gradient;
  static Ref<Node> make(Dtype dtype, const Shape& shape);
};

/// The gradient that a leaf has, undefined if there is none.
Tensor gradient_of(const Leaf& leaf);
/// Puts a gradient (or none) in the place of the one that a leaf has.
void put_gradient(Leaf& leaf, Tensor gradient);

inline Leaf* as_leaf(Node* node) noexcept {
  return node != nullptr && node->is_leaf() ? static_cast<Leaf*>(node) : nullptr;
}

/// The next id of a node.
std::uint64_t next_node_id() noexcept;

}  // namespace cadena::detail
