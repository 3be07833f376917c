#include <cadena/autograd/compile/capture.hpp>
#include <cadena/autograd/core/modes.hpp>

#include <algorithm>
#include <atomic>
#include <utility>

namespace cadena::detail {
namespace {

std::uint64_t next_capture() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

std::optional<Strides> strides_of(const TensorImpl& impl) {
  return impl.strides ? std::optional(*impl.strides) : std::nullopt;
}

Type type_of(const TensorImpl& impl) { return {impl.dtype, impl.shape}; }

}  // namespace

Capture::Capture()
    : id_(next_capture()),
      first_(next_node_id()),
      before_(std::exchange(modes().capturing, this)) {}

Capture::~Capture() { modes().capturing = before_; }

Tensor Capture::make(ListedValue value) {
  Ref<TensorImpl> impl(new TensorImpl);
  impl->dtype = value.type.dtype;
  impl->shape = value.type.shape;
  impl->storage = Symbol::make(id_, static_cast<ValueIndex>(listing_.values.size()));
  if (value.strides) {
    impl->strides = std::make_unique<Strides>(*value.strides);
  }
  listing_.values.push_back(std::move(value));
  return Tensor(std::move(impl));
}

Tensor Capture::make(Type type, Origin origin, std::size_t index, std::optional<Strides> strides) {
  return make({.type = std::move(type),
               .origin = origin,
               .index = static_cast<std::uint32_t>(index),
               .strides = std::move(strides)});
}

Tensor Capture::argument(const Tensor& given) {
  const TensorImpl& impl = *given.impl();
  const auto index = static_cast<std::uint32_t>(arguments_.size());
  arguments_.push_back(given);
  const Tensor stand_in = make(type_of(impl), Origin::argument, index, strides_of(impl));
  stand_in.impl()->number = impl.number;
  if (!impl.node) {
    return stand_in;
  }
  const Tensor leaf = stand_in.requires_grad_leaf();
  leaves_of_arguments_[leaf.impl()->node.get()] = index;
  return leaf;
}

void Capture::check_thread(const char* operation) const {
  if (std::this_thread::get_id() != thread_) {
    fail("{}: applied by another thread than the one in which compile captures the function",
         operation);
  }
}

void Capture::check_outside(const Tensor& tensor, const char* operation) const {
  const Node* node = tensor.impl()->node.get();
  if (node != nullptr && !node->is_leaf() && !made_inside(*node)) {
    fail(
        "compile: {} is applied to a tensor from outside of the function ({} {}) that {} made, and "
        "a "
        "gradient would flow out of the program; pass the tensor as an argument, or detach it",
        operation, name(tensor.dtype()), tensor.shape(), node->op->doc().name);
  }
}

namespace {

/// Tells a tensor of one element, be it repeated, from others: the numbers of a formula, which are
/// a tensor of their own each time. Empty for other tensors.
std::string key_of_number(const TensorImpl& impl) {
  const std::int64_t count = numel(impl.shape);
  if (count == 0 || (count > 1 && !impl.strides) || impl.node) {
    return {};  // a leaf is not another one of the same value
  }
  std::string key{static_cast<char>(impl.dtype), impl.strides ? 's' : 'c'};
  for (int axis = 0; axis < impl.shape.size(); ++axis) {
    if (impl.shape[axis] > 1 && (*impl.strides)[axis] != 0) {
      return {};
    }
    key += fmt::format("{},", impl.shape[axis]);
  }
  return key.append(reinterpret_cast<const char*>(impl.data), size_of(impl.dtype));
}

}  // namespace

ValueIndex Capture::index_of(const Tensor& tensor) {
  const TensorImpl& impl = *tensor.impl();
  if (const Symbol* symbol = symbol_of(impl)) {
    return symbol->value;
  }
  const auto [found, fresh] = constants_.try_emplace(&impl, 0);
  if (!fresh) {
    return found->second;
  }
  const std::string key = key_of_number(impl);
  const auto equal = key.empty() ? numbers_.end() : numbers_.find(key);
  if (equal != numbers_.end()) {
    found->second = equal->second;
    listing_.constants.push_back(tensor);  // kept, so that no other tensor gets its address
  } else {
    listing_.constants.push_back(tensor);  // kept, so that no other tensor gets its address
    found->second = symbol_of(*make(type_of(impl), Origin::constant, listing_.constants.size() - 1,
                                    strides_of(impl))
                                   .impl())
                        ->value;
    if (!key.empty()) {
      numbers_.emplace(key, found->second);
    }
  }
  return found->second;
}

Tensors Capture::apply(const OperatorRef& op, std::span<const Tensor* const> inputs) {
  check_thread(op->doc().name);
  const bool recording = modes().grad_enabled;
  bool captured = false;
  for (const Tensor* input : inputs) {
    if (symbol_of(*input->impl()) != nullptr) {
      captured = true;
    } else if (recording) {
      check_outside(*input, op->doc().name);
    }
  }
  if (!captured) {
    return run_operator(*op, inputs);
  }
  Instruction instruction{op, {}, {}, {}, region_};
  SmallVector<Type, 4> types;
  for (const Tensor* input : inputs) {
    instruction.inputs.push_back(index_of(*input));
    instruction.flows.push_back(recording && input->requires_grad());
    types.push_back(type_of(*input->impl()));
  }
  Tensors outputs;
  const std::size_t index = listing_.instructions.size();
  if (op->is_view()) {
    if (inputs.size() != 1) {
      fail("{}: expected 1 input, got {}", op->doc().name, inputs.size());
    }
    const TensorImpl& input = *inputs[0]->impl();
    Layout layout = op->view(
        {input.shape, input.strides ? *input.strides : contiguous_strides(input.shape), 0});
    check_shape(layout.shape, "tensor");
    const bool contiguous = is_contiguous(layout.shape, layout.strides);
    outputs.push_back(make({input.dtype, layout.shape}, Origin::result, index,
                           contiguous ? std::nullopt : std::optional(layout.strides)));
  } else {
    for (Type& type : op->infer(types)) {
      outputs.push_back(make(std::move(type), Origin::result, index));
    }
  }
  for (std::uint32_t k = 0; k < outputs.size(); ++k) {
    const ValueIndex value = index_of(outputs[k]);
    listing_.values[value].output = k;
    instruction.outputs.push_back(value);
  }
  listing_.instructions.push_back(std::move(instruction));
  return outputs;
}

Capture::Held& Capture::held(const CellState& cell) {
  check_thread("compile");
  if (const auto found = cells_.find(&cell); found != cells_.end()) {
    return found->second;
  }
  const Type type = type_of(*cell.value.impl());
  const Ref<CellState> shared = Ref<CellState>::share(const_cast<CellState*>(&cell));
  guards_.cells.push_back({shared, type, cell.place()});
  listing_.cells.push_back(shared);
  const Tensor symbol = make(type, Origin::cell, listing_.cells.size() - 1);
  const Tensor placed(with_node(*symbol.impl(), cell.place(), 0));
  return cells_.emplace(&cell, Held{placed, placed}).first->second;
}

const Tensor& Capture::value(const CellState& cell) { return held(cell).now; }
void Capture::put(const CellState& cell, Tensor value) { held(cell).now = std::move(value); }

Capture::HeldLeaf& Capture::held(const Leaf& leaf) {
  check_thread("compile");
  if (const auto found = leaves_.find(&leaf); found != leaves_.end()) {
    return found->second;
  }
  HeldLeaf place;
  place.leaf = Ref<Node>::share(const_cast<Leaf*>(&leaf));
  Listing::LeafOf of{place.leaf, 0};
  Tensor given;
  if (const auto argument = leaves_of_arguments_.find(&leaf);
      argument != leaves_of_arguments_.end()) {
    of = {nullptr, argument->second};
    if (Leaf* own = as_leaf(arguments_[of.argument].impl()->node.get())) {
      given = gradient_of(*own);
    }
  } else if (!made_inside(leaf)) {
    given = gradient_of(leaf);
    guards_.gradients.push_back(
        {place.leaf, given.defined(), given.defined() ? strides_of(*given.impl()) : std::nullopt});
  }
  if (given.defined()) {
    listing_.gradients.push_back(of);
    place.before = place.now = make(type_of(*given.impl()), Origin::gradient,
                                    listing_.gradients.size() - 1, strides_of(*given.impl()));
  }
  order_of_leaves_.push_back(&leaf);
  return leaves_.emplace(&leaf, std::move(place)).first->second;
}

Tensor Capture::gradient(const Leaf& leaf) { return held(leaf).now; }
void Capture::put_gradient(const Leaf& leaf, Tensor gradient) {
  held(leaf).now = std::move(gradient);
}

std::optional<std::size_t> Capture::find(const Generator& generator) const {
  const auto found =
      std::find_if(listing_.generators.begin(), listing_.generators.end(),
                   [&](const Listing::Draws& draws) { return draws.generator == generator; });
  return found == listing_.generators.end()
             ? std::nullopt
             : std::optional(static_cast<std::size_t>(found - listing_.generators.begin()));
}

Tensor Capture::draw(const Generator& generator) {
  const std::uint64_t offset = draws(generator);
  set_draws(generator, offset + 1);
  const std::size_t index = *find(generator);
  std::uint64_t& count = listing_.generators[index].count;
  count = std::max(count, offset + 1);
  listing_.draws.push_back({static_cast<std::uint32_t>(index), offset});
  return make({Dtype::int64, {2}}, Origin::draw, listing_.draws.size() - 1);
}

std::uint64_t Capture::draws(const Generator& generator) const {
  const std::optional<std::size_t> index = find(generator);
  return index ? drawn_[*index] : 0;
}

void Capture::set_draws(const Generator& generator, std::uint64_t draws) {
  if (const std::optional<std::size_t> index = find(generator)) {
    drawn_[*index] = draws;
    return;
  }
  listing_.generators.push_back({generator, 0});
  drawn_.push_back(draws);
}

void Capture::look(const Ref<FlagState>& flag) {
  const auto same = [&](const Guards::OfFlag& guard) { return guard.flag == flag; };
  if (std::none_of(guards_.flags.begin(), guards_.flags.end(), same)) {
    guards_.flags.push_back({flag, flag->on.load(std::memory_order_relaxed)});
  }
}

std::string Capture::maker(ValueIndex value) const {
  const ListedValue& made = listing_.values[value];
  switch (made.origin) {
    case Origin::argument:
      return fmt::format("the caller, argument {}", made.index);
    case Origin::cell:
      return "a parameter, a buffer or an optimizer's state";
    case Origin::gradient:
      return "backward";
    case Origin::result:
      return listing_.instructions[made.index].op->doc().name;
    default:
      return "the caller";
  }
}

Listing::Result Capture::result(const Tensor& tensor) {
  check_capture(impl_of(tensor, "compile"), "compile");
  const ValueIndex value = index_of(tensor);
  const Ref<Node>& node = tensor.impl()->node;
  if (!node || listing_.values[value].origin == Origin::constant) {
    return {value};
  }
  if (!node->is_leaf()) {
    return {value, node->released ? Place::released : Place::graph};
  }
  if (leaves_of_arguments_.contains(node.get())) {
    return {value, Place::argument};
  }
  if (!made_inside(*node)) {
    return {value, Place::leaf, node};
  }
  if (const auto found = leaves_.find(node.get());
      found != leaves_.end() && found->second.changed()) {
    fail(
        "compile: the function returns a leaf ({} {}) that it made itself and that got a gradient; "
        "return the gradient, or pass the leaf as an argument",
        name(tensor.dtype()), tensor.shape());
  }
  return {value, Place::fresh};
}

Listing Capture::finish(std::span<const Tensor> results) {
  for (const Tensor& tensor : results) {
    listing_.results.push_back(result(tensor));
  }
  for (std::size_t i = 0; i < listing_.cells.size(); ++i) {
    const Held& held = cells_.at(listing_.cells[i].get());
    if (held.changed()) {
      listing_.cell_writes.push_back({listing_.cells[i], index_of(held.now)});
    }
  }
  for (const Node* leaf : order_of_leaves_) {
    const HeldLeaf& held = leaves_.at(leaf);
    if (!held.changed()) {
      continue;
    }
    Listing::GradientWrite write{{held.leaf, 0}, std::nullopt};
    if (const auto found = leaves_of_arguments_.find(leaf); found != leaves_of_arguments_.end()) {
      write.leaf = {nullptr, found->second};
      if (!arguments_[found->second].is_leaf()) {
        fail(
            "compile: backward reaches argument {} of the function, which is no leaf: its gradient "
            "belongs to the graph outside. Call backward there, or pass a detached tensor",
            found->second);
      }
    } else if (made_inside(*leaf)) {
      continue;  // gone with the function
    }
    if (held.now.defined()) {
      write.value = index_of(held.now);
    }
    listing_.gradient_writes.push_back(std::move(write));
  }
  return std::move(listing_);
}

}  // namespace cadena::detail
