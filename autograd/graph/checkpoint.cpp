#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/generator.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/observer.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>

namespace cadena {
namespace {

using detail::Edge;
using detail::Node;
using detail::Ref;

using Function = std::function<Tensor(std::span<const Tensor>)>;

/// Where the default generator is; while a function is captured, how far that has drawn from it.
GeneratorState random_state() {
  const detail::Capturing* capturing = modes().capturing;
  return capturing == nullptr ? default_generator().state()
                              : GeneratorState{0, capturing->draws(default_generator())};
}

void set_random_state(const GeneratorState& state) {
  if (detail::Capturing* capturing = modes().capturing; capturing != nullptr) {
    capturing->set_draws(default_generator(), state.counter);
  } else {
    default_generator().set_state(state);
  }
}

/// While it lives, what was computed is computed again: the default generator is where it was, and
/// a capture does not take the one for the other.
class Again {
 public:
  explicit Again(const GeneratorState& state) : before_(random_state()) {
    set_random_state(state);
    if (capturing_ != nullptr) {
      region_ = capturing_->set_region(capturing_->new_region());
    }
  }
  ~Again() {
    if (capturing_ != nullptr) {
      capturing_->set_region(region_);
    }
    set_random_state(before_);
  }
  Again(const Again&) = delete;
  Again& operator=(const Again&) = delete;

 private:
  GeneratorState before_;
  detail::Capturing* capturing_ = modes().capturing;
  std::uint32_t region_ = 0;
};

/// The places outside of f that its result depends on: edges from nodes made after `first` to older
/// ones. As tensors without a value.
std::vector<Tensor> captured(const Tensor& result, std::uint64_t first) {
  std::vector<Tensor> places;
  boost::unordered_flat_set<const Node*> seen;
  std::vector<const Node*> stack;
  const auto visit = [&](const Edge& edge) {
    if (!edge.node || (edge.node->is_leaf() && edge.node->id > first)) {
      return;
    }
    if (edge.node->id > first) {
      if (seen.insert(edge.node.get()).second) {
        stack.push_back(edge.node.get());
      }
      return;
    }
    const auto same = [&](const Tensor& place) {
      return place.impl()->node == edge.node && place.impl()->output == edge.output;
    };
    if (std::none_of(places.begin(), places.end(), same)) {
      Ref<detail::TensorImpl> place(new detail::TensorImpl);
      const Type& type = edge.node->types[edge.output];
      place->dtype = type.dtype;
      place->shape = type.shape;
      place->node = edge.node;
      place->output = edge.output;
      places.emplace_back(std::move(place));
    }
  };
  visit({result.impl()->node, result.impl()->output});
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    for (const Edge& edge : node->inputs()) {
      visit(edge);
    }
  }
  return places;
}

class Checkpoint final : public Operator {
 public:
  Checkpoint(Function f, std::size_t inputs, std::vector<Tensor> places, GeneratorState state)
      : f_(std::move(f)), inputs_(inputs), places_(std::move(places)), state_(state) {}

  const Doc& doc() const noexcept override {
    static constexpr Doc text{"checkpoint", "f(x), computed again in the backward pass"};
    return text;
  }
  Keep keep() const noexcept override {
    return {inputs_ >= 31 ? ~std::uint32_t{0} : (std::uint32_t{1} << inputs_) - 1, false};
  }
  bool strided() const noexcept override { return true; }
  bool in_place() const noexcept override { return false; }
  bool is_view() const noexcept override { return false; }
  Layout view(const Layout&) const override { fail("checkpoint: not a view"); }
  Types infer(std::span<const Type>) const override {
    fail("checkpoint: made by checkpoint alone");
  }
  void run(Inputs, Outputs) const override { fail("checkpoint: made by checkpoint alone"); }
  TileCall tiles(Dtype) const override { return {}; }
  std::int64_t rows(std::span<const Type>) const override { return 0; }
  bool equals(const Operator& other) const override { return this == &other; }
  std::string attributes() const override { return {}; }

  Gradients vjp(const Backward& b) const override {
    const bool recording = modes().grad_enabled;
    std::vector<Tensor> inputs, targets;
    std::vector<int> positions;
    for (int k = 0; k < static_cast<int>(inputs_); ++k) {
      Tensor input = b.in(k);
      if (b.needs(k)) {
        const EnableGrad enable;
        input = recording ? reshape(input, input.shape()) : input.detach().requires_grad_leaf();
        targets.push_back(input);
        positions.push_back(k);
      }
      inputs.push_back(input);
    }
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const int k = static_cast<int>(inputs_ + i);
      if (b.needs(k)) {
        targets.push_back(places_[i]);
        positions.push_back(k);
      }
    }
    Tensor result;
    {
      const EnableGrad enable;
      const Again again(state_);
      result = f_(inputs);
    }
    Gradients gradients(static_cast<std::size_t>(b.inputs()));
    if (!result.requires_grad()) {
      return gradients;
    }
    const Tensor upstream = b.grad();
    // Not further than the targets: what lies behind them is for the pass outside.
    const std::vector<Tensor> found = detail::partial_grad(
        {&result, 1}, targets, {&upstream, 1}, {.create_graph = recording, .allow_unused = true});
    for (std::size_t i = 0; i < found.size(); ++i) {
      gradients[static_cast<std::size_t>(positions[i])] = found[i];
    }
    return gradients;
  }

 private:
  Function f_;
  std::size_t inputs_;
  std::vector<Tensor> places_;
  GeneratorState state_;
};

}  // namespace

Tensor checkpoint(const Function& f, const std::vector<Tensor>& inputs) {
  for (const Tensor& input : inputs) {
    detail::impl_of(input, "checkpoint");
  }
  if (!modes().grad_enabled) {
    return f(inputs);
  }
  const GeneratorState state = random_state();
  const std::uint64_t first = detail::next_node_id();
  std::vector<Tensor> places;
  Tensor value;
  {
    // Stand-ins for the inputs, so that what f captures can be told from what it is given.
    std::vector<Tensor> given;
    for (const Tensor& input : inputs) {
      given.push_back(input.requires_grad() ? input.detach().requires_grad_leaf() : input);
    }
    const Tensor result = f(given);
    detail::impl_of(result, "checkpoint");
    if (!result.requires_grad()) {
      return result;
    }
    places = captured(result, first);
    value = result.detach();
  }
  std::vector<const Tensor*> sources;
  for (const Tensor& input : inputs) {
    sources.push_back(&input);
  }
  for (const Tensor& place : places) {
    sources.push_back(&place);
  }
  const OperatorRef op(new Checkpoint(f, inputs.size(), places, state));
  const Ref<Node> node = Node::make(op, sources, {&value, 1});
  if (detail::Observer* observer = modes().observer; observer != nullptr) {
    observer->recorded(*node);
  }
  return Tensor(with_node(*value.impl(), node, 0));
}

}  // namespace cadena
