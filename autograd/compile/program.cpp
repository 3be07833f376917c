#include <cadena/autograd/compile/derivative.hpp>
#include <cadena/autograd/compile/passes.hpp>
#include <cadena/autograd/compile/program.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/operand.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/kernels/tiles.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <shared_mutex>
#include <utility>

namespace cadena::detail {
namespace {

/// Held by programs that change cells or gradients while they run, shared by others while they look
/// which values cells hold.
std::shared_mutex cells_mutex;

Listing optimized(Listing listing) {
  listing = without_dead_code(std::move(listing));
  listing = with_contiguous_operands(std::move(listing));
  listing = with_common_subexpressions(std::move(listing));
  listing = with_fused_groups(std::move(listing));
  return with_updates_last(std::move(listing));
}

}  // namespace

Ref<Storage> ArenaPool::take(std::size_t bytes) {
  Ref<Storage> arena;
  {
    const std::lock_guard lock(mutex_);
    if (!free_.empty()) {
      arena = std::move(free_.back());
      free_.pop_back();
    }
  }
  return arena && arena->bytes >= bytes ? arena : Storage::make(bytes);
}

void ArenaPool::give_back(Ref<Storage> arena) {
  const std::lock_guard lock(mutex_);
  free_.push_back(std::move(arena));
}

/// The operands of all instructions, which point to values that are put in place for each run.
struct Program::Frame {
  struct Step {
    const Operator* op;
    TileCall tiles;  // of an elementwise operator
    std::uint32_t first_input, inputs, first_output, outputs;
  };
  /// A value that lies in memory which is not at the same place in each run.
  struct View {
    TensorImpl* view;
    const TensorImpl* home;
    std::int64_t offset;  // bytes
  };

  std::vector<Ref<TensorImpl>> values;
  std::vector<Step> steps;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::vector<View> views;
  std::vector<std::array<std::int64_t, 2>> draws;
  const std::byte* arena = nullptr;  // where values were put last
};

Program::Program(Listing captured, std::shared_ptr<ArenaPool> arenas)
    : captured_(std::make_shared<const Listing>(std::move(captured))),
      listing_(detail::optimized(*captured_)),
      plan_(plan_memory(listing_)),
      arenas_(std::move(arenas)),
      writes_(!listing_.cell_writes.empty() || !listing_.gradient_writes.empty()) {
  for (ValueIndex v = 0; v < listing_.values.size(); ++v) {
    const ListedValue& value = listing_.values[v];
    switch (value.origin) {
      case Origin::argument:
        arguments_.emplace_back(v, value.index);
        break;
      case Origin::cell:
        cells_.emplace_back(v, value.index);
        break;
      case Origin::gradient:
        gradients_.emplace_back(v, value.index);
        break;
      case Origin::draw:
        draws_.emplace_back(v, value.index);
        break;
      case Origin::constant:
      case Origin::result:
        break;
    }
  }
}

Program::~Program() = default;

std::unique_ptr<Program::Frame> Program::make_frame() const {
  auto frame = std::make_unique<Frame>();
  frame->draws.resize(listing_.draws.size());
  for (ValueIndex v = 0; v < listing_.values.size(); ++v) {
    const ListedValue& value = listing_.values[v];
    if (value.origin == Origin::constant) {
      frame->values.push_back(listing_.constants[value.index].impl());
      continue;
    }
    Ref<TensorImpl>& impl = frame->values.emplace_back(new TensorImpl);
    impl->dtype = value.type.dtype;
    impl->shape = value.type.shape;
    if (value.strides) {
      impl->strides = std::make_unique<Strides>(*value.strides);
    }
    if (value.origin == Origin::draw) {
      impl->data = reinterpret_cast<std::byte*>(frame->draws[value.index].data());
    }
  }
  for (const Instruction& instruction : listing_.instructions) {
    if (instruction.op->is_view()) {
      const ValueIndex v = instruction.outputs[0];
      const MemoryPlan::Place& place = plan_.places[v];
      frame->views.push_back(
          {frame->values[v].get(), frame->values[place.home].get(),
           place.offset * static_cast<std::int64_t>(size_of(listing_.values[v].type.dtype))});
      continue;
    }
    Frame::Step step{instruction.op.get(),
                     {},
                     static_cast<std::uint32_t>(frame->inputs.size()),
                     static_cast<std::uint32_t>(instruction.inputs.size()),
                     static_cast<std::uint32_t>(frame->outputs.size()),
                     static_cast<std::uint32_t>(instruction.outputs.size())};
    for (ValueIndex v : instruction.inputs) {
      frame->inputs.emplace_back(frame->values[v].get());
    }
    for (ValueIndex v : instruction.outputs) {
      frame->outputs.emplace_back(frame->values[v].get());
    }
    if (!instruction.inputs.empty()) {
      step.tiles = instruction.op->tiles(frame->inputs.back().dtype());
    }
    frame->steps.push_back(step);
  }
  return frame;
}

std::unique_ptr<Program::Frame> Program::take_frame() {
  {
    const std::lock_guard lock(mutex_);
    if (!frames_.empty()) {
      std::unique_ptr<Frame> frame = std::move(frames_.back());
      frames_.pop_back();
      return frame;
    }
  }
  return make_frame();
}

/// One run: what it reads is held, what it makes is put into its places at the end.
class Program::Run {
 public:
  Run(Program& program, std::span<const Tensor* const> arguments)
      : program_(program),
        listing_(program.listing_),
        arguments_(arguments),
        frame_(program.take_frame()),
        arena_(program.arenas_->take(program.plan_.arena_bytes)) {}
  ~Run() {
    for (std::size_t i = 0; i < draws_.size(); ++i) {
      listing_.generators[i].generator.give_back(draws_[i], listing_.generators[i].count);
    }
    release();
    program_.arenas_->give_back(std::move(arena_));
    const std::lock_guard lock(program_.mutex_);
    program_.frames_.push_back(std::move(frame_));
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  /// Takes hold of what cells, leaves and generators have at the start.
  void hold() {
    for (const auto& [v, index] : program_.arguments_) {
      frame_->values[v]->data = arguments_[index]->impl()->data;
    }
    for (const auto& [v, index] : program_.cells_) {
      const Tensor& now = listing_.cells[index]->value;
      frame_->values[v]->data = now.impl()->data;
      if (!program_.writes_) {
        cells_.push_back(now);
      }
    }
    for (const auto& [v, index] : program_.gradients_) {
      gradients_.push_back(gradient_of(leaf(listing_.gradients[index])));
      frame_->values[v]->data = gradients_.back().impl()->data;
    }
    for (const Listing::Draws& draws : listing_.generators) {
      draws_.push_back(draws.generator.next(draws.count));
    }
    for (const auto& [v, index] : program_.draws_) {
      const Listing::Draw& draw = listing_.draws[index];
      const GeneratorState& state = draws_[draw.generator];
      frame_->draws[index] = {std::bit_cast<std::int64_t>(state.seed),
                              std::bit_cast<std::int64_t>(state.counter + draw.offset)};
    }
  }

  /// Computes, then puts into its places what has changed.
  Tensors finish() {
    place();
    // All tensors are made before anything is computed, so that only kernels can fail.
    Tensors results;
    for (const Listing::Result& result : listing_.results) {
      results.push_back(given(result));
    }
    connect(results);
    std::vector<Tensor> cells, gradients;
    for (const Listing::CellWrite& write : listing_.cell_writes) {
      cells.push_back(is_over(write.value) ? Tensor() : tensor(write.value, write.cell->place()));
    }
    for (const Listing::GradientWrite& write : listing_.gradient_writes) {
      gradients.push_back(write.value ? tensor(*write.value, nullptr) : Tensor());
    }
    compute();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].defined()) {
        std::swap(listing_.cell_writes[i].cell->value, cells[i]);
      }
    }
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      put_gradient(leaf(listing_.gradient_writes[i].leaf), std::move(gradients[i]));
    }
    draws_.clear();
    return results;
  }

 private:
  Leaf& leaf(const Listing::LeafOf& of) const {
    Node* node = of.outside ? of.outside.get() : arguments_[of.argument]->impl()->node.get();
    return static_cast<Leaf&>(*node);
  }

  void place() {
    if (frame_->arena != arena_->data) {
      frame_->arena = arena_->data;
      for (const MemoryPlan::InArena& value : program_.plan_.arena) {
        frame_->values[value.value]->data = arena_->data + value.offset;
      }
    }
    for (ValueIndex v : program_.plan_.fresh) {
      make_memory(*frame_->values[v]);
    }
    for (const MemoryPlan::OverCell& over : program_.plan_.over) {
      TensorImpl& value = *frame_->values[over.value];
      const Ref<TensorImpl>& old = over.cell->value.impl();
      // The caller's own memory (`adopt`) is never written to.
      if (old.unique() && old->storage.unique() && old->storage->release == nullptr) {
        value.data = old->data;
      } else {
        make_memory(value);
      }
    }
    for (const Frame::View& view : frame_->views) {
      view.view->data = view.home->data + view.offset;
    }
  }

  static void make_memory(TensorImpl& value) {
    value.storage =
        Storage::make(static_cast<std::size_t>(numel(value.shape)) * size_of(value.dtype));
    value.data = value.storage->data;
  }

  void release() noexcept {
    for (ValueIndex v : program_.plan_.fresh) {
      frame_->values[v]->storage = nullptr;
    }
    for (const MemoryPlan::OverCell& over : program_.plan_.over) {
      frame_->values[over.value]->storage = nullptr;
    }
  }

  bool is_over(ValueIndex v) const {
    return !frame_->values[v]->storage && program_.plan_.places[v].home == v &&
           listing_.values[v].origin == Origin::result;
  }

  void compute() {
    for (const Frame::Step& step : frame_->steps) {
      const Inputs in(frame_->inputs.data() + step.first_input, step.inputs);
      const Outputs out(frame_->outputs.data() + step.first_output, step.outputs);
      if (step.tiles.kernel != nullptr) {
        kernels::run_tiles(step.tiles.kernel, step.tiles.functor, in, out);
      } else {
        step.op->run(in, out);
      }
    }
  }

  const Ref<Storage>& storage_of(ValueIndex v) const {
    const ValueIndex home = program_.plan_.places[v].home;
    const ListedValue& value = listing_.values[home];
    switch (value.origin) {
      case Origin::argument:
        return arguments_[value.index]->impl()->storage;
      case Origin::cell:
        return cell(value.index).impl()->storage;
      case Origin::gradient:
        return gradients_[value.index].impl()->storage;
      default:
        return frame_->values[home]->storage;
    }
  }

  Tensor tensor(ValueIndex v, const Ref<Node>& node) const {
    const TensorImpl& value = *frame_->values[v];
    Ref<TensorImpl> impl = with_node(value, node, 0);
    impl->storage = storage_of(v);
    return Tensor(std::move(impl));
  }

  Tensor given(const Listing::Result& result) const {
    const ListedValue& value = listing_.values[result.value];
    if (value.origin == Origin::constant) {
      return listing_.constants[value.index];
    }
    const bool as_it_was =
        value.origin == Origin::argument && !arguments_[value.index]->requires_grad();
    switch (as_it_was ? Place::argument : result.place) {
      case Place::argument:
        return *arguments_[value.index];
      case Place::leaf:
        return tensor(result.value, result.leaf);
      case Place::fresh:
        return tensor(result.value, nullptr).requires_grad_leaf();
      case Place::released:
        return tensor(result.value, released_node());
      case Place::none:
      case Place::graph:
        break;
    }
    return tensor(result.value, nullptr);
  }

  /// Makes results through which gradients flow the outputs of a node that stands for the function.
  void connect(Tensors& results) const {
    const auto flows = [](const Listing::Result& result) { return result.place == Place::graph; };
    if (std::none_of(listing_.results.begin(), listing_.results.end(), flows)) {
      return;
    }
    std::vector<Tensor> origins;
    for (const ListedValue& value : program_.captured_->values) {
      switch (value.origin) {
        case Origin::argument:
          origins.push_back(*arguments_[value.index]);
          break;
        case Origin::cell:
          origins.push_back(cell(value.index));
          break;
        case Origin::gradient:
          origins.push_back(gradients_[value.index]);
          break;
        case Origin::constant:
          origins.push_back(listing_.constants[value.index]);
          break;
        case Origin::draw: {
          const auto& words = frame_->draws[value.index];
          origins.push_back(from_span<std::int64_t>(words, {2}));
          break;
        }
        case Origin::result:
          break;
      }
    }
    connect_to_program(program_.captured_, origins, results);
  }

  /// What a cell held at the start.
  const Tensor& cell(std::uint32_t index) const {
    return program_.writes_ ? listing_.cells[index]->value : cells_[index];
  }

  Program& program_;
  const Listing& listing_;
  std::span<const Tensor* const> arguments_;
  std::unique_ptr<Frame> frame_;
  Ref<Storage> arena_;
  std::vector<Tensor> cells_, gradients_;
  std::vector<GeneratorState> draws_;  // of each generator; none once they are used
};

Tensors Program::run(std::span<const Tensor* const> arguments) {
  Run run(*this, arguments);
  if (writes_) {
    const std::unique_lock lock(cells_mutex);
    run.hold();
    return run.finish();
  }
  {
    const std::shared_lock lock(cells_mutex);
    run.hold();
  }
  return run.finish();
}

}  // namespace cadena::detail
