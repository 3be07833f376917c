#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/optim/step.hpp>

#include <algorithm>
#include <array>

namespace cadena::optim {
namespace {

constexpr std::int64_t serial = 32768;  // elements; below, a second thread does not pay
constexpr std::int64_t piece = 16384;
constexpr std::size_t max_states = 3;

/// A parameter in the line of all elements of a dtype.
struct Segment {
  std::int64_t begin, end;
  std::size_t update;  // index of its constants
  std::size_t states;
  std::array<const std::byte*, max_states + 2> in;
  std::array<std::byte*, max_states + 1> out;
};

using Line = SmallVector<Segment, 4>;
using Updates = SmallVector<Update, 2>;

template <class T> void run_line(const Line& line, const Updates& updates) {
  if (line.empty()) {
    return;
  }
  constexpr bool is_float = dtype_of<T> == Dtype::float32;
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    auto segment = std::upper_bound(
        line.begin(), line.end(), begin,
        [](std::int64_t place, const Segment& candidate) { return place < candidate.end; });
    for (; segment != line.end() && segment->begin < end; ++segment) {
      const std::int64_t first = std::max(begin, segment->begin) - segment->begin;
      const std::int64_t last = std::min(end, segment->end) - segment->begin;
      const auto offset = static_cast<std::size_t>(first) * sizeof(T);
      std::array<const std::byte*, max_states + 2> in;
      std::array<std::byte*, max_states + 1> out;
      for (std::size_t k = 0; k < segment->states + 2; ++k) {
        in[k] = segment->in[k] + offset;
      }
      for (std::size_t k = 0; k < segment->states + 1; ++k) {
        out[k] = segment->out[k] + offset;
      }
      const Update& update = updates[segment->update];
      const auto kernel = is_float ? update.kernels->float32 : update.kernels->float64;
      kernel(update.constants, in.data(), out.data(), last - first);
    }
  };
  const std::int64_t total = line.back().end;
  parallel_for(total, total <= serial ? total : piece, body,
               is_float ? Denormals::flush : Denormals::keep);
}

}  // namespace

Types Step::infer(std::span<const Type> in) const {
  Types types{in[0]};
  std::size_t next = 1 + rules.size();
  for (const Member& member : members) {
    types.push_back(in[next]);
    next += 2;  // and the gradient
    for (std::size_t k = 0; k < member.states + (member.counts ? 1 : 0); ++k) {
      types.push_back(in[next++]);
    }
  }
  return types;
}

void Step::run(Inputs in, Outputs out) const {
  Line float32_line, float64_line;
  Updates updates;
  const auto number = [&](std::size_t k) { return *in[k].data<double>(); };
  std::size_t next_in = 1 + rules.size(), next_out = 1;
  std::size_t group = rules.size();
  double t_of_update = -1;  // of the constants last made
  for (const Member& member : members) {
    const std::size_t first_in = next_in, first_out = next_out;
    next_in += 2 + member.states;
    next_out += 1 + member.states;
    double t = 0;
    if (member.counts) {
      t = number(next_in++) + 1;
      *out[next_out++].data<double>() = t;
    }
    if (t != t_of_update || group != member.group) {
      updates.push_back(rules[member.group](number(1 + member.group), t));
      t_of_update = t;
      group = member.group;
    }
    const std::int64_t count = in[first_in].numel();
    if (count == 0) {
      continue;
    }
    Line& line = in[first_in].dtype() == Dtype::float32 ? float32_line : float64_line;
    const std::int64_t begin = line.empty() ? 0 : line.back().end;
    Segment& segment = line.emplace_back();
    segment.begin = begin;
    segment.end = begin + count;
    segment.update = updates.size() - 1;
    segment.states = member.states;
    for (std::size_t k = 0; k < member.states + 2; ++k) {
      segment.in[k] = in[first_in + k].bytes();
    }
    for (std::size_t k = 0; k < member.states + 1; ++k) {
      segment.out[k] = out[first_out + k].bytes();
    }
  }
  run_line<float>(float32_line, updates);
  run_line<double>(float64_line, updates);
  *out[0].data<double>() = number(0) + 1;
}

}  // namespace cadena::optim
