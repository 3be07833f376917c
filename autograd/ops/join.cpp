#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

namespace cadena {
namespace ops {
namespace {

/// How an axis is divided into parts.
struct Parts {
  int axis;
  bool stacked;                      ///< Parts have size 1 and lack the axis.
  std::vector<std::int64_t> bounds;  ///< Part k is [bounds[k], bounds[k + 1]).

  std::size_t count() const noexcept { return bounds.size() - 1; }
  std::int64_t size(std::size_t k) const noexcept { return bounds[k + 1] - bounds[k]; }
  bool operator==(const Parts&) const = default;

  /// Calls copy(k, offset, strides) for each part, with its place in the memory of the whole.
  template <class Copy> void run(const Shape& shape, const Strides& whole, Copy&& copy) const {
    Strides strides = whole;
    if (stacked) {
      strides.erase(axis);
    }
    const auto parts = static_cast<std::int64_t>(count());
    // Small parts are copied many at a time, large ones are cut further. A part costs as much as
    // some 64 elements.
    const std::int64_t cost = numel(shape) + 64 * parts;
    const std::int64_t grain =
        std::max<std::int64_t>(kernels::moving_grain(cost) * parts / cost, 1);
    parallel_for(parts, grain, [&](std::int64_t begin, std::int64_t end) {
      for (auto k = static_cast<std::size_t>(begin); k < static_cast<std::size_t>(end); ++k) {
        copy(k, bounds[k] * whole[axis], strides);
      }
    });
  }

  std::string attributes() const { return fmt::format("axis {} parts {}", axis, count()); }
};

std::vector<Tensor> take_apart(const Tensor& x, const Parts& parts);

/// Parts put together; `stacked` parts along a new axis.
struct Join {
  Parts parts;
  Types infer(std::span<const Type> in) const {
    Type type = in[0];
    if (parts.stacked) {
      type.shape.insert(parts.axis, parts.bounds.back());
    } else {
      type.shape[parts.axis] = parts.bounds.back();
    }
    return {type};
  }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = out[0].shape();
    dispatch(out[0].dtype(), [&]<class T>() {
      T* to = out[0].data<T>();
      parts.run(shape, contiguous_strides(shape),
                [&](std::size_t k, std::int64_t offset, const Strides& strides) {
                  kernels::copy_elements(in[k].shape(), to + offset, strides, in[k].data<T>(),
                                         in[k].strides());
                });
    });
  }
  Gradients vjp(const Backward& b) const;
  std::string attributes() const { return parts.attributes(); }
  bool operator==(const Join&) const = default;
};

struct Cat : Join {
  static constexpr Doc doc{"cat", "x_0, x_1, ... one after another along an axis"};
  static constexpr bool strided = true;
  bool operator==(const Cat&) const = default;
};

struct Stack : Join {
  static constexpr Doc doc{"stack", "y[..., k, ...] = x_k"};
  static constexpr bool strided = true;
  bool operator==(const Stack&) const = default;
};

Tensor join(Parts parts, std::span<const Tensor> tensors) {
  return std::move(parts.stacked ? bind_all(Stack{{std::move(parts)}}, tensors)[0]
                                 : bind_all(Cat{{std::move(parts)}}, tensors)[0]);
}

/// The parts of x, copied.
struct Separate {
  Parts parts;
  Types infer(std::span<const Type> in) const {
    Types types;
    types.reserve(parts.count());
    for (std::size_t k = 0; k < parts.count(); ++k) {
      Type& type = types.emplace_back(in[0]);
      if (parts.stacked) {
        type.shape.erase(parts.axis);
      } else {
        type.shape[parts.axis] = parts.size(k);
      }
    }
    return types;
  }
  void run(Inputs in, Outputs out) const {
    dispatch(in[0].dtype(), [&]<class T>() {
      const T* from = in[0].data<T>();
      parts.run(in[0].shape(), in[0].strides(),
                [&](std::size_t k, std::int64_t offset, const Strides& strides) {
                  const Shape& shape = out[k].shape();
                  kernels::copy_elements(shape, out[k].data<T>(), contiguous_strides(shape),
                                         from + offset, strides);
                });
    });
  }
  Gradients vjp(const Backward& b) const {
    std::vector<Tensor> gradients;
    gradients.reserve(parts.count());
    for (std::size_t k = 0; k < parts.count(); ++k) {
      gradients.push_back(b.grad(static_cast<int>(k)));
    }
    return {join(parts, gradients)};
  }
  std::string attributes() const { return parts.attributes(); }
  bool operator==(const Separate&) const = default;
};

struct Split : Separate {
  static constexpr Doc doc{"split", "y_k = x[..., begin_k:end_k, ...]"};
  static constexpr bool strided = true;
  bool operator==(const Split&) const = default;
};

struct Unbind : Separate {
  static constexpr Doc doc{"unbind", "y_k = x[..., k, ...]"};
  static constexpr bool strided = true;
  bool operator==(const Unbind&) const = default;
};

Tensor one_part(const Tensor& x, const Parts& parts, std::size_t k) {
  return parts.stacked ? select(x, parts.axis, parts.bounds[k])
                       : slice(x, parts.axis, parts.bounds[k], parts.bounds[k + 1]);
}

std::vector<Tensor> take_apart(const Tensor& x, const Parts& parts) {
  std::vector<Tensor> result;
  result.reserve(parts.count());
  if (parts.count() > 1 && modes().grad_enabled && x.requires_grad()) {
    // Views would each bring a gradient of the whole size.
    Tensors outputs =
        parts.stacked ? bind_all(Unbind{{parts}}, {&x, 1}) : bind_all(Split{{parts}}, {&x, 1});
    for (Tensor& output : outputs) {
      result.push_back(std::move(output));
    }
    return result;
  }
  for (std::size_t k = 0; k < parts.count(); ++k) {
    result.push_back(one_part(x, parts, k));
  }
  return result;
}

Gradients Join::vjp(const Backward& b) const {
  Gradients gradients(parts.count());
  const Tensor grad = b.grad();
  std::size_t needed = 0;
  for (std::size_t k = 0; k < parts.count(); ++k) {
    needed += b.needs(static_cast<int>(k)) ? 1 : 0;
  }
  const bool together = needed > 1 && modes().grad_enabled && grad.requires_grad();
  std::vector<Tensor> all = together ? take_apart(grad, parts) : std::vector<Tensor>();
  for (std::size_t k = 0; k < parts.count(); ++k) {
    if (b.needs(static_cast<int>(k))) {
      gradients[k] = together ? std::move(all[k]) : one_part(grad, parts, k);
    }
  }
  return gradients;
}

/// Checks that the tensors are there, and gives them one dtype.
std::vector<Tensor> promoted(const char* operation, std::span<const Tensor> tensors) {
  if (tensors.empty()) {
    fail("{}: expected at least one tensor", operation);
  }
  for (std::size_t k = 0; k < tensors.size(); ++k) {
    if (!tensors[k].defined()) {
      fail("{}: tensor {} is undefined", operation, k);
    }
  }
  const Dtype dtype = result_dtype(tensors);
  std::vector<Tensor> result(tensors.begin(), tensors.end());
  for (Tensor& tensor : result) {
    tensor = tensor.to(dtype);
  }
  return result;
}

}  // namespace
}  // namespace ops

Tensor cat(std::span<const Tensor> tensors, std::int64_t axis) {
  const std::vector<Tensor> ready = ops::promoted("cat", tensors);
  Shape expected = ready[0].shape();
  if (expected.empty()) {
    fail("cat: tensor 0 is 0-d and has no axis; stack adds one");
  }
  const int a = normalize_axis(axis, expected.size(), "cat");
  ops::Parts parts{a, false, {0}};
  parts.bounds.reserve(ready.size() + 1);
  for (std::size_t k = 0; k < ready.size(); ++k) {
    const Shape& shape = ready[k].shape();
    if (shape.size() == expected.size()) {
      expected[a] = shape[a];
    }
    if (shape != expected) {
      fail("cat: tensor {} has shape {}, tensor 0 has {}: they may differ in axis {} only", k,
           shape, ready[0].shape(), a);
    }
    parts.bounds.push_back(parts.bounds.back() + shape[a]);
    expected[a] = parts.bounds.back();
    check_shape(expected, "cat");
  }
  return ops::join(std::move(parts), ready);
}

Tensor stack(std::span<const Tensor> tensors, std::int64_t axis) {
  const std::vector<Tensor> ready = ops::promoted("stack", tensors);
  const Shape& first = ready[0].shape();
  ops::Parts parts{normalize_axis(axis, first.size() + 1, "stack"), true, {0}};
  parts.bounds.reserve(ready.size() + 1);
  for (std::size_t k = 0; k < ready.size(); ++k) {
    if (ready[k].shape() != first) {
      fail("stack: tensor {} has shape {}, tensor 0 has {}: they must agree", k, ready[k].shape(),
           first);
    }
    parts.bounds.push_back(static_cast<std::int64_t>(k) + 1);
  }
  Shape stacked = first;
  stacked.insert(parts.axis, parts.bounds.back());
  check_shape(stacked, "stack");
  return ops::join(std::move(parts), ready);
}

Tensor cat(std::initializer_list<Tensor> tensors, std::int64_t axis) {
  return cat(std::span<const Tensor>(tensors.begin(), tensors.size()), axis);
}

Tensor stack(std::initializer_list<Tensor> tensors, std::int64_t axis) {
  return stack(std::span<const Tensor>(tensors.begin(), tensors.size()), axis);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<std::int64_t>& sizes,
                          std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, "split").shape;
  ops::Parts parts{normalize_axis(axis, shape.size(), "split"), false, {0}};
  const std::int64_t whole = shape[parts.axis];
  parts.bounds.reserve(sizes.size() + 1);
  for (std::int64_t size : sizes) {
    const std::int64_t left = whole - parts.bounds.back();
    if (size < 0 || size > left) {
      fail("split: piece {} of size {} does not fit the {} left of axis {} of shape {}",
           parts.count(), size, left, parts.axis, shape);
    }
    parts.bounds.push_back(parts.bounds.back() + size);
  }
  if (parts.bounds.back() != whole) {
    fail("split: pieces of sizes that sum to {} do not fill axis {} of shape {}",
         parts.bounds.back(), parts.axis, shape);
  }
  return ops::take_apart(x, parts);
}

std::vector<Tensor> split(const Tensor& x, std::initializer_list<std::int64_t> sizes,
                          std::int64_t axis) {
  return split(x, std::vector<std::int64_t>(sizes), axis);
}

std::vector<Tensor> split(const Tensor& x, std::int64_t size, std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, "split").shape;
  const int a = normalize_axis(axis, shape.size(), "split");
  if (size < 1) {
    fail("split: expected pieces of at least 1, got {}", size);
  }
  std::vector<std::int64_t> sizes;
  for (std::int64_t left = shape[a]; left > 0; left -= size) {
    sizes.push_back(std::min(size, left));
  }
  if (sizes.empty()) {
    sizes.push_back(0);
  }
  return split(x, sizes, a);
}

std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, "chunk").shape;
  const int a = normalize_axis(axis, shape.size(), "chunk");
  if (count < 1) {
    fail("chunk: expected at least 1 piece, got {}", count);
  }
  const std::int64_t size = shape[a] / count + (shape[a] % count != 0 ? 1 : 0);
  return split(x, std::max<std::int64_t>(size, 1), a);
}

std::vector<Tensor> unbind(const Tensor& x, std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, "unbind").shape;
  ops::Parts parts{normalize_axis(axis, shape.size(), "unbind"), true, {0}};
  for (std::int64_t k = 1; k <= shape[parts.axis]; ++k) {
    parts.bounds.push_back(k);
  }
  return ops::take_apart(x, parts);
}

void ops::list_joins(OpList& list) {
  const auto piece = [](const char* operation, const std::vector<Tensor>& pieces, std::size_t k) {
    if (k >= pieces.size()) {
      fail("{}: {} pieces along the axis, no piece {}", operation, pieces.size(), k);
    }
    return pieces[k];
  };
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -2, 2, seed);
  };
  const auto catting = [](std::int64_t axis) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return cat(in, axis); };
  };
  list.add(
      {Cat::doc,
       {{"rows", {values({2, 3}, 1), values({1, 3}, 2), values({3, 3}, 3)}, catting(0)},
        {"columns, one transposed", {values({2, 3}, 4), transpose(values({4, 2}, 5))}, catting(-1)},
        {"one tensor", {values({3}, 6)}, catting(0)},
        {"one empty", {values({0, 3}, 7), values({2, 3}, 8)}, catting(0)},
        {"empty", {values({0, 3}, 9), values({0, 3}, 10)}, catting(1)}}});
  const auto stacking = [](std::int64_t axis) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return stack(in, axis); };
  };
  list.add({Stack::doc,
            {{"first", {values({2, 3}, 11), values({2, 3}, 12)}, stacking(0)},
             {"last, one transposed",
              {values({2, 3}, 13), transpose(values({3, 2}, 14)), values({2, 3}, 15)},
              stacking(-1)},
             {"0-d", {values({}, 16), values({}, 17)}, stacking(0)},
             {"empty", {values({0}, 18), values({0}, 19)}, stacking(1)}}});
  const auto splitting = [piece](const std::vector<std::int64_t>& sizes, std::int64_t axis,
                                 std::size_t k) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return piece("split", split(in[0], sizes, axis), k); };
  };
  list.add({Split::doc,
            {{"rows", {values({5, 2}, 20)}, splitting({2, 3}, 0, 1)},
             {"columns, strided", {transpose(values({5, 2}, 21))}, splitting({1, 0, 4}, -1, 2)},
             {"nothing", {values({5, 2}, 22)}, splitting({5, 0}, 0, 1)},
             {"empty", {values({0, 2}, 23)}, splitting({0, 0}, 0, 0)}}});
  const auto chunking = [piece](std::int64_t count, std::int64_t axis,
                                std::size_t k) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return piece("chunk", chunk(in[0], count, axis), k); };
  };
  list.add({{"chunk", "split into pieces of one size"},
            {{"rows, the last one smaller", {values({5, 2}, 28)}, chunking(2, 0, 1)},
             {"columns", {values({2, 6}, 29)}, chunking(3, -1, 0)},
             {"one piece", {values({5, 2}, 30)}, chunking(1, 0, 0)},
             {"empty", {values({0, 2}, 31)}, chunking(2, 0, 0)}}});
  const auto unbinding = [piece](std::int64_t axis, std::size_t k) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return piece("unbind", unbind(in[0], axis), k); };
  };
  list.add({Unbind::doc,
            {{"rows", {values({3, 2}, 24)}, unbinding(0, 1)},
             {"columns, strided", {transpose(values({3, 2}, 25))}, unbinding(-1, 2)},
             {"to 0-d", {values({3}, 26)}, unbinding(0, 0)},
             {"empty", {values({2, 0}, 27)}, unbinding(0, 1)}}});
}

}  // namespace cadena
