#include <cadena/autograd/compile/listing.hpp>

namespace cadena::detail {
namespace {

const char* name_of(Origin origin) {
  switch (origin) {
    case Origin::argument:
      return "argument";
    case Origin::constant:
      return "constant";
    case Origin::cell:
      return "cell";
    case Origin::gradient:
      return "gradient";
    case Origin::draw:
      return "draw";
    case Origin::result:
      break;
  }
  return "";
}

}  // namespace

Graph Listing::graph() const {
  Graph graph;
  std::vector<Graph::Source> sources(values.size());
  const auto add = [&](std::string name, std::string attributes) -> Graph::Node& {
    Graph::Node& node = graph.nodes.emplace_back();
    node.id = static_cast<std::int64_t>(graph.nodes.size()) - 1;
    node.name = std::move(name);
    node.attributes = std::move(attributes);
    return node;
  };
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (values[v].origin != Origin::result) {
      Graph::Node& node = add(name_of(values[v].origin), fmt::format("{}", values[v].index));
      node.is_leaf = true;
      node.outputs = {values[v].type};
      sources[v] = {node.id, 0};
    }
  }
  for (const Instruction& instruction : instructions) {
    Graph::Node& node = add(instruction.op->doc().name, instruction.op->attributes());
    for (ValueIndex v : instruction.inputs) {
      node.inputs.push_back(sources[v]);
    }
    for (std::uint32_t k = 0; k < instruction.outputs.size(); ++k) {
      node.outputs.push_back(values[instruction.outputs[k]].type);
      sources[instruction.outputs[k]] = {node.id, k};
    }
  }
  for (const CellWrite& write : cell_writes) {
    std::size_t index = 0;
    while (cells[index].get() != write.cell.get()) {
      ++index;
    }
    add("assign", fmt::format("cell {}", index)).inputs = {sources[write.value]};
  }
  for (const GradientWrite& write : gradient_writes) {
    Graph::Node& node =
        add(write.value ? "set_grad" : "zero_grad",
            write.leaf.outside ? std::string() : fmt::format("argument {}", write.leaf.argument));
    if (write.value) {
      node.inputs = {sources[*write.value]};
    }
  }
  for (const Result& result : results) {
    graph.outputs.push_back(sources[result.value]);
  }
  return graph;
}

bool Guards::hold() const {
  for (const OfCell& guard : cells) {
    const CellState& cell = *guard.cell;
    if (cell.fate == Fate::destroyed) {
      fail(
          "compile: a parameter or buffer ({} {}) that the function uses was destroyed, with the "
          "model that it was a field of",
          name(guard.type.dtype), guard.type.shape);
    }
    const TensorImpl& value = *cell.value.impl();
    if (cell.fate != Fate::held || !(cell.place() == guard.place) ||
        value.dtype != guard.type.dtype || value.shape != guard.type.shape) {
      return false;
    }
  }
  for (const OfGradient& guard : gradients) {
    const Tensor gradient = gradient_of(static_cast<const Leaf&>(*guard.leaf));
    if (gradient.defined() != guard.defined) {
      return false;
    }
    if (guard.defined) {
      const TensorImpl& impl = *gradient.impl();
      if ((impl.strides != nullptr) != guard.strides.has_value() ||
          (guard.strides && *impl.strides != *guard.strides)) {
        return false;
      }
    }
  }
  for (const OfFlag& guard : flags) {
    if (guard.flag->on.load(std::memory_order_relaxed) != guard.on) {
      return false;
    }
  }
  return true;
}

}  // namespace cadena::detail
