#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/grid.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace cadena {
namespace ops {
namespace {

/// The values of x on a grid inside of a larger shape, `value` elsewhere: the transpose of Slice.
struct Pad {
  Shape shape;
  Grid grid;
  double value;
  static constexpr Doc doc{"pad", "y[start + i step] = x[i], value elsewhere"};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, shape}}; }
  void run(Inputs in, Outputs out) const;
  Gradients vjp(const Backward& b) const;
  std::string attributes() const {
    return fmt::format("{}, start {}, step {}", shape, grid.start, grid.step);
  }
  bool operator==(const Pad& other) const {
    return shape == other.shape && grid == other.grid &&
           std::bit_cast<std::uint64_t>(value) == std::bit_cast<std::uint64_t>(other.value);
  }
};

struct Slice {
  Grid grid;
  static constexpr Doc doc{"slice", "y[i] = x[start + i step]"};
  Layout view(const Layout& x) const {
    Layout y{grid.size, x.strides, x.offset};
    for (int i = 0; i < grid.size.size(); ++i) {
      y.offset += grid.start[i] * x.strides[i];
      y.strides[i] *= grid.step[i];
    }
    return y;
  }
  Gradients vjp(const Backward& b) const { return {bind(Pad{b.in_shape(0), grid, 0}, b.grad())}; }
  std::string attributes() const {
    return fmt::format("start {}, size {}, step {}", grid.start, grid.size, grid.step);
  }
  bool operator==(const Slice&) const = default;
};

Gradients Pad::vjp(const Backward& b) const { return {bind(Slice{grid}, b.grad())}; }

void Pad::run(Inputs in, Outputs out) const {
  const Strides strides = contiguous_strides(shape);
  Strides steps = strides;
  std::int64_t first = 0;
  for (int i = 0; i < shape.size(); ++i) {
    first += grid.start[i] * strides[i];
    steps[i] *= grid.step[i];
  }
  dispatch(in[0].dtype(), [&]<class T>() {
    T* to = out[0].data<T>();
    const T filling = static_cast<T>(value);
    kernels::copy_elements(shape, to, strides, &filling, Dims::filled(shape.size(), 0));
    if (in[0].numel() > 0) {
      kernels::copy_elements(in[0].shape(), to + first, steps, in[0].data<T>(), in[0].strides());
    }
  });
}

struct Select {
  int axis;
  std::int64_t index;
  static constexpr Doc doc{"select", "y[...] = x[..., index, ...]"};
  Layout view(const Layout& x) const {
    Layout y = x;
    y.offset += index * x.strides[axis];
    y.shape.erase(axis);
    y.strides.erase(axis);
    return y;
  }
  Gradients vjp(const Backward& b) const {
    Grid grid = whole(b.in_shape(0));
    grid.start[axis] = index;
    grid.size[axis] = 1;
    return {bind(Pad{b.in_shape(0), grid, 0}, unsqueeze(b.grad(), axis))};
  }
  std::string attributes() const { return fmt::format("axis {} index {}", axis, index); }
  bool operator==(const Select&) const = default;
};

}  // namespace

Grid whole(const Shape& shape) {
  return {Dims::filled(shape.size(), 0), shape, Dims::filled(shape.size(), 1)};
}

void cut(Grid& grid, int axis, std::optional<std::int64_t> start, std::optional<std::int64_t> stop,
         std::int64_t step) {
  const std::int64_t size = grid.size[axis];
  const bool back = step < 0;
  const auto clipped = [&](std::int64_t bound) {
    return std::clamp<std::int64_t>(bound < 0 ? bound + size : bound, back ? -1 : 0,
                                    back ? size - 1 : size);
  };
  const std::int64_t first = start ? clipped(*start) : back ? size - 1 : 0;
  const std::int64_t end = stop ? clipped(*stop) : back ? -1 : size;
  const std::int64_t length = back ? first - end : end - first;
  const std::int64_t stride = std::min(back ? -std::max(step, -max_elements) : step, max_elements);
  const std::int64_t count = length > 0 ? (length - 1) / stride + 1 : 0;
  grid.start[axis] = count == 0 ? 0 : back ? first - (count - 1) * stride : first;
  grid.size[axis] = count;
  grid.step[axis] = count > 1 ? stride : 1;
}

Tensor view_of_grid(const Tensor& x, const Grid& grid) {
  return grid.size == x.shape() ? x : bind(Slice{grid}, x);
}

bool represents(Dtype dtype, double value) {
  switch (dtype) {
    case Dtype::boolean:
      return value == 0 || value == 1;
    case Dtype::uint8:
      return value >= 0 && value <= 255 && value == std::floor(value);
    case Dtype::int64:
      return value >= -0x1p63 && value < 0x1p63 && value == std::floor(value);
    default:
      return true;
  }
}

}  // namespace ops

Tensor slice(const Tensor& x, std::int64_t axis, std::optional<std::int64_t> start,
             std::optional<std::int64_t> stop, std::int64_t step) {
  const Shape& shape = detail::impl_of(x, "slice").shape;
  const int a = normalize_axis(axis, shape.size(), "slice");
  if (step < 1) {
    fail("slice: expected a step of at least 1, got {}{}", step,
         step < 0 ? "; flip reverses an axis, index takes Slice{start, stop, step} backwards" : "");
  }
  ops::Grid grid = ops::whole(shape);
  ops::cut(grid, a, start, stop, step);
  return ops::view_of_grid(x, grid);
}

Tensor narrow(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t length) {
  const Shape& shape = detail::impl_of(x, "narrow").shape;
  const int a = normalize_axis(axis, shape.size(), "narrow");
  const std::int64_t size = shape[a];
  const std::int64_t begin = start < 0 ? start + size : start;
  if (begin < 0 || begin > size || length < 0 || length > size - begin) {
    fail("narrow: {} from {} are not inside of axis {} of size {}, shape {}", length, start, a,
         size, shape);
  }
  ops::Grid grid = ops::whole(shape);
  grid.start[a] = begin;
  grid.size[a] = length;
  return ops::view_of_grid(x, grid);
}

Tensor select(const Tensor& x, std::int64_t axis, std::int64_t index) {
  const Shape& shape = detail::impl_of(x, "select").shape;
  const int a = normalize_axis(axis, shape.size(), "select");
  const std::int64_t size = shape[a];
  if (index < -size || index >= size) {
    fail("select: index {} is outside [{}, {}) of axis {} of shape {}", index, -size, size, a,
         shape);
  }
  return bind(ops::Select{a, index < 0 ? index + size : index}, x);
}

Tensor Tensor::operator[](std::int64_t index) const { return select(*this, 0, index); }

Tensor pad(const Tensor& x, const std::vector<PadWidths>& widths, double value) {
  const detail::TensorImpl& impl = detail::impl_of(x, "pad");
  ops::Grid grid = ops::whole(impl.shape);
  if (widths.size() != static_cast<std::size_t>(grid.size.size())) {
    fail("pad: {} pairs of widths for a tensor of shape {}, expected one a dimension",
         widths.size(), impl.shape);
  }
  if (!ops::represents(impl.dtype, value)) {
    fail("pad: {} is not a value of {}", value, name(impl.dtype));
  }
  Shape padded = impl.shape;
  for (int i = 0; i < padded.size(); ++i) {
    const auto [before, after] = widths[static_cast<std::size_t>(i)];
    if (before < 0 || after < 0 || before > max_elements || after > max_elements) {
      fail("pad: widths {} and {} of axis {}: expected 0 to 2^56", before, after, i);
    }
    grid.start[i] = before;
    padded[i] += before + after;
  }
  check_shape(padded, "pad");
  return padded == impl.shape ? x : bind(ops::Pad{padded, grid, value}, x);
}

void ops::list_slices(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -2, 2, seed);
  };
  const auto slicing = [](std::int64_t axis, std::optional<std::int64_t> start,
                          std::optional<std::int64_t> stop, std::int64_t step) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return slice(in[0], axis, start, stop, step); };
  };
  list.add({Slice::doc,
            {{"middle", {values({3, 5}, 1)}, slicing(1, 1, 4, 1)},
             {"step", {values({3, 5, 2}, 2)}, slicing(1, 0, {}, 2)},
             {"negative axis and bounds", {values({3, 5}, 3)}, slicing(-2, -2, -1, 1)},
             {"step in a transposed tensor", {transpose(values({3, 5}, 4))}, slicing(0, 1, 100, 3)},
             {"nothing left", {values({3, 5}, 5)}, slicing(1, 4, 2, 1)},
             {"empty", {values({0, 3}, 6)}, slicing(0, 1, {}, 1)}}});
  const auto narrowing = [](std::int64_t axis, std::int64_t start,
                            std::int64_t length) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return narrow(in[0], axis, start, length); };
  };
  list.add({{"narrow", "y[..., i, ...] = x[..., start + i, ...], i < length"},
            {{"middle", {values({3, 5}, 17)}, narrowing(1, 1, 3)},
             {"negative axis and start", {values({3, 5}, 18)}, narrowing(-2, -2, 2)},
             {"all of a transposed tensor", {transpose(values({3, 2}, 19))}, narrowing(1, 0, 3)},
             {"nothing", {values({3, 5}, 20)}, narrowing(1, 5, 0)},
             {"empty", {values({2, 0}, 21)}, narrowing(0, 1, 1)}}});
  const auto selecting = [](std::int64_t axis, std::int64_t index) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return select(in[0], axis, index); };
  };
  list.add({Select::doc,
            {{"row", {values({3, 4}, 7)}, selecting(0, 1)},
             {"negative axis and index", {values({3, 4, 2}, 8)}, selecting(-2, -1)},
             {"to 0-d", {values({3}, 9)}, selecting(0, 2)},
             {"of a transposed tensor", {transpose(values({3, 4}, 10))}, selecting(0, 3)},
             {"empty", {values({2, 0}, 11)}, selecting(0, 1)}}});
  const auto padding = [](const std::vector<PadWidths>& widths, double value) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return pad(in[0], widths, value); };
  };
  list.add({Pad::doc,
            {{"both axes", {values({2, 3}, 12)}, padding({{1, 2}, {0, 3}}, 0)},
             {"another value", {values({2, 3}, 13)}, padding({{0, 1}, {2, 0}}, -1.5)},
             {"transposed", {transpose(values({2, 3}, 14))}, padding({{1, 1}, {1, 1}}, 0)},
             {"0-d", {values({}, 15)}, padding({}, 0)},
             {"empty", {values({0, 2}, 16)}, padding({{2, 1}, {0, 0}}, 3)}}});
}

}  // namespace cadena
