#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/optim/plan.hpp>

#include <algorithm>

namespace cadena::optim {
namespace {

using detail::Ref;
using detail::TensorImpl;

constexpr std::int64_t serial = 32768;  // elements; below, a second thread does not pay
constexpr std::int64_t piece = 16384;

/// Whether the cell alone holds its value. The caller's own memory (`adopt`) is never written to.
bool writable(const Ref<TensorImpl>& impl) {
  return impl.unique() && impl->storage.unique() && impl->storage->release == nullptr;
}

}  // namespace

double number_in(const Cell& cell) {
  return *reinterpret_cast<const double*>(cell.value().impl()->data);
}

void set_number(const Cell& cell, double value) {
  const Ref<TensorImpl>& impl = cell.value().impl();
  if (writable(impl)) {
    *reinterpret_cast<double*>(impl->data) = value;
  } else {
    cell.assign(full({}, value, {.dtype = float64}));
  }
}

void Plan::clear() noexcept {
  updates_.clear();
  float32_.clear();
  float64_.clear();
  gradients_.clear();
  fresh_.clear();
  counted_.clear();
}

/// Where the new value of a cell is written.
std::byte* Plan::target(const Cell& cell) {
  const Ref<TensorImpl>& impl = cell.value().impl();
  if (writable(impl)) {
    return impl->data;
  }
  Ref<TensorImpl> memory = detail::make_impl(impl->dtype, impl->shape);
  std::byte* data = memory->data;
  fresh_.push_back({&cell, Tensor(std::move(memory))});
  return data;
}

void Plan::add(const Member& member, Tensor gradient) {
  const TensorImpl& parameter = *member.parameter.value().impl();
  const std::int64_t count = numel(parameter.shape);
  if (count == 0) {
    return;
  }
  std::vector<Segment>& line = parameter.dtype == float32 ? float32_ : float64_;
  const std::int64_t begin = line.empty() ? 0 : line.back().end;
  Segment& segment = line.emplace_back();
  segment.begin = begin;
  segment.end = begin + count;
  segment.update = updates_.size() - 1;
  segment.states = member.states.size();
  segment.in[0] = parameter.data;
  segment.in[1] = gradient.impl()->data;
  segment.out[0] = target(member.parameter);
  for (std::size_t k = 0; k < segment.states; ++k) {
    segment.in[k + 2] = member.states[k].value().impl()->data;
    segment.out[k + 1] = target(member.states[k]);
  }
  gradients_.push_back(std::move(gradient));
}

template <class T> void Plan::run_line(const std::vector<Segment>& line) const {
  if (line.empty()) {
    return;
  }
  constexpr bool is_float = dtype_of<T> == float32;
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
      const Update& update = updates_[segment->update];
      const auto kernel = is_float ? update.kernels->float32 : update.kernels->float64;
      kernel(update.constants, in.data(), out.data(), last - first);
    }
  };
  const std::int64_t total = line.back().end;
  parallel_for(total, total <= serial ? total : piece, body,
               is_float ? Denormals::flush : Denormals::keep);
}

void Plan::run() {
  run_line<float>(float32_);
  run_line<double>(float64_);
  for (Fresh& one : fresh_) {
    one.cell->put(std::move(one.value));
  }
  for (const Counted& one : counted_) {
    set_number(*one.cell, one.step);
  }
}

}  // namespace cadena::optim
