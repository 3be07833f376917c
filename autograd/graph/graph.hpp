#pragma once

#include <cadena/autograd/graph/operator.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace cadena {

/// What was applied to make a result: a picture of the graph that can be printed, without a hold on
/// its values.
struct Graph {
  /// Where an operand comes from; node -1 is a constant, through which no gradient flows.
  struct Source {
    std::int64_t node = -1;
    std::uint32_t output = 0;
    bool operator==(const Source&) const = default;
  };
  struct Node {
    std::int64_t id = 0;     ///< Its place in `nodes`.
    std::string name;        ///< Of the operator; "leaf" for a tensor that requires a gradient.
    std::string attributes;  ///< Of the operator, for printing.
    std::vector<Source> inputs;
    Types outputs;
    bool is_leaf = false;
  };

  std::vector<Node> nodes;      ///< In topological order, leaves among them.
  std::vector<Source> outputs;  ///< Of the results asked about, in their order.

  /// One line a node.
  std::string text() const;
  /// For Graphviz: dot -Tsvg.
  std::string dot() const;
};

/// The graph that backward would walk from these tensors.
Graph graph_of(std::span<const Tensor> results);
Graph graph_of(const Tensor& result);
inline Graph graph_of(const std::vector<Tensor>& results) {
  return graph_of(std::span<const Tensor>(results));
}

namespace detail {
/// All nodes that results depend on, in topological order. They live as long as the results.
std::vector<const Node*> nodes_of(std::span<const Tensor> results);
}  // namespace detail

}  // namespace cadena

template <> struct fmt::formatter<cadena::Graph> {
  constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <class Context> auto format(const cadena::Graph& graph, Context& context) const {
    auto out = context.out();
    for (char c : graph.text()) {
      *out++ = c;
    }
    return out;
  }
};
