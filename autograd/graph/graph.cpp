#include <cadena/autograd/graph/described.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <iterator>

namespace cadena {
namespace detail {

std::vector<const Node*> nodes_of(std::span<const Tensor> results) {
  boost::unordered_flat_set<const Node*> seen;
  std::vector<const Node*> nodes;
  const auto visit = [&](const Node* node) {
    if (node != nullptr && seen.insert(node).second) {
      nodes.push_back(node);
    }
  };
  for (const Tensor& result : results) {
    visit(impl_of(result, "graph_of").node.get());
  }
  for (std::size_t next = 0; next < nodes.size(); ++next) {
    for (const Edge& edge : nodes[next]->inputs()) {
      visit(edge.node.get());
    }
  }
  // Ids increase from input to output.
  std::sort(nodes.begin(), nodes.end(), [](const Node* a, const Node* b) { return a->id < b->id; });
  return nodes;
}

}  // namespace detail

Graph graph_of(std::span<const Tensor> results) {
  Graph graph;
  boost::unordered_flat_map<const detail::Node*, std::int64_t> places;
  for (const detail::Node* node : detail::nodes_of(results)) {
    const auto id = static_cast<std::int64_t>(graph.nodes.size());
    places[node] = id;
    Graph::Node& entry = graph.nodes.emplace_back();
    entry.id = id;
    entry.is_leaf = node->is_leaf();
    entry.name = entry.is_leaf ? "leaf" : node->op->doc().name;
    entry.attributes = entry.is_leaf ? std::string() : node->op->attributes();
    entry.outputs = Types(node->types, node->types + node->output_count);
    for (const detail::Edge& edge : node->inputs()) {
      entry.inputs.push_back(edge.node ? Graph::Source{places[edge.node.get()], edge.output}
                                       : Graph::Source{});
    }
  }
  for (const Tensor& result : results) {
    const detail::TensorImpl& impl = *result.impl();
    graph.outputs.push_back(impl.node ? Graph::Source{places[impl.node.get()], impl.output}
                                      : Graph::Source{});
  }
  return graph;
}

Graph graph_of(const Tensor& result) { return graph_of({&result, 1}); }

namespace {

std::string source_text(const Graph& graph, const Graph::Source& source) {
  if (source.node < 0) {
    return "constant";
  }
  const bool several = graph.nodes[static_cast<std::size_t>(source.node)].outputs.size() > 1;
  return several ? fmt::format("#{}.{}", source.node, source.output)
                 : fmt::format("#{}", source.node);
}

template <class Items, class Text> std::string listed(const Items& items, const Text& text) {
  std::string list;
  for (const auto& item : items) {
    list += (list.empty() ? "" : ", ") + text(item);
  }
  return list;
}

std::string type_text(const Type& type) {
  return fmt::format("{} {}", name(type.dtype), type.shape);
}

std::string head(const Graph::Node& node) { return detail::described(node.name, node.attributes); }

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
    }
    result += c;
  }
  return result;
}

}  // namespace

std::string Graph::text() const {
  const auto source = [this](const Source& from) { return source_text(*this, from); };
  std::string result;
  for (const Node& node : nodes) {
    fmt::format_to(std::back_inserter(result), "#{} = {}{} : {}\n", node.id, head(node),
                   node.is_leaf ? "" : fmt::format("({})", listed(node.inputs, source)),
                   listed(node.outputs, type_text));
  }
  fmt::format_to(std::back_inserter(result), "return {}", listed(outputs, source));
  return result;
}

std::string Graph::dot() const {
  std::string result = "digraph {\n  node [shape=box];\n";
  for (const Node& node : nodes) {
    fmt::format_to(std::back_inserter(result), "  n{} [label=\"#{} {}\\n{}\"{}];\n", node.id,
                   node.id, escaped(head(node)), escaped(listed(node.outputs, type_text)),
                   node.is_leaf ? ", style=rounded" : "");
  }
  for (const Node& node : nodes) {
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i].node >= 0) {
        fmt::format_to(std::back_inserter(result), "  n{} -> n{} [label=\"{}\"];\n",
                       node.inputs[i].node, node.id, i);
      }
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].node >= 0) {
      fmt::format_to(std::back_inserter(result),
                     "  r{} [label=\"result {}\", shape=plaintext];\n  n{} -> r{};\n", i, i,
                     outputs[i].node, i);
    }
  }
  return result + "}\n";
}

}  // namespace cadena
