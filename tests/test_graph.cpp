#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include "test.hpp"

#include <algorithm>

using namespace cadena;

namespace {

Tensor variable(const Shape& shape) {
  return ones(shape, {.dtype = float64, .requires_grad = true});
}

}  // namespace

TEST_CASE("a graph lists its nodes in topological order") {
  const Tensor x = variable({2, 3}), y = variable({3});
  const Tensor result = sum(sin(x * y), {1});
  const Graph graph = graph_of(result);
  std::vector<std::string> names;
  for (const Graph::Node& node : graph.nodes) {
    names.push_back(node.name);
    CHECK(node.id == &node - graph.nodes.data());
    for (const Graph::Source& source : node.inputs) {
      CHECK(source.node < node.id);
    }
  }
  CHECK(names == std::vector<std::string>{"leaf", "leaf", "expand", "multiply", "sin", "sum"});
  CHECK(graph.nodes[0].is_leaf);
  CHECK(graph.nodes[0].outputs[0] == Type{float64, {2, 3}});
  CHECK(graph.nodes[2].attributes == "[2, 3]");
  CHECK(graph.nodes[3].inputs == std::vector<Graph::Source>{{0, 0}, {2, 0}});
  CHECK(graph.nodes[5].outputs[0] == Type{float64, {2}});
  CHECK(graph.outputs == std::vector<Graph::Source>{{5, 0}});
}

TEST_CASE("a graph prints as text and as DOT") {
  const Tensor x = variable({2});
  const Graph graph = graph_of(exp(x) * 3.0);
  const std::string text = fmt::format("{}", graph);
  CHECK(text.find("#0 = leaf : float64 [2]\n#1 = exp(#0) : float64 [2]\n") == 0);
  CHECK(text.find("(#1, constant) : float64 [2]\n") != std::string::npos);
  CHECK(text.find("return #2") != std::string::npos);
  const std::string dot = graph.dot();
  CHECK(dot.find("digraph {") == 0);
  CHECK(dot.find("n0 -> n1 [label=\"0\"];") != std::string::npos);
  CHECK(dot.find("n1 [label=\"#1 exp\\nfloat64 [2]\"];") != std::string::npos);
  CHECK(dot.find("n2 -> r0;") != std::string::npos);
  CHECK(std::count(dot.begin(), dot.end(), '{') == std::count(dot.begin(), dot.end(), '}'));
}

TEST_CASE("a graph of several results shares their nodes, and of constants has none") {
  const Tensor x = variable({2});
  const Tensor y = exp(x);
  const Graph graph = graph_of({y, sin(y), ones({2})});
  CHECK(graph.nodes.size() == 3);
  CHECK(graph.outputs == std::vector<Graph::Source>{{1, 0}, {2, 0}, {-1, 0}});
  CHECK(graph_of(ones({2})).text() == "return constant");
  CHECK_THROWS_AS(graph_of(Tensor()), Error);
}

TEST_CASE("a graph of a gradient holds forward and backward") {
  const Tensor x = variable({2});
  const Tensor gradient = grad(sum(exp(x) * x), {x}, {.create_graph = true})[0];
  const Graph graph = graph_of(gradient);
  const auto count = [&](const std::string& name) {
    return std::ranges::count(graph.nodes, name, &Graph::Node::name);
  };
  CHECK(count("leaf") == 1);
  CHECK(count("exp") >= 1);
  CHECK(count("multiply") >= 1);
}

TEST_CASE("the graph of a long chain is read without recursion") {
  Tensor y = variable({});
  for (int i = 0; i < 200000; ++i) {
    y = y * 1.0;
  }
  CHECK(graph_of(y).nodes.size() == 200001);
}
