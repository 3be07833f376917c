#include <cadena/autograd/compile/derivative.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/layout.hpp>

namespace cadena::detail {
namespace {

/// Runs a listing operator by operator from its origins, each recorded as it was.
std::vector<Tensor> values_of(const Listing& listing, std::vector<Tensor> origins) {
  std::vector<Tensor> values(listing.values.size());
  std::size_t next = 0;
  for (std::size_t v = 0; v < values.size(); ++v) {
    if (listing.values[v].origin != Origin::result) {
      values[v] = std::move(origins[next++]);
    }
  }
  for (const Instruction& instruction : listing.instructions) {
    SmallVector<Tensor, 4> inputs;
    SmallVector<const Tensor*, 4> pointers;
    inputs.reserve(instruction.inputs.size());
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
      const Tensor& input = values[instruction.inputs[k]];
      inputs.push_back(instruction.flows[k] ? input : input.detach());
      pointers.push_back(&inputs.back());
    }
    const Tensors outputs = bind(instruction.op, {pointers.data(), pointers.size()});
    for (std::size_t k = 0; k < instruction.outputs.size(); ++k) {
      values[instruction.outputs[k]] = outputs[k];
    }
  }
  return values;
}

class CompiledFunction final : public Operator {
 public:
  CompiledFunction(std::shared_ptr<const Listing> listing, std::vector<ValueIndex> results)
      : listing_(std::move(listing)), results_(std::move(results)) {}

  const Doc& doc() const noexcept override {
    static constexpr Doc text{"compiled", "what the compiled function computes"};
    return text;
  }
  Keep keep() const noexcept override { return Keep::inputs; }
  bool strided() const noexcept override { return true; }
  bool in_place() const noexcept override { return false; }
  bool is_view() const noexcept override { return false; }
  Layout view(const Layout&) const override { fail("compiled: not a view"); }
  Types infer(std::span<const Type>) const override { fail("compiled: made by compile alone"); }
  void run(Inputs, Outputs) const override { fail("compiled: made by compile alone"); }
  TileCall tiles(Dtype) const override { return {}; }
  std::int64_t rows(std::span<const Type>) const override { return 0; }
  bool equals(const Operator& other) const override { return this == &other; }
  std::string attributes() const override { return {}; }

  Gradients vjp(const Backward& b) const override {
    const bool recording = modes().grad_enabled;
    const EnableGrad enable;
    std::vector<Tensor> origins, targets, outputs, upstream;
    std::vector<std::size_t> positions;
    for (int k = 0; k < b.inputs(); ++k) {
      Tensor input = b.in(k);
      if (b.needs(k)) {
        input = recording ? reshape(input, input.shape()) : input.detach().requires_grad_leaf();
        targets.push_back(input);
        positions.push_back(static_cast<std::size_t>(k));
      } else {
        input = input.detach();
      }
      origins.push_back(std::move(input));
    }
    const std::vector<Tensor> values = values_of(*listing_, std::move(origins));
    for (std::size_t i = 0; i < results_.size(); ++i) {
      outputs.push_back(values[results_[i]]);
      upstream.push_back(b.grad(static_cast<int>(i)));
    }
    Gradients gradients(static_cast<std::size_t>(b.inputs()));
    const std::vector<Tensor> found =
        partial_grad(outputs, targets, upstream, {.create_graph = recording, .allow_unused = true});
    for (std::size_t i = 0; i < found.size(); ++i) {
      gradients[positions[i]] = found[i];
    }
    return gradients;
  }

 private:
  std::shared_ptr<const Listing> listing_;
  std::vector<ValueIndex> results_;
};

}  // namespace

void connect_to_program(const std::shared_ptr<const Listing>& listing,
                        std::span<const Tensor> origins, Tensors& results) {
  std::vector<ValueIndex> values;
  std::vector<Tensor> outputs;
  std::vector<const Tensor*> inputs;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (listing->results[i].place == Place::graph) {
      values.push_back(listing->results[i].value);
      outputs.push_back(results[i]);
    }
  }
  for (const Tensor& origin : origins) {
    inputs.push_back(&origin);
  }
  const Ref<Node> node =
      Node::make(OperatorRef(new CompiledFunction(listing, values)), inputs, outputs);
  std::uint32_t output = 0;
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (listing->results[i].place == Place::graph) {
      results[i] = Tensor(with_node(*results[i].impl(), node, output++));
    }
  }
}

const Ref<Node>& released_node() {
  static const Ref<Node> node = [] {
    const Tensor leaf = zeros({1}).requires_grad_leaf();
    const Tensor* input = &leaf;
    const Ref<Node> made =
        Node::make(OperatorRef(new CompiledFunction(std::make_shared<const Listing>(), {})),
                   {&input, 1}, {&leaf, 1});
    made->release();
    made->released = true;
    return made;
  }();
  return node;
}

}  // namespace cadena::detail
