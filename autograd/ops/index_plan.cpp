#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/index_plan.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <algorithm>
#include <array>
#include <numeric>

namespace cadena::ops {
namespace {

using Sizes = SmallVector<std::int64_t, 2 * max_rank>;

/// How many dimensions of the tensor a part of the expression stands for.
int dimensions_of(const char* operation, const Index& part) {
  if (const auto* tensor = std::get_if<Tensor>(&part.value())) {
    const detail::TensorImpl& impl = detail::impl_of(*tensor, operation);
    if (impl.dtype != Dtype::int64 && impl.dtype != Dtype::boolean) {
      fail("{}: a tensor of indices is {}, expected int64, or boolean for a mask", operation,
           name(impl.dtype));
    }
    return impl.dtype == Dtype::boolean ? impl.shape.size() : 1;
  }
  return std::holds_alternative<std::int64_t>(part.value()) ||
                 std::holds_alternative<Slice>(part.value())
             ? 1
             : 0;
}

/// Where a mask is true: one tensor of indices for each of its dimensions.
std::vector<Tensor> places_of(const Tensor& mask) {
  constexpr std::int64_t block = 16384;
  const Shape& shape = mask.shape();
  const int rank = shape.size();
  const Tensor compact = mask.contiguous();
  const bool* const chosen = compact.data<bool>().data();
  const std::int64_t n = mask.numel(), blocks = (n + block - 1) / block;
  const kernels::Scratch<std::int64_t> starts(blocks + 1);
  std::int64_t* const start = starts.data();
  start[0] = 0;
  parallel_for(n, block, [&](std::int64_t begin, std::int64_t end) {
    start[begin / block + 1] = std::count(chosen + begin, chosen + end, true);
  });
  std::partial_sum(start, start + blocks + 1, start);
  const std::int64_t count = start[blocks];
  if (rank == 0) {  // of no dimension: how often it is true is all there is to it
    return {zeros({count}, {.dtype = Dtype::int64})};
  }
  std::vector<Tensor> result;
  std::array<std::int64_t*, max_rank> to{};
  for (int i = 0; i < rank; ++i) {
    result.emplace_back(detail::make_impl(Dtype::int64, {count}));
    to[static_cast<std::size_t>(i)] = reinterpret_cast<std::int64_t*>(result.back().impl()->data);
  }
  parallel_for(n, block, [&](std::int64_t begin, std::int64_t end) {
    constexpr std::int64_t few = 256;
    std::array<std::int64_t, few> found;
    std::int64_t next = start[begin / block];
    for (std::int64_t first = begin; first < end; first += few) {
      std::size_t hits = 0;
      for (std::int64_t p = first; p < std::min(first + few, end); ++p) {
        found[hits] = p;  // kept if it is chosen: a jump would be guessed wrong half the time
        hits += chosen[p] ? 1 : 0;
      }
      for (std::size_t k = 0; k < hits; ++k, ++next) {
        std::int64_t rest = found[k];
        for (int i = rank - 1; i > 0; --i) {
          to[static_cast<std::size_t>(i)][next] = rest % shape[i];
          rest /= shape[i];
        }
        to[0][next] = rest;
      }
    }
  });
  return result;
}

/// Reads an expression part by part.
class Reader {
 public:
  Reader(const char* operation, const Shape& shape) : operation_(operation), shape_(shape) {
    plan_.selection.grid = whole(shape);
  }

  IndexPlan read(const std::vector<Index>& parts) {
    int named = 0, ellipses = 0;
    bool tensors = false;
    for (const Index& part : parts) {
      named += dimensions_of(operation_, part);
      ellipses += std::holds_alternative<Ellipsis>(part.value()) ? 1 : 0;
      tensors = tensors || std::holds_alternative<Tensor>(part.value());
    }
    if (ellipses > 1) {
      fail("{}: expected at most one ellipsis, got {}", operation_, ellipses);
    }
    if (named > shape_.size()) {
      fail("{}: indices for {} dimensions of a tensor of shape {}", operation_, named, shape_);
    }
    plan_.selection.advanced = tensors;
    const int rest = shape_.size() - named;
    for (const Index& part : parts) {
      const bool chooses = std::holds_alternative<Tensor>(part.value()) ||
                           std::holds_alternative<std::int64_t>(part.value());
      if (tensors) {
        note_place(chooses);
      }
      if (std::holds_alternative<Ellipsis>(part.value())) {
        take_whole(rest);
      } else {
        std::visit([&](const auto& value) { take(value); }, part.value());
      }
    }
    take_whole(shape_.size() - axis_);
    finish();
    return std::move(plan_);
  }

 private:
  /// Keeps in mind where the first tensor or number stands, and whether something parts them.
  void note_place(bool chooses) {
    if (chooses && !seen_) {
      seen_ = true;
      plan_.selection.place = axis_;
      result_place_ = kept_.size();
    } else if (chooses && parted_) {
      plan_.selection.place = 0;
      result_place_ = 0;
    } else if (!chooses && seen_) {
      parted_ = true;
    }
  }

  void take(std::int64_t index) {
    const std::int64_t size = shape_[axis_];
    if (index < -size || index >= size) {
      fail("{}: index {} is outside [{}, {}) of axis {} of shape {}", operation_, index, -size,
           size, axis_, shape_);
    }
    plan_.selection.grid.start[axis_] = index < 0 ? index + size : index;
    plan_.selection.grid.size[axis_] = 1;
    ++axis_;
  }

  void take(const Slice& slice) {
    if (slice.step == 0) {
      fail("{}: the step of the slice of axis {} of shape {} is 0", operation_, axis_, shape_);
    }
    const bool back = slice.step < 0;
    Grid& grid = plan_.selection.grid;
    cut(grid, axis_, slice.start, slice.stop, slice.step);
    const std::int64_t count = grid.size[axis_];
    if (back && count > 1) {
      backwards_.push_back(axis_);
    }
    kept_.push_back(count);
    ++axis_;
  }

  void take(NewAxis) { kept_.push_back(1); }
  void take(Ellipsis) {}

  void take(const Tensor& tensor) {
    if (tensor.dtype() == Dtype::int64) {
      take_indices(tensor);
      return;
    }
    const Shape& mask = tensor.shape();
    for (int i = 0; i < mask.size(); ++i) {
      if (mask[i] != shape_[axis_ + i]) {
        fail("{}: a mask of shape {} does not fit axis {} of shape {} (size {} against {})",
             operation_, mask, axis_ + i, shape_, mask[i], shape_[axis_ + i]);
      }
    }
    const std::vector<Tensor> places = places_of(tensor);
    if (mask.empty()) {
      broadcast(places[0].shape());
    }
    for (int i = 0; i < mask.size(); ++i) {
      take_indices(places[static_cast<std::size_t>(i)]);
    }
  }

  void take_indices(const Tensor& indices) {
    broadcast(indices.shape());
    plan_.indices.push_back(indices);
    plan_.selection.axes.push_back(axis_++);
  }

  void broadcast(const Shape& indices) {
    plan_.selection.indices = broadcast_shapes(plan_.selection.indices, indices, operation_);
  }

  void take_whole(int count) {
    for (int i = 0; i < count; ++i) {
      kept_.push_back(shape_[axis_++]);
    }
  }

  void finish() {
    Selection& selection = plan_.selection;
    const Shape& indices = selection.indices;
    const std::size_t rank =
        kept_.size() + static_cast<std::size_t>(selection.advanced ? indices.size() : 0);
    if (rank > static_cast<std::size_t>(max_rank)) {
      fail("{}: the result has {} dimensions, at most {} are possible", operation_, rank, max_rank);
    }
    for (std::size_t i = 0; i <= kept_.size(); ++i) {
      for (int k = 0; selection.advanced && i == result_place_ && k < indices.size(); ++k) {
        plan_.result.push_back(indices[k]);
      }
      if (i < kept_.size()) {
        plan_.result.push_back(kept_[i]);
      }
    }
    check_shape(plan_.result, operation_);
    for (Tensor& each : plan_.indices) {
      each = reshape(expand(each, indices), {numel(indices)});
    }
    // Axes become dimensions of what is selected.
    for (std::int64_t axis : backwards_) {
      int dimension = 0;
      for (int i = 0; i < axis; ++i) {
        dimension += is_indexed(i) ? 0 : 1;
      }
      plan_.backwards.push_back(dimension +
                                (selection.advanced && dimension >= selection.place ? 1 : 0));
    }
  }

  bool is_indexed(int axis) const {
    const Axes& axes = plan_.selection.axes;
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  }

  const char* operation_;
  Shape shape_;
  IndexPlan plan_;
  int axis_ = 0;
  Sizes kept_;
  std::size_t result_place_ = 0;
  bool seen_ = false, parted_ = false;
  Axes backwards_;
};

}  // namespace

Shape Selection::shape() const {
  Shape result;
  for (int i = 0; i < grid.size.size(); ++i) {
    if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
      result.push_back(grid.size[i]);
    }
  }
  if (advanced) {
    result.insert(place, numel(indices));
  }
  return result;
}

IndexPlan plan_index(const char* operation, const Shape& shape, const std::vector<Index>& indices) {
  return Reader(operation, shape).read(indices);
}

}  // namespace cadena::ops
