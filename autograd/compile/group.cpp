#include <cadena/autograd/compile/group.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace cadena::detail {
namespace {

constexpr std::int64_t cache = 24 * 1024;      // bytes of tiles at a time
constexpr std::int64_t row_cache = 64 * 1024;  // the same where rows are the smallest tiles
constexpr std::int64_t on_stack = 32 * 1024;   // bytes
constexpr std::int64_t least_tile = 128, most_tile = 1024;  // rows
constexpr std::int64_t line = 64;                           // bytes, and elements of a tile
// Elements times operators; below, a second thread does not pay.
constexpr std::int64_t serial = 32768, piece = 16384;

constexpr Doc group_doc{"group", "operators run together, tile by tile"};

std::int64_t round_up(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

/// The shape of some of the rows.
Shape part_of(const Shape& shape, std::int64_t rows, std::int64_t part) {
  if (part == rows) {
    return shape;
  }
  Shape result = shape;
  std::int64_t lead = 1;
  for (int axis = 0; axis < shape.size(); ++axis) {
    lead *= shape[axis];
    result[axis] = 1;
    if (lead == rows) {
      result[axis] = part;
      break;
    }
  }
  return result;
}

template <class Word>
void repeat_each(const std::byte* from, std::byte* to, std::int64_t rows, std::int64_t times) {
  const Word* word = reinterpret_cast<const Word*>(from);
  Word* out = reinterpret_cast<Word*>(to);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::fill_n(out + row * times, times, word[row]);
  }
}

}  // namespace

Group::Group(std::int64_t rows, std::vector<External> inputs, std::vector<Step> steps,
             std::vector<std::uint32_t> given)
    : rows_(rows), steps_(std::move(steps)), given_(std::move(given)) {
  const auto bytes_of = [&](const Type& type) {
    return numel(type.shape) / rows_ * static_cast<std::int64_t>(size_of(type.dtype));
  };
  for (std::uint32_t k = 0; k < inputs.size(); ++k) {
    const Type& type = inputs[k].type;
    strided_.emplace_back();
    if (inputs[k].strides) {
      strided_.back().emplace(type.dtype, type.shape, *inputs[k].strides);
    }
    values_.push_back({Value::input, k, bytes_of(type), type});
  }
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    first_made_.push_back(static_cast<std::uint32_t>(values_.size()));
    for (std::uint32_t v : steps_[i].inputs) {
      values_[v].last_read = i;
    }
    for (const Type& type : steps_[i].types) {
      values_.push_back({Value::scratch, 0, bytes_of(type), type, i, i});
      if (type.dtype == Dtype::float32) {
        denormals_ = Denormals::flush;
      }
    }
  }
  for (std::uint32_t j = 0; j < given_.size(); ++j) {
    values_[given_[j]].kind = Value::output;
    values_[given_[j]].index = j;
  }
  place_values();
  choose_tile();
}

/// Slots are given back by the step that reads them last, and taken again by later ones.
void Group::place_values() {
  std::map<std::int64_t, std::vector<std::uint32_t>> free;  // slots by bytes of a row
  const auto take = [&](Value& value) {
    std::vector<std::uint32_t>& slots = free[value.bytes];
    if (slots.empty()) {
      slots.push_back(static_cast<std::uint32_t>(slots_.size()));
      slots_.push_back(value.bytes);
    }
    value.kind = Value::scratch;
    value.index = slots.back();
    slots.pop_back();
  };
  std::vector<std::vector<std::uint32_t>> ends(steps_.size());
  for (std::uint32_t k = 0; k < strided_.size(); ++k) {
    if (strided_[k]) {
      // Laid out before the first step; a splat is laid out once a piece, and so keeps its slot.
      take(values_[k]);
      if (!strided_[k]->is_splat()) {
        ends[values_[k].last_read].push_back(k);
      }
    }
  }
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    const auto give_back = [&] {
      for (std::uint32_t v : ends[i]) {
        free[values_[v].bytes].push_back(values_[v].index);
      }
      ends[i].clear();
    };
    if (steps_[i].tiles.kernel != nullptr) {
      give_back();  // an elementwise kernel may write over what it reads
    }
    for (std::uint32_t v = first_made_[i]; v < first_made_[i] + steps_[i].types.size(); ++v) {
      if (values_[v].kind == Value::scratch) {
        take(values_[v]);
        ends[values_[v].last_read].push_back(v);
      }
    }
    give_back();
  }
}

void Group::choose_tile() {
  std::int64_t row = 0, widest = 1;
  for (std::int64_t bytes : slots_) {
    row += bytes;
  }
  for (const Value& value : values_) {
    widest = std::max(widest, numel(value.type.shape) / rows_);
  }
  if (widest == 1) {
    const std::int64_t fitting = row == 0 ? most_tile : cache / row / line * line;
    tile_ = std::min(std::clamp(fitting, least_tile, most_tile), round_up(rows_, line));
  } else {
    tile_ = std::clamp<std::int64_t>(row_cache / std::max<std::int64_t>(row, 1), 1,
                                     std::min(most_tile, rows_));
  }
  for (std::int64_t bytes : slots_) {
    offsets_.push_back(scratch_bytes_);
    scratch_bytes_ += round_up(bytes * tile_, line);
  }
  const std::int64_t work = static_cast<std::int64_t>(steps_.size()) * widest;  // of a row
  grain_ =
      rows_ <= serial / work ? rows_ : round_up(std::max<std::int64_t>(piece / work, 1), tile_);
}

const Doc& Group::doc() const noexcept { return group_doc; }

Layout Group::view(const Layout&) const { fail("group: not a view"); }

Types Group::infer(std::span<const Type>) const {
  Types types;
  for (std::uint32_t v : given_) {
    types.push_back(values_[v].type);
  }
  return types;
}

Gradients Group::vjp(const Backward&) const { fail("group: has no derivative of its own"); }

std::string Group::attributes() const {
  std::string text;
  for (const Step& step : steps_) {
    text += text.empty() ? "" : " ";
    text += step.op ? step.op->doc().name : "repeat";
  }
  return text;
}

bool Group::may_overwrite(std::size_t output, std::size_t input) const {
  const Value &to = values_[given_[output]], &from = values_[input];
  const bool in_step = steps_[to.made].tiles.kernel != nullptr;  // reads before it writes
  return !strided_[input] && from.bytes == to.bytes &&
         size_of(from.type.dtype) == size_of(to.type.dtype) &&
         (in_step ? from.last_read <= to.made : from.last_read < to.made);
}

/// The tiles of some rows.
class Group::Piece {
 public:
  Piece(const Group& group, Inputs inputs, Outputs outputs, std::byte* scratch, std::int64_t begin)
      : group_(group), inputs_(inputs), at_(group.values_.size()) {
    for (std::size_t v = 0; v < at_.size(); ++v) {
      const Value& value = group.values_[v];
      switch (value.kind) {
        case Value::input:  // never written through: no step makes an input
          at_[v] = const_cast<std::byte*>(inputs[value.index].bytes()) + begin * value.bytes;
          break;
        case Value::output:
          at_[v] = outputs[value.index].bytes() + begin * value.bytes;
          break;
        case Value::scratch:
          at_[v] = scratch + group.offsets_[value.index];
          break;
      }
    }
    std::size_t operands = 0;
    for (const Step& step : group.steps_) {
      if (is_of_rows(step)) {
        operands += step.inputs.size() + step.types.size();
      }
    }
    operands_ = std::vector<TensorImpl>(operands);
  }

  void run(std::int64_t begin, std::int64_t end) {
    lay_out(begin, std::min(group_.tile_, end - begin), true);
    while (true) {
      const std::int64_t rows = std::min(group_.tile_, end - begin);
      lay_out(begin, rows, false);
      std::size_t operand = 0;
      for (std::size_t i = 0; i < group_.steps_.size(); ++i) {
        const Step& step = group_.steps_[i];
        const std::uint32_t made = group_.first_made_[i];
        if (step.tiles.kernel != nullptr) {
          std::array<const std::byte*, 8> in;
          for (std::size_t k = 0; k < step.inputs.size(); ++k) {
            in[k] = at_[step.inputs[k]];
          }
          step.tiles.kernel(step.tiles.functor, in.data(), &at_[made], rows * width(made));
        } else if (step.op) {
          run_rows(step, made, rows, operand);
          operand += step.inputs.size() + step.types.size();
        } else {
          repeat(step.inputs[0], made, rows);
        }
      }
      begin += rows;
      if (begin == end) {
        return;
      }
      for (std::size_t v = 0; v < at_.size(); ++v) {
        if (group_.values_[v].kind != Value::scratch) {
          at_[v] += rows * group_.values_[v].bytes;
        }
      }
    }
  }

 private:
  static bool is_of_rows(const Step& step) { return step.op && step.tiles.kernel == nullptr; }

  std::int64_t width(std::uint32_t v) const {
    const Value& value = group_.values_[v];
    return value.bytes / static_cast<std::int64_t>(size_of(value.type.dtype));
  }

  /// Inputs that are not contiguous: splats, or the others.
  void lay_out(std::int64_t begin, std::int64_t rows, bool splats) {
    for (std::uint32_t k = 0; k < group_.strided_.size(); ++k) {
      const std::optional<kernels::Strided>& strided = group_.strided_[k];
      if (strided && strided->is_splat() == splats) {
        const std::int64_t columns = width(k);
        strided->gather(inputs_[k].bytes(), at_[k], splats ? 0 : begin * columns, rows * columns);
      }
    }
  }

  void run_rows(const Step& step, std::uint32_t made, std::int64_t rows, std::size_t operand) {
    SmallVector<Input, 8> in;
    SmallVector<Output, 4> out;
    const auto next = [&](std::uint32_t v, const Type& type) -> TensorImpl* {
      TensorImpl& impl = operands_[operand++];
      impl.dtype = type.dtype;
      impl.shape = part_of(type.shape, group_.rows_, rows);
      impl.data = at_[v];
      return &impl;
    };
    for (std::uint32_t k = 0; k < step.inputs.size(); ++k) {
      in.emplace_back(next(step.inputs[k], step.reads[k]));
    }
    for (std::uint32_t k = 0; k < step.types.size(); ++k) {
      out.emplace_back(next(made + k, step.types[k]));
    }
    step.op->run({in.data(), in.size()}, {out.data(), out.size()});
  }

  void repeat(std::uint32_t from, std::uint32_t to, std::int64_t rows) {
    const std::size_t size = size_of(group_.values_[to].type.dtype);
    (size == 4   ? repeat_each<std::uint32_t>
     : size == 8 ? repeat_each<std::uint64_t>
                 : repeat_each<std::uint8_t>)(at_[from], at_[to], rows, width(to));
  }

  const Group& group_;
  Inputs inputs_;
  SmallVector<std::byte*, 64> at_;    // where the tile of each value begins
  std::vector<TensorImpl> operands_;  // of operators on rows
};

void Group::run(Inputs inputs, Outputs outputs) const {
  parallel_for(
      rows_, grain_,
      [&](std::int64_t begin, std::int64_t end) {
        alignas(line) std::byte stack[on_stack];
        std::optional<kernels::Scratch<std::byte>> more;
        if (scratch_bytes_ > on_stack) {
          more.emplace(scratch_bytes_);
        }
        Piece(*this, inputs, outputs, more ? more->data() : stack, begin).run(begin, end);
      },
      denormals_);
}

const Group* as_group(const Operator& op) noexcept { return dynamic_cast<const Group*>(&op); }

}  // namespace cadena::detail
