#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/rearrange.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

struct Flip {
  Axes axes;
  static constexpr Doc doc{"flip", "y[..., i, ...] = x[..., n - 1 - i, ...]"};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    Strides strides = in[0].strides();
    std::int64_t last = 0;
    for (std::int64_t each : axes) {
      const int axis = static_cast<int>(each);
      last += (shape[axis] - 1) * strides[axis];
      strides[axis] = -strides[axis];
    }
    dispatch(in[0].dtype(), [&]<class T>() {
      kernels::copy_elements(shape, out[0].data<T>(), contiguous_strides(shape),
                             in[0].data<T>() + (in[0].numel() > 0 ? last : 0), strides);
    });
  }
  Gradients vjp(const Backward& b) const { return {bind(Flip{axes}, b.grad())}; }
  std::string attributes() const { return "axes " + to_string(axes); }
  bool operator==(const Flip&) const = default;
};

/// One shift in [0, size) a dimension.
struct Roll {
  Dims shifts;
  static constexpr Doc doc{"roll", "y[..., (i + shift) mod n, ...] = x[..., i, ...]"};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    const Strides from = in[0].strides(), to = contiguous_strides(shape);
    // Along each shifted dimension the values are cut in two, so that they are 2^k boxes.
    Axes cut;
    for (int axis = 0; axis < shape.size(); ++axis) {
      if (shifts[axis] != 0) {
        cut.push_back(axis);
      }
    }
    dispatch(in[0].dtype(), [&]<class T>() {
      for (std::uint32_t box = 0; box < std::uint32_t{1} << cut.size(); ++box) {
        Shape size = shape;
        const T* first = in[0].data<T>();
        T* place = out[0].data<T>();
        for (int k = 0; k < cut.size(); ++k) {
          const int axis = static_cast<int>(cut[k]);
          const std::int64_t stays = shape[axis] - shifts[axis];
          const bool comes_in = (box >> k & 1) != 0;
          size[axis] = comes_in ? shifts[axis] : stays;
          first += comes_in ? stays * from[axis] : 0;
          place += comes_in ? 0 : shifts[axis] * to[axis];
        }
        kernels::copy_elements(size, place, to, first, from);
      }
    });
  }
  Gradients vjp(const Backward& b) const {
    Roll back = *this;
    for (int axis = 0; axis < shifts.size(); ++axis) {
      back.shifts[axis] = shifts[axis] > 0 ? b.grad().shape()[axis] - shifts[axis] : 0;
    }
    return {bind(back, b.grad())};
  }
  std::string attributes() const { return "shifts " + to_string(shifts); }
  bool operator==(const Roll&) const = default;
};

/// Normalized axes in the order in which they are named.
Axes named_axes(const char* operation, const Axes& axes, const Shape& shape) {
  Axes result;
  for (std::int64_t axis : axes) {
    result.push_back(normalize_axis(axis, shape.size(), operation));
  }
  return result;
}

}  // namespace
}  // namespace ops

Tensor flip(const Tensor& x, const Axes& axes) {
  const Shape& shape = detail::impl_of(x, "flip").shape;
  return bind(ops::Flip{normalize_axes(axes, shape.size(), "flip")}, x);
}

Tensor roll(const Tensor& x, const Dims& shifts, const Axes& axes) {
  const Shape& shape = detail::impl_of(x, "roll").shape;
  if (axes.empty() && shifts.size() == 1) {
    return reshape(roll(reshape(x, {x.numel()}), shifts, 0), shape);
  }
  if (axes.size() != shifts.size()) {
    fail("roll: {} shifts {} for {} axes {} of a tensor of shape {}", shifts.size(), shifts,
         axes.size(), axes, shape);
  }
  const Axes named = ops::named_axes("roll", axes, shape);
  Dims all = Dims::filled(shape.size(), 0);
  for (int k = 0; k < named.size(); ++k) {
    const int axis = static_cast<int>(named[k]);
    const std::int64_t size = std::max<std::int64_t>(shape[axis], 1);
    all[axis] = (all[axis] + shifts[k] % size + size) % size;
  }
  return bind(ops::Roll{all}, x);
}

Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination) {
  const Shape& shape = detail::impl_of(x, "movedim").shape;
  if (source.size() != destination.size()) {
    fail("movedim: {} axes {} to {} places {}", source.size(), source, destination.size(),
         destination);
  }
  const Axes from = ops::named_axes("movedim", source, shape),
             to = ops::named_axes("movedim", destination, shape);
  Axes order = Dims::filled(shape.size(), -1);
  std::uint32_t moved = 0, taken = 0;
  for (int k = 0; k < from.size(); ++k) {
    const std::uint32_t axis = std::uint32_t{1} << from[k], place = std::uint32_t{1} << to[k];
    if ((moved & axis) != 0 || (taken & place) != 0) {
      fail("movedim: axis {} to {}: expected each axis and each place once in {} and {}", source[k],
           destination[k], source, destination);
    }
    moved |= axis;
    taken |= place;
    order[static_cast<int>(to[k])] = from[k];
  }
  int next = 0;
  for (std::int64_t& axis : order) {
    if (axis < 0) {
      while ((moved >> next & 1) != 0) {
        ++next;
      }
      axis = next++;
    }
  }
  return permute(x, order);
}

Tensor unflatten(const Tensor& x, std::int64_t axis, const Shape& sizes) {
  const Shape& shape = detail::impl_of(x, "unflatten").shape;
  const int a = normalize_axis(axis, shape.size(), "unflatten");
  std::int64_t known = 1;
  int unknown = -1;
  bool fits = !sizes.empty() && sizes.size() + shape.size() - 1 <= max_rank;
  for (int i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == -1 && unknown < 0) {
      unknown = i;
    } else {
      fits = fits && sizes[i] >= 0 && !__builtin_mul_overflow(known, sizes[i], &known);
    }
  }
  fits = fits && (unknown < 0 ? known == shape[a] : known > 0 && shape[a] % known == 0);
  if (!fits) {
    fail("unflatten: axis {} of shape {} cannot be divided into {}", a, shape, sizes);
  }
  Shape divided;
  for (int i = 0; i < shape.size(); ++i) {
    if (i != a) {
      divided.push_back(shape[i]);
      continue;
    }
    for (int k = 0; k < sizes.size(); ++k) {
      divided.push_back(k == unknown ? shape[a] / known : sizes[k]);
    }
  }
  return reshape(x, divided);
}

void ops::list_rearrange(OpList& list) {
  std::uint64_t seed = 0;
  const auto values = [&](const Shape& shape) { return sample_values(shape, -2, 2, ++seed); };
  const auto one = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  list.add({Flip::doc,
            {{"all", {values({3, 2})}, one([](auto& x) { return flip(x); })},
             {"last axis", {values({2, 3})}, one([](auto& x) { return flip(x, -1); })},
             {"axes apart", {values({2, 3, 2})}, one([](auto& x) {
                return flip(x, {0, -1});
              })},
             {"of a transposed tensor", {transpose(values({2, 3}))}, one([](auto& x) {
                return flip(x, 0);
              })},
             {"0-d", {values({})}, one([](auto& x) { return flip(x); })},
             {"empty", {values({0, 3})}, one([](auto& x) { return flip(x, 0); })}}});
  list.add({Roll::doc,
            {{"all values", {values({2, 3})}, one([](auto& x) { return roll(x, 2); })},
             {"backwards and far", {values({5, 2})}, one([](auto& x) { return roll(x, -7, 0); })},
             {"two axes, one of them twice", {values({3, 4})}, one([](auto& x) {
                return roll(x, {1, -1, 1}, {0, -1, 0});
              })},
             {"of a transposed tensor", {transpose(values({2, 3}))}, one([](auto& x) {
                return roll(x, 1, 0);
              })},
             {"nowhere", {values({3})}, one([](auto& x) { return roll(x, 3, 0); })},
             {"0-d", {values({})}, one([](auto& x) { return roll(x, 1); })},
             {"empty", {values({0, 3})}, one([](auto& x) {
                return roll(x, {1, 1}, {0, 1});
              })}}});
  list.add({{"repeat", "y[i] = x[i mod n]"},
            {{"both dimensions", {values({2, 3})}, one([](auto& x) {
                return repeat(x, {2, 3});
              })},
             {"a new dimension", {values({2, 2})}, one([](auto& x) {
                return repeat(x, {2, 1, 2});
              })},
             {"of a transposed tensor", {transpose(values({2, 3}))}, one([](auto& x) {
                return repeat(x, {1, 2});
              })},
             {"never", {values({2, 3})}, one([](auto& x) {
                return repeat(x, {0, 2});
              })},
             {"0-d", {values({})}, one([](auto& x) {
                return repeat(x, {2, 2});
              })},
             {"empty", {values({0, 3})}, one([](auto& x) {
                return repeat(x, {2, 2});
              })}}});
  list.add({{"tile", "y[i] = x[i mod n]"},
            {{"last dimension", {values({2, 3})}, one([](auto& x) { return tile(x, 2); })},
             {"a new dimension", {values({2})}, one([](auto& x) {
                return tile(x, {3, 2});
              })},
             {"0-d", {values({})}, one([](auto& x) { return tile(x, 3); })},
             {"empty", {values({2, 0})}, one([](auto& x) { return tile(x, 2); })}}});
  list.add(
      {{"repeat_interleave", "y[..., i, ...] = x[..., i / repeats, ...]"},
       {{"first axis", {values({2, 3})}, one([](auto& x) { return repeat_interleave(x, 2, 0); })},
        {"last axis, strided", {transpose(values({2, 3}))}, one([](auto& x) {
           return repeat_interleave(x, 3, -1);
         })},
        {"all values", {values({2, 2})}, one([](auto& x) { return repeat_interleave(x, 2); })},
        {"0-d", {values({})}, one([](auto& x) { return repeat_interleave(x, 2); })},
        {"empty", {values({0, 3})}, one([](auto& x) { return repeat_interleave(x, 2, 1); })}}});
  list.add({{"movedim", "permute with axes at stated places"},
            {{"first to last", {values({2, 3, 2})}, one([](auto& x) { return movedim(x, 0, -1); })},
             {"two", {values({2, 3, 4})}, one([](auto& x) {
                return movedim(x, {0, 1}, {-1, 0});
              })},
             {"empty", {values({0, 3})}, one([](auto& x) { return movedim(x, 1, 0); })}}});
  list.add({{"unflatten", "reshape with a dimension divided"},
            {{"rows", {values({6, 2})}, one([](auto& x) {
                return unflatten(x, 0, {2, -1});
              })},
             {"last, of a transposed tensor", {transpose(values({4, 3}))}, one([](auto& x) {
                return unflatten(x, -1, {2, 2});
              })},
             {"empty", {values({0, 3})}, one([](auto& x) {
                return unflatten(x, 0, {2, 0});
              })}}});
  // All of them, for each has a gradient. Enlarged they would not fit into memory.
  const auto meshing = [](Indexing indexing) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return stack(meshgrid(in, indexing)); };
  };
  list.add(
      {{"meshgrid", "y_k[i_0, i_1, ...] = x_k[i_k]"},
       {{"two", {values({2}), values({3})}, meshing(Indexing::ij), true, false},
        {"three, one 0-d",
         {values({2}), values({}), values({3})},
         meshing(Indexing::ij),
         true,
         false},
        {"of a plane", {values({2}), values({3}), values({2})}, meshing(Indexing::xy), true, false},
        {"empty", {values({2}), values({0})}, meshing(Indexing::xy)}}});
}

}  // namespace cadena
