#include <cadena/autograd/compile/group.hpp>
#include <cadena/autograd/compile/memory_plan.hpp>
#include <cadena/autograd/compile/passes.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>

#include <algorithm>

namespace cadena::detail {
namespace {

constexpr std::size_t line = 64;  // bytes of a cache line
constexpr std::size_t always = ~std::size_t{0};
constexpr std::size_t none = always;

std::size_t bytes_of(const Type& type) {
  const std::size_t bytes = static_cast<std::size_t>(numel(type.shape)) * size_of(type.dtype);
  return std::max((bytes + line - 1) / line * line, line);
}

/// Memory without an end, from which blocks are taken and given back.
class Arena {
 public:
  std::size_t take(std::size_t bytes) {
    for (Hole& hole : holes_) {
      if (hole.end - hole.begin >= bytes) {
        const std::size_t begin = hole.begin;
        hole.begin += bytes;
        top_ = std::max(top_, hole.begin);
        return begin;
      }
    }
    return 0;  // the last hole has no end
  }
  void give_back(std::size_t begin, std::size_t bytes) {
    const auto next =
        std::upper_bound(holes_.begin(), holes_.end(), begin,
                         [](std::size_t place, const Hole& hole) { return place < hole.begin; });
    const auto fresh = holes_.insert(next, {begin, begin + bytes});
    const auto join = [&](auto hole) {
      if (hole != holes_.begin() && (hole - 1)->end == hole->begin) {
        (hole - 1)->end = hole->end;
        return holes_.erase(hole) - 1;
      }
      return hole;
    };
    const auto joined = join(fresh);
    if (joined + 1 != holes_.end()) {
      join(joined + 1);
    }
  }
  std::size_t top() const noexcept { return top_; }

 private:
  struct Hole {
    std::size_t begin, end;
  };
  std::vector<Hole> holes_{{0, always}};
  std::size_t top_ = 0;
};

class Planner {
 public:
  explicit Planner(const Listing& listing)
      : listing_(listing),
        last_(listing.values.size(), 0),
        maker_(listing.values.size(), none),
        offset_(listing.values.size(), none) {
    find_homes();
    find_last_readers();
    place_updates();
    place_results();
    plan_.arena_bytes = arena_.top();
  }
  MemoryPlan take() { return std::move(plan_); }

 private:
  ValueIndex home(ValueIndex v) const { return plan_.places[v].home; }

  void find_homes() {
    for (ValueIndex v = 0; v < listing_.values.size(); ++v) {
      plan_.places.push_back({v});
    }
    for (std::size_t i = 0; i < listing_.instructions.size(); ++i) {
      const Instruction& instruction = listing_.instructions[i];
      for (ValueIndex v : instruction.outputs) {
        maker_[v] = i;
      }
      if (instruction.op->is_view()) {
        const ValueIndex from = instruction.inputs[0];
        const ListedValue& value = listing_.values[from];
        const Layout layout = instruction.op->view(
            {value.type.shape,
             value.strides ? *value.strides : contiguous_strides(value.type.shape), 0});
        plan_.places[instruction.outputs[0]] = {home(from),
                                                plan_.places[from].offset + layout.offset};
      }
    }
  }

  void find_last_readers() {
    for (std::size_t i = 0; i < listing_.instructions.size(); ++i) {
      for (ValueIndex v : listing_.instructions[i].inputs) {
        last_[home(v)] = i;
      }
    }
    each_visible(listing_, [&](ValueIndex v) { last_[home(v)] = always; });
  }

  /// New values of cells from operators that write in place, if these are the last to run and the
  /// old value is not needed.
  void place_updates() {
    std::size_t first = listing_.instructions.size();
    while (first > 0 && listing_.instructions[first - 1].op->in_place()) {
      --first;
    }
    for (const Listing::CellWrite& write : listing_.cell_writes) {
      const std::size_t maker = maker_[write.value];
      if (maker == none || maker < first) {
        continue;
      }
      ValueIndex old = 0;
      while (listing_.values[old].origin != Origin::cell ||
             !(listing_.cells[listing_.values[old].index] == write.cell)) {
        ++old;
      }
      if (last_[old] == always || last_[old] > maker) {
        continue;
      }
      plan_.over.push_back({write.value, write.cell});
      offset_[write.value] = 0;
    }
  }

  void place_results() {
    ends_.resize(listing_.instructions.size());
    for (std::size_t i = 0; i < listing_.instructions.size(); ++i) {
      const Instruction& instruction = listing_.instructions[i];
      if (instruction.op->is_view()) {
        continue;
      }
      for (std::size_t k = 0; k < instruction.outputs.size(); ++k) {
        const ValueIndex v = instruction.outputs[k];
        if (offset_[v] != none) {
          continue;  // over a cell
        }
        if (last_[v] == always) {
          plan_.fresh.push_back(v);
          continue;
        }
        if (const std::optional<ValueIndex> over = dying_operand(instruction, i, k)) {
          offset_[v] = offset_[*over];
          std::erase(ends_[i], *over);
        } else {
          offset_[v] = arena_.take(bytes_of(listing_.values[v].type));
        }
        plan_.arena.push_back({v, offset_[v]});
        ends_[std::max(last_[v], i)].push_back(v);
      }
      for (ValueIndex v : ends_[i]) {
        arena_.give_back(offset_[v], bytes_of(listing_.values[v].type));
      }
    }
  }

  bool may_overwrite(const Instruction& instruction, std::size_t output, std::size_t input) const {
    if (const Group* group = as_group(*instruction.op)) {
      return group->may_overwrite(output, input);
    }
    return instruction.op->tiles(listing_.values[instruction.inputs.back()].type.dtype).kernel !=
           nullptr;
  }

  /// An operand in the arena that an instruction may write a result over: read for the last time,
  /// element by element as it lies.
  std::optional<ValueIndex> dying_operand(const Instruction& instruction, std::size_t i,
                                          std::size_t output) const {
    const ValueIndex result = instruction.outputs[output];
    for (std::size_t k = 0; k < instruction.inputs.size(); ++k) {
      const ValueIndex v = instruction.inputs[k];
      if (!may_overwrite(instruction, output, k) ||
          std::find(ends_[i].begin(), ends_[i].end(), v) == ends_[i].end()) {
        continue;
      }
      const auto harmless = [&](ValueIndex other) { return other == v || home(other) != v; };
      if (home(v) == v && last_[v] == i && maker_[v] != none && offset_[v] != none &&
          !is_over_cell(v) &&
          std::all_of(instruction.inputs.begin(), instruction.inputs.end(), harmless) &&
          size_of(listing_.values[v].type.dtype) == size_of(listing_.values[result].type.dtype) &&
          listing_.values[v].type.shape == listing_.values[result].type.shape) {
        return v;
      }
    }
    return std::nullopt;
  }
  bool is_over_cell(ValueIndex v) const {
    return std::any_of(plan_.over.begin(), plan_.over.end(),
                       [v](const MemoryPlan::OverCell& over) { return over.value == v; });
  }

  const Listing& listing_;
  std::vector<std::size_t> last_, maker_, offset_;
  std::vector<std::vector<ValueIndex>> ends_;  // which values each instruction reads last
  Arena arena_;
  MemoryPlan plan_;
};

}  // namespace

MemoryPlan plan_memory(const Listing& listing) { return Planner(listing).take(); }

}  // namespace cadena::detail
