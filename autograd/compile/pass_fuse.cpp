#include <cadena/autograd/compile/group.hpp>
#include <cadena/autograd/compile/passes.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <bit>
#include <deque>
#include <queue>

namespace cadena::detail {
namespace {

constexpr std::uint32_t alone = ~std::uint32_t{0};
constexpr std::size_t none = ~std::size_t{0};
constexpr ValueIndex no_value = ~ValueIndex{0};
constexpr std::size_t max_inputs = 8;  // of a kernel
constexpr std::int64_t few = 64;       // elements
constexpr std::size_t max_steps = 128, max_steps_of_few = 4096;
constexpr std::int64_t widest_row = 16384;               // elements; longer ones leave the cache
constexpr std::int64_t enough_rows = 16, small = 32768;  // rows to share among threads, elements

/// So many groups are open at a time: what a value depends on is told by a bit for each.
constexpr std::size_t max_open = 64;
using Open = std::uint64_t;

/// Instructions that will be one.
struct Forming {
  std::vector<std::size_t> members;
  std::int64_t count = 0;  // elements of its widest values
  std::int64_t rows = 0;   // 0: not yet known, all values have `count` elements
  std::uint32_t region = 0;
  std::optional<Denormals> denormals;  // none before the first floating result
  std::uint32_t into = alone;          // the group that it was joined to
  Open bits = 0;                       // those of groups that were joined too; 0 when closed
};

/// How an instruction can be part of a group.
struct Part {
  std::int64_t count, rows;  // as of a group with it alone
  std::uint32_t region;
  std::optional<Denormals> denormals;
};

std::optional<Denormals> denormals_of(Dtype dtype) {
  if (!is_floating(dtype)) {
    return std::nullopt;
  }
  return dtype == Dtype::float32 ? Denormals::flush : Denormals::keep;
}

bool has_rows(const Shape& shape, std::int64_t rows) {
  std::int64_t lead = 1;
  for (int axis = 0; axis < shape.size() && lead < rows; ++axis) {
    lead *= shape[axis];
  }
  return lead == rows;
}

/// The rows and elements of two groups as one, if that can be.
std::optional<std::pair<std::int64_t, std::int64_t>> joined(std::int64_t count, std::int64_t rows,
                                                            std::int64_t other_count,
                                                            std::int64_t other_rows) {
  if (rows == 0 && other_rows == 0) {
    return count == other_count ? std::optional(std::pair(count, rows)) : std::nullopt;
  }
  if (rows != 0 && other_rows != 0) {
    return rows == other_rows ? std::optional(std::pair(std::max(count, other_count), rows))
                              : std::nullopt;
  }
  const std::int64_t known = rows == 0 ? other_rows : rows;
  const std::int64_t wide = rows == 0 ? other_count : count;
  const std::int64_t flat = rows == 0 ? count : other_count;
  return flat == wide || flat == known ? std::optional(std::pair(wide, known)) : std::nullopt;
}

/// Goes through the instructions once and puts each that can be in a group into one that makes or
/// reads one of its operands, unless something outside of the group stands between.
class Fusion {
 public:
  explicit Fusion(Listing& listing)
      : listing_(listing),
        group_(listing.instructions.size(), alone),
        maker_(listing.values.size(), none),
        same_(listing.values.size()),
        repeats_(listing.values.size(), no_value),
        depends_(listing.values.size(), 0),
        reader_(listing.values.size(), alone) {
    for (ValueIndex v = 0; v < listing.values.size(); ++v) {
      same_[v] = v;
    }
    for (std::size_t i = 0; i < listing.instructions.size(); ++i) {
      visit(i);
    }
  }

  void rewrite();

 private:
  const Type& type(ValueIndex v) const { return listing_.values[v].type; }
  std::int64_t count(ValueIndex v) const { return numel(type(v).shape); }

  std::uint32_t group_of(ValueIndex v) const {
    return maker_[v] == none ? alone : group_[maker_[v]];
  }
  Open bits_of(std::uint32_t group) const { return group == alone ? 0 : groups_[group].bits; }

  /// All open groups that these depend on, through other groups too.
  Open closed(Open direct) const {
    Open all = direct;
    for (Open rest = direct; rest != 0; rest &= rest - 1) {
      all |= reach_[std::countr_zero(rest)];
    }
    return all;
  }
  Open reach_of(std::uint32_t group) const {
    return groups_[group].bits == 0 ? 0 : reach_[std::countr_zero(groups_[group].bits)];
  }
  /// The group, and all that depend on it, depend on these too.
  void depend(std::uint32_t group, Open on) {
    const Open bits = groups_[group].bits;
    for (std::size_t bit = 0; bit < max_open; ++bit) {
      if ((bits >> bit & 1) != 0 || (reach_[bit] & bits) != 0) {
        reach_[bit] |= on;
      }
    }
  }

  void visit(std::size_t i) {
    const Instruction& instruction = listing_.instructions[i];
    if (instruction.op->is_view()) {
      visit_view(instruction);
      return;
    }
    const std::optional<Part> part = part_of(instruction);
    if (part) {
      const std::uint32_t group = find(instruction, *part);
      for (ValueIndex v : instruction.outputs) {
        maker_[v] = i;
      }
      group_[i] = group;
      join(i, *part);
      return;
    }
    Open direct = 0;
    for (ValueIndex v : instruction.inputs) {
      direct |= depends_[v] | bits_of(group_of(v));
    }
    for (ValueIndex v : instruction.outputs) {
      maker_[v] = i;
      depends_[v] = direct;
    }
  }

  /// A view that arranges elements as they lie is the value itself for a group, and one that
  /// repeats each of them to a row can be made inside.
  void visit_view(const Instruction& instruction) {
    const ValueIndex from = instruction.inputs[0], to = instruction.outputs[0];
    depends_[to] = depends_[from] | bits_of(group_of(same_[from]));
    if (listing_.values[from].strides || count(to) == 0) {
      return;
    }
    const std::optional<Strides>& strides = listing_.values[to].strides;
    if (!strides) {
      if (count(from) == count(to)) {
        same_[to] = same_[from];
      }
      return;
    }
    const kernels::Walk<1> walk(type(to).shape, *strides);
    if (walk.shape().size() == 2 && walk.shape()[0] == count(from) && walk.strides(0)[0] == 1 &&
        walk.step(0) == 0) {
      repeats_[to] = same_[from];
    }
  }

  std::optional<Part> part_of(const Instruction& instruction) const {
    if (instruction.inputs.empty() || instruction.outputs.empty() ||
        instruction.inputs.size() > max_inputs || count(instruction.outputs[0]) == 0) {
      return std::nullopt;
    }
    const Type& result = type(instruction.outputs[0]);
    if (instruction.op->tiles(type(instruction.inputs.back()).dtype).kernel != nullptr) {
      return Part{numel(result.shape), 0, instruction.region, denormals_of(result.dtype)};
    }
    Types types;
    for (ValueIndex v : instruction.inputs) {
      types.push_back(type(v));
    }
    const std::int64_t rows = instruction.op->rows(types);
    if (rows < 2) {
      return std::nullopt;
    }
    std::int64_t widest = 0;
    const auto has = [&](ValueIndex v) {
      widest = std::max(widest, count(v));
      return has_rows(type(v).shape, rows);
    };
    if (!std::all_of(instruction.inputs.begin(), instruction.inputs.end(), has) ||
        !std::all_of(instruction.outputs.begin(), instruction.outputs.end(), has) || widest == 0 ||
        !is_worth(widest, rows)) {
      return std::nullopt;
    }
    return Part{widest, rows, instruction.region, denormals_of(result.dtype)};
  }

  static bool is_worth(std::int64_t count, std::int64_t rows) {
    return count / rows <= widest_row && (rows >= enough_rows || count <= small);
  }

  /// The operand as a value of the group that is given or repeated there; else no_value.
  ValueIndex inside(ValueIndex v, std::uint32_t group) const {
    if (group_of(same_[v]) == group) {
      return same_[v];
    }
    return repeats_[v] != no_value && group_of(repeats_[v]) == group ? repeats_[v] : no_value;
  }

  /// The group that an instruction joins: one that makes or reads an operand, or a new one. Groups
  /// that meet in it are joined as well.
  std::uint32_t find(const Instruction& instruction, const Part& part) {
    std::uint32_t best = alone;
    std::int64_t rows = part.rows;  // as the instruction wants them
    for (ValueIndex v : instruction.inputs) {
      if (repeats_[v] != no_value && group_of(repeats_[v]) != alone) {
        rows = count(repeats_[v]);
      }
    }
    const auto consider = [&](std::uint32_t candidate) {
      if (candidate == alone || candidate == best || !fits(instruction, part, candidate)) {
        return;
      }
      best = best == alone ? candidate : merge(best, candidate, rows);
    };
    for (ValueIndex v : instruction.inputs) {
      consider(group_of(same_[v]));
      if (repeats_[v] != no_value) {
        consider(group_of(repeats_[v]));
      }
    }
    for (ValueIndex v : instruction.inputs) {
      if (count(v) == part.count) {
        std::uint32_t reader = reader_[same_[v]];
        while (reader != alone && groups_[reader].into != alone) {
          reader = groups_[reader].into;
        }
        consider(reader);
      }
    }
    return best == alone ? open(part) : best;
  }

  bool fits(const Instruction& instruction, const Part& part, std::uint32_t candidate) const {
    const Forming& group = groups_[candidate];
    if (group.bits == 0 || group.region != part.region ||
        group.members.size() >= (group.count <= few ? max_steps_of_few : max_steps) ||
        (part.denormals && group.denormals && *part.denormals != *group.denormals)) {
      return false;
    }
    if (!shape_with(instruction, part, candidate)) {
      return false;
    }
    return (needs(instruction, candidate) & group.bits) == 0;
  }

  /// Elements and rows of a group with the instruction in it.
  std::optional<std::pair<std::int64_t, std::int64_t>> shape_with(const Instruction& instruction,
                                                                  const Part& part,
                                                                  std::uint32_t candidate) const {
    const Forming& group = groups_[candidate];
    for (ValueIndex v : instruction.inputs) {
      if (repeats_[v] == no_value || group_of(repeats_[v]) != candidate) {
        continue;
      }
      // The values that are repeated are the rows.
      const std::int64_t rows = count(repeats_[v]);
      const bool agrees = group.rows == 0 ? group.count == rows : group.rows == rows;
      if (!agrees || rows < 2 || !is_worth(part.count, rows) ||
          (group.rows != 0 && group.count != part.count && group.count != rows) ||
          (part.rows != 0 && part.rows != rows)) {
        return std::nullopt;
      }
      return std::pair(part.count, rows);
    }
    const auto shape = joined(group.count, group.rows, part.count, part.rows);
    return shape && (shape->second == 0 || is_worth(shape->first, shape->second)) ? shape
                                                                                  : std::nullopt;
  }

  /// What the group would depend on with this instruction in it.
  Open needs(const Instruction& instruction, std::uint32_t group) const {
    Open direct = 0;
    for (ValueIndex v : instruction.inputs) {
      const ValueIndex of = inside(v, group);
      direct |= of != no_value ? depends_[of] : depends_[v] | bits_of(group_of(v));
    }
    return closed(direct);
  }

  /// Two groups as one if neither needs the other; the first one as it is otherwise.
  std::uint32_t merge(std::uint32_t into, std::uint32_t from, std::int64_t rows) {
    Forming &to = groups_[into], &of = groups_[from];
    const auto rows_of = [rows](const Forming& group) {
      return group.rows == 0 && rows > 1 && group.count % rows == 0 ? rows : group.rows;
    };
    const auto shape = joined(to.count, rows_of(to), of.count, rows_of(of));
    if (!shape || (shape->second != 0 && !is_worth(shape->first, shape->second)) ||
        (reach_of(into) & of.bits) != 0 || (reach_of(from) & to.bits) != 0 ||
        to.members.size() + of.members.size() > max_steps ||
        (to.denormals && of.denormals && *to.denormals != *of.denormals)) {
      return into;
    }
    for (std::size_t i : of.members) {
      group_[i] = into;
    }
    std::vector<std::size_t> members;
    std::merge(to.members.begin(), to.members.end(), of.members.begin(), of.members.end(),
               std::back_inserter(members));
    to.members = std::move(members);
    std::tie(to.count, to.rows) = *shape;
    to.denormals = to.denormals ? to.denormals : of.denormals;
    const Open both = reach_of(into) | reach_of(from), all = to.bits | of.bits;
    to.bits = all;
    of.members.clear();
    of.bits = 0;
    depend(into, both);
    // Who depends on one of them depends on both.
    for (Open& reach : reach_) {
      if ((reach & all) != 0) {
        reach |= all;
      }
    }
    of.into = into;
    std::erase(open_, from);
    return into;
  }

  std::uint32_t open(const Part& part) {
    if (free_ == 0) {
      // The one that was opened first is closed. What depends on it will seem to depend on the one
      // that takes its bit: fewer instructions are joined.
      Forming& oldest = groups_[open_.front()];
      open_.pop_front();
      for (Open rest = oldest.bits; rest != 0; rest &= rest - 1) {
        reach_[std::countr_zero(rest)] = 0;
      }
      free_ |= oldest.bits;
      oldest.bits = 0;
    }
    const Open bit = free_ & ~(free_ - 1);
    free_ &= free_ - 1;
    groups_.push_back({{}, part.count, part.rows, part.region, std::nullopt, alone, bit});
    open_.push_back(static_cast<std::uint32_t>(groups_.size() - 1));
    return open_.back();
  }

  void join(std::size_t i, const Part& part) {
    const Instruction& instruction = listing_.instructions[i];
    const std::uint32_t into = group_[i];
    Forming& group = groups_[into];
    if (const auto shape = shape_with(instruction, part, into)) {
      std::tie(group.count, group.rows) = *shape;
    }
    group.members.push_back(i);
    if (!group.denormals) {
      group.denormals = part.denormals;
    }
    const Open all = needs(instruction, into) & ~group.bits;
    depend(into, all);
    for (ValueIndex v : instruction.outputs) {
      depends_[v] = all;
    }
    for (ValueIndex v : instruction.inputs) {
      reader_[same_[v]] = into;
    }
  }

  Instruction made(const Forming& group) const;

  Listing& listing_;
  std::vector<std::uint32_t> group_;   // of each instruction
  std::vector<std::size_t> maker_;     // of each value; none for views
  std::vector<ValueIndex> same_;       // the value that has the same elements in the same order
  std::vector<ValueIndex> repeats_;    // the value each of whose elements is repeated, to a row
  std::vector<Open> depends_;          // of each value, on groups other than its own
  std::vector<std::uint32_t> reader_;  // the last group that reads each value
  std::vector<Forming> groups_;
  std::deque<std::uint32_t> open_;
  Open free_ = ~Open{0};
  Open reach_[max_open] = {};  // of each open group
  std::vector<bool> outside_;  // which values are needed outside of their groups
};

Instruction Fusion::made(const Forming& group) const {
  Instruction result{{}, {}, {}, {}, group.region};
  std::vector<Group::External> externals;
  std::vector<Group::Step> steps;
  std::vector<std::uint32_t> given;
  const std::uint32_t self = group_[group.members[0]];
  boost::unordered_flat_map<ValueIndex, std::uint32_t> places;
  for (std::size_t i : group.members) {
    for (ValueIndex v : listing_.instructions[i].inputs) {
      if (inside(v, self) == no_value &&
          places.emplace(v, static_cast<std::uint32_t>(externals.size())).second) {
        externals.push_back({type(v), listing_.values[v].strides});
        result.inputs.push_back(v);
      }
    }
  }
  auto next = static_cast<std::uint32_t>(externals.size());
  for (std::size_t i : group.members) {
    const Instruction& instruction = listing_.instructions[i];
    Group::Step step{
        instruction.op, instruction.op->tiles(type(instruction.inputs.back()).dtype), {}, {}, {}};
    for (ValueIndex v : instruction.inputs) {
      const ValueIndex of = inside(v, self);
      if (of != no_value && of != same_[v] && places.emplace(v, next).second) {
        steps.push_back({{}, {}, {places.at(of)}, {}, {type(v)}});
        ++next;
      }
      step.inputs.push_back(places.at(of == same_[v] ? of : v));
      step.reads.push_back(type(v));
    }
    for (ValueIndex v : instruction.outputs) {
      places.emplace(v, next);
      if (outside_[v]) {
        given.push_back(next);
        result.outputs.push_back(v);
      }
      step.types.push_back(type(v));
      ++next;
    }
    steps.push_back(std::move(step));
  }
  result.op = OperatorRef(new Group(group.rows == 0 ? group.count : group.rows,
                                    std::move(externals), std::move(steps), std::move(given)));
  result.flows = SmallVector<bool, 4>(result.inputs.size());
  return result;
}

void Fusion::rewrite() {
  const std::size_t n = listing_.instructions.size();
  const auto reads_inside = [&](std::size_t i, ValueIndex v) {
    return group_[i] != alone && inside(v, group_[i]) != no_value;
  };
  outside_.assign(listing_.values.size(), false);
  each_visible(listing_, [&](ValueIndex v) { outside_[v] = true; });
  const auto is_needed = [&](const Instruction& instruction) {
    return !instruction.op->is_view() || outside_[instruction.outputs[0]];
  };
  for (std::size_t i = n; i-- > 0;) {
    // A view that only groups read through is not needed.
    if (is_needed(listing_.instructions[i])) {
      for (ValueIndex v : listing_.instructions[i].inputs) {
        outside_[v] = outside_[v] || !reads_inside(i, v);
      }
    }
  }
  // In the order of the last member, as far as that is possible.
  std::vector<std::size_t> node(n), made_by(listing_.values.size(), none), missing(n, 0);
  std::vector<std::vector<std::size_t>> readers(n);
  for (std::size_t i = 0; i < n; ++i) {
    node[i] = group_[i] == alone ? i : groups_[group_[i]].members.back();
    for (ValueIndex v : listing_.instructions[i].outputs) {
      made_by[v] = node[i];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (ValueIndex v : listing_.instructions[i].inputs) {
      if (!reads_inside(i, v) && made_by[v] != none) {
        readers[made_by[v]].push_back(node[i]);
        ++missing[node[i]];
      }
    }
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < n; ++i) {
    if (node[i] == i && missing[i] == 0) {
      ready.push(i);
    }
  }
  std::vector<Instruction> ordered;
  while (!ready.empty()) {
    const std::size_t i = ready.top();
    ready.pop();
    Instruction& instruction = listing_.instructions[i];
    if (group_[i] != alone && groups_[group_[i]].members.size() > 1) {
      ordered.push_back(made(groups_[group_[i]]));
    } else if (is_needed(instruction)) {
      ordered.push_back(instruction);
    }
    for (std::size_t reader : readers[i]) {
      if (--missing[reader] == 0) {
        ready.push(reader);
      }
    }
  }
  listing_.instructions = std::move(ordered);
}

}  // namespace

Listing with_fused_groups(Listing listing) {
  Fusion(listing).rewrite();
  return listing;
}

}  // namespace cadena::detail
