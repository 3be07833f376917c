#include <cadena/autograd/compile/explain.hpp>
#include <cadena/autograd/compile/group.hpp>
#include <cadena/autograd/compile/passes.hpp>

#include <algorithm>

namespace cadena::detail {
namespace {

std::int64_t bytes_of(const Type& type) {
  return numel(type.shape) * static_cast<std::int64_t>(size_of(type.dtype));
}

std::string as_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  return bytes < 1 << 10   ? fmt::format("{} B", bytes)
         : bytes < 1 << 20 ? fmt::format("{:.1f} KiB", value / (1 << 10))
         : bytes < 1 << 30 ? fmt::format("{:.1f} MiB", value / (1 << 20))
                           : fmt::format("{:.2f} GiB", value / (1 << 30));
}

/// Operations on numbers; elementwise operators count one for each element that they make.
double operations(const Operator& op, const Types& in, const Types& out, bool elementwise) {
  const double known = op.flop(in);
  return known >= 0 || !elementwise ? std::max(known, 0.0)
                                    : static_cast<double>(numel(out[0].shape));
}

class Words {
 public:
  Words(const Listing& captured, const Listing& optimized, const MemoryPlan& plan)
      : listing_(optimized), plan_(plan) {
    std::size_t groups = 0, grouped = 0, views = 0;
    for (const Instruction& instruction : listing_.instructions) {
      const Group* group = as_group(*instruction.op);
      groups += group != nullptr ? 1 : 0;
      grouped += group != nullptr ? group->steps().size() : 0;
      views += instruction.op->is_view() ? 1 : 0;
    }
    const std::size_t kernels = listing_.instructions.size() - views;
    text_ = fmt::format("{} operators captured; {} kernels run, {} of them groups, of {} steps\n",
                        captured.instructions.size(), kernels, groups, grouped);
    for (const Instruction& instruction : listing_.instructions) {
      if (!instruction.op->is_view()) {
        describe(instruction);
      }
    }
    text_ += fmt::format("in all {:.4g} MFLOP, {} read, {} written\n", flop_ / 1e6, as_bytes(read_),
                         as_bytes(written_));
    describe_memory();
  }
  std::string take() { return std::move(text_); }

 private:
  Types types(std::span<const ValueIndex> values) const {
    Types result;
    for (ValueIndex v : values) {
      result.push_back(listing_.values[v].type);
    }
    return result;
  }

  /// What is read: a value that is broadcast counts once.
  std::int64_t bytes_read(ValueIndex v) const {
    const ListedValue& value = listing_.values[v];
    std::int64_t elements = 1;
    for (int axis = 0; axis < value.type.shape.size(); ++axis) {
      const bool repeated = value.strides && (*value.strides)[axis] == 0;
      elements *= repeated ? 1 : value.type.shape[axis];
    }
    return elements * static_cast<std::int64_t>(size_of(value.type.dtype));
  }

  void describe(const Instruction& instruction) {
    const Types in = types(instruction.inputs), out = types(instruction.outputs);
    std::int64_t read = 0, written = 0;
    for (ValueIndex v : instruction.inputs) {
      read += bytes_read(v);
    }
    for (const Type& type : out) {
      written += bytes_of(type);
    }
    double flop = 0;
    std::string what = instruction.op->doc().name, why;
    if (const Group* group = as_group(*instruction.op)) {
      for (const Group::Step& step : group->steps()) {
        if (step.op) {
          flop += operations(*step.op, step.reads, step.types, step.tiles.kernel != nullptr);
        }
      }
      what = fmt::format("group of {} over {} rows: {}", group->steps().size(), group->row_count(),
                         group->attributes());
    } else {
      const bool elementwise =
          !in.empty() && instruction.op->tiles(in.back().dtype).kernel != nullptr;
      flop = operations(*instruction.op, in, out, elementwise);
      why = elementwise || instruction.op->rows(in) > 1
                ? "alone: no neighbour of as many rows that need not wait"
                : "alone: works on its operands as a whole";
    }
    constexpr std::size_t shown = 3;
    for (std::size_t k = 0; k < std::min(out.size(), shown); ++k) {
      what += fmt::format("{} {} {}", k == 0 ? " ->" : ",", name(out[k].dtype), out[k].shape);
    }
    what += out.size() > shown ? fmt::format(" and {} more", out.size() - shown) : "";
    text_ += fmt::format("  {}\n    {:.4g} MFLOP, {} read, {} written{}{}\n", what, flop / 1e6,
                         as_bytes(read), as_bytes(written), why.empty() ? "" : "; ", why);
    flop_ += flop;
    read_ += read;
    written_ += written;
  }

  void describe_memory() {
    std::int64_t fresh = 0, over = 0;
    for (ValueIndex v : plan_.fresh) {
      fresh += bytes_of(listing_.values[v].type);
    }
    for (const MemoryPlan::OverCell& cell : plan_.over) {
      over += bytes_of(listing_.values[cell.value].type);
    }
    text_ += fmt::format(
        "memory: {} for values on the way, {} for what outlives a run, {} written over old "
        "values\n",
        as_bytes(static_cast<std::int64_t>(plan_.arena_bytes)), as_bytes(fresh), as_bytes(over));
    describe_peak();
  }

  /// Which values lie in the arena when it is fullest.
  void describe_peak() {
    const std::size_t n = listing_.instructions.size();
    struct Life {
      std::size_t made = 0, last = 0;
    };
    std::vector<Life> lives(listing_.values.size());
    for (std::size_t i = 0; i < n; ++i) {
      for (ValueIndex v : listing_.instructions[i].outputs) {
        lives[v] = {i, i};
      }
      for (ValueIndex v : listing_.instructions[i].inputs) {
        lives[plan_.places[v].home].last = i;
      }
    }
    std::vector<std::int64_t> held(n + 1, 0);
    for (const MemoryPlan::InArena& value : plan_.arena) {
      const Life& life = lives[value.value];
      held[life.made] += bytes_of(listing_.values[value.value].type);
      held[life.last + 1] -= bytes_of(listing_.values[value.value].type);
    }
    std::size_t peak = 0;
    for (std::size_t i = 1; i < n; ++i) {
      held[i] += held[i - 1];
      peak = held[i] > held[peak] ? i : peak;
    }
    std::vector<ValueIndex> holders;
    for (const MemoryPlan::InArena& value : plan_.arena) {
      if (lives[value.value].made <= peak && peak <= lives[value.value].last) {
        holders.push_back(value.value);
      }
    }
    if (holders.empty()) {
      return;
    }
    const auto size_and_age = [this](ValueIndex v) {
      return std::pair(-bytes_of(listing_.values[v].type), v);
    };
    std::sort(holders.begin(), holders.end(),
              [&](ValueIndex a, ValueIndex b) { return size_and_age(a) < size_and_age(b); });
    text_ += fmt::format("at the peak, in {}:\n", listing_.instructions[peak].op->doc().name);
    constexpr std::size_t shown = 5;
    for (std::size_t i = 0; i < std::min(shown, holders.size()); ++i) {
      const Type& type = listing_.values[holders[i]].type;
      const Operator& maker = *listing_.instructions[lives[holders[i]].made].op;
      text_ += fmt::format("  {:>10}  {} {}, made by {}\n", as_bytes(bytes_of(type)),
                           name(type.dtype), type.shape, maker.doc().name);
    }
    if (holders.size() > shown) {
      text_ += fmt::format("  and {} smaller ones\n", holders.size() - shown);
    }
  }

  const Listing& listing_;
  const MemoryPlan& plan_;
  std::string text_;
  double flop_ = 0;
  std::int64_t read_ = 0, written_ = 0;
};

}  // namespace

std::string explain(const Listing& captured, const Listing& optimized, const MemoryPlan& plan) {
  return Words(captured, optimized, plan).take();
}

}  // namespace cadena::detail
