#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/indices.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <utility>

namespace cadena {
namespace ops {

void check_indices(const char* operation, const Input& indices, const Shape& shape, int axis) {
  Shape seen = indices.shape();
  const Strides strides = indices.strides();
  for (int i = 0; i < seen.size(); ++i) {
    if (strides[i] == 0 && seen[i] > 0) {
      seen[i] = 1;  // repeated
    }
  }
  const auto* data = indices.data<std::int64_t>();
  const std::int64_t position = kernels::first_outside(seen, strides, data, shape[axis]);
  if (position < 0) {
    return;
  }
  const Dims place = unravel(position, seen);
  std::int64_t offset = 0;
  for (int i = 0; i < seen.size(); ++i) {
    offset += place[i] * strides[i];
  }
  fail("{}: index {} at position {} is outside [0, {}) of axis {} of shape {}", operation,
       data[offset], place, shape[axis], axis, shape);
}

void check_index_dtype(const char* operation, const Tensor& indices) {
  if (!indices.defined()) {
    fail("{}: the tensor of indices is undefined", operation);
  }
  if (indices.dtype() != Dtype::int64) {
    fail("{}: indices are {}, expected int64", operation, name(indices.dtype()));
  }
}

void check_addends(const char* operation, const Tensor& x, const Tensor& source) {
  if (!source.defined()) {
    fail("{}: the source is undefined", operation);
  }
  if (x.dtype() != source.dtype()) {
    fail("{}: the source is {}, the tensor to add to {}; convert one with to(...)", operation,
         name(source.dtype()), name(x.dtype()));
  }
  if (x.dtype() < Dtype::int64) {
    fail(
        "{}: {} tensors hold data, not numbers to compute with; convert with to(float32) or "
        "to(int64)",
        operation, name(x.dtype()));
  }
}

Tensor zeros_of(const Type& type) { return expand(zeros({}, {.dtype = type.dtype}), type.shape); }

namespace {

/// Strides of [n] indices that count for whole slices.
Strides of_slices(const Strides& strides, int rank, int axis) {
  Strides result = Dims::filled(rank, 0);
  result[axis] = strides[0];
  return result;
}

kernels::Indexed indexed_along(int axis, const Shape& shape, const Strides& indices,
                               const Strides& data, const Shape& target_shape, Strides target) {
  const std::int64_t step = std::exchange(target[axis], 0);
  return {shape, axis, step, target_shape[axis], indices, data, target};
}

/// out = x with the source added at the indices.
void run_add(int axis, const Strides& indices, Inputs in, Outputs out) {
  const Strides strides = contiguous_strides(out[0].shape());
  dispatch(in[0].dtype(), [&]<class T>() {
    kernels::copy_elements(in[0].shape(), out[0].data<T>(), strides, in[0].data<T>(),
                           in[0].strides());
  });
  kernels::scatter_add(
      in[0].dtype(),
      indexed_along(axis, in[2].shape(), indices, in[2].strides(), out[0].shape(), strides),
      in[1].data<std::int64_t>(), in[2].bytes(), out[0].bytes());
}

struct IndexSelect {
  int axis;
  static constexpr Doc doc{"index_select", "y[..., i, ...] = x[..., indices[i], ...]"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const {
    Type type = in[0];
    type.shape[axis] = in[1].shape[0];
    return {type};
  }
  void run(Inputs in, Outputs out) const {
    check_indices(doc.name, in[1], in[0].shape(), axis);
    const Shape& shape = out[0].shape();
    kernels::gather(in[0].dtype(),
                    indexed_along(axis, shape, of_slices(in[1].strides(), shape.size(), axis),
                                  contiguous_strides(shape), in[0].shape(), in[0].strides()),
                    in[1].data<std::int64_t>(), in[0].bytes(), out[0].bytes());
  }
  Gradients vjp(const Backward& b) const {
    return {index_add(zeros_of(b.in_type(0)), axis, b.in(1), b.grad()), {}};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const IndexSelect&) const = default;
};

struct IndexAdd {
  int axis;
  static constexpr Doc doc{"index_add",
                           "y = x, then y[..., indices[i], ...] += source[..., i, ...]"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    check_indices(doc.name, in[1], in[0].shape(), axis);
    run_add(axis, of_slices(in[1].strides(), in[0].shape().size(), axis), in, out);
  }
  Gradients vjp(const Backward& b) const {
    return {b.grad(), {}, b.needs(2) ? index_select(b.grad(), axis, b.in(1)) : Tensor()};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const IndexAdd&) const = default;
};

struct Gather {
  int axis;
  static constexpr Doc doc{"gather", "y[i, j, k] = x[i, indices[i, j, k], k]"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, in[1].shape}}; }
  void run(Inputs in, Outputs out) const {
    check_indices(doc.name, in[1], in[0].shape(), axis);
    const Shape& shape = out[0].shape();
    kernels::gather(in[0].dtype(),
                    indexed_along(axis, shape, in[1].strides(), contiguous_strides(shape),
                                  in[0].shape(), in[0].strides()),
                    in[1].data<std::int64_t>(), in[0].bytes(), out[0].bytes());
  }
  Gradients vjp(const Backward& b) const {
    return {scatter_add(zeros_of(b.in_type(0)), axis, b.in(1), b.grad()), {}};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const Gather&) const = default;
};

struct ScatterAdd {
  int axis;
  static constexpr Doc doc{"scatter_add",
                           "y = x, then y[i, indices[i, j, k], k] += source[i, j, k]"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    check_indices(doc.name, in[1], in[0].shape(), axis);
    run_add(axis, in[1].strides(), in, out);
  }
  Gradients vjp(const Backward& b) const {
    return {b.grad(), {}, b.needs(2) ? gather(b.grad(), axis, b.in(1)) : Tensor()};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const ScatterAdd&) const = default;
};

/// Indices of whole slices as [n].
Tensor slice_indices(const char* operation, const Tensor& indices) {
  check_index_dtype(operation, indices);
  if (indices.dim() > 1) {
    fail("{}: indices have shape {}, expected one dimension; flatten them and reshape the result",
         operation, indices.shape());
  }
  return indices.dim() == 0 ? reshape(indices, {1}) : indices;
}

/// Throws unless `part` has as many dimensions as `shape`, none larger (save the axis).
void check_within(const char* operation, const Shape& part, const char* what, const Shape& shape,
                  int axis) {
  bool fits = part.size() == shape.size();
  for (int i = 0; fits && i < part.size(); ++i) {
    fits = i == axis || part[i] <= shape[i];
  }
  if (!fits) {
    fail("{}: indices of shape {} do not fit {} of shape {}{}", operation, part, what, shape,
         axis >= 0 ? fmt::format(" beside axis {}", axis) : std::string());
  }
}

}  // namespace
}  // namespace ops

Tensor index_select(const Tensor& x, std::int64_t axis, const Tensor& indices) {
  const int rank = detail::impl_of(x, "index_select").shape.size();
  const int a = normalize_axis(axis, rank, "index_select");
  return bind(ops::IndexSelect{a}, x, ops::slice_indices("index_select", indices));
}

Tensor index_add(const Tensor& x, std::int64_t axis, const Tensor& indices, const Tensor& source) {
  Shape expected = detail::impl_of(x, "index_add").shape;
  const int a = normalize_axis(axis, expected.size(), "index_add");
  const Tensor flat = ops::slice_indices("index_add", indices);
  ops::check_addends("index_add", x, source);
  expected[a] = flat.numel();
  if (source.shape() != expected) {
    fail("index_add: the source has shape {}, expected {} for {} indices along axis {} of shape {}",
         source.shape(), expected, flat.numel(), a, x.shape());
  }
  return bind(ops::IndexAdd{a}, x, flat, source);
}

Tensor gather(const Tensor& x, std::int64_t axis, const Tensor& indices) {
  const Shape& shape = detail::impl_of(x, "gather").shape;
  ops::check_index_dtype("gather", indices);
  const int a = normalize_axis(axis, std::max(shape.size(), 1), "gather");
  ops::check_within("gather", indices.shape(), "a tensor", shape, a);
  if (shape.empty()) {
    return reshape(gather(reshape(x, {1}), 0, reshape(indices, {1})), {});
  }
  return bind(ops::Gather{a}, x, indices);
}

Tensor scatter_add(const Tensor& x, std::int64_t axis, const Tensor& indices,
                   const Tensor& source) {
  const Shape& shape = detail::impl_of(x, "scatter_add").shape;
  ops::check_index_dtype("scatter_add", indices);
  ops::check_addends("scatter_add", x, source);
  const int a = normalize_axis(axis, std::max(shape.size(), 1), "scatter_add");
  ops::check_within("scatter_add", indices.shape(), "a tensor", shape, a);
  ops::check_within("scatter_add", indices.shape(), "a source", source.shape(), -1);
  if (shape.empty()) {
    const Shape line{1};
    return reshape(scatter_add(reshape(x, line), 0, reshape(indices, line), reshape(source, line)),
                   {});
  }
  Tensor addends = source;
  for (int i = 0; i < shape.size(); ++i) {
    addends = slice(addends, i, 0, indices.shape()[i]);
  }
  return bind(ops::ScatterAdd{a}, x, indices, addends);
}

void ops::list_gather(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -2, 2, seed);
  };
  const auto indices = [](const std::vector<std::int64_t>& given, const Shape& shape) {
    return from_vector(given, shape);
  };
  const auto along = [](auto f, std::int64_t axis) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return f(in, axis); };
  };
  const auto selecting = [](std::span<const Tensor> in, std::int64_t axis) {
    return index_select(in[0], axis, in[1]);
  };
  const Tensor repeated = indices({2, 0, 2, 1}, {4}), none = indices({}, {0});
  list.add({IndexSelect::doc,
            {{"rows", {values({3, 4}, 1), repeated}, along(selecting, 0)},
             {"columns, strided", {transpose(values({3, 4}, 2)), repeated}, along(selecting, -1)},
             {"0-d index", {values({3, 2}, 3), indices({1}, {})}, along(selecting, 0)},
             {"no index", {values({3, 2}, 4), none}, along(selecting, 0)},
             {"empty", {values({3, 0}, 5), repeated}, along(selecting, 0)}}});
  const auto index_adding = [](std::span<const Tensor> in, std::int64_t axis) {
    return index_add(in[0], axis, in[1], in[2]);
  };
  list.add(
      {IndexAdd::doc,
       {{"rows", {values({3, 2}, 6), repeated, values({4, 2}, 7)}, along(index_adding, 0)},
        {"columns, strided",
         {values({2, 3}, 8), repeated, transpose(values({4, 2}, 9))},
         along(index_adding, -1)},
        {"no index", {values({3, 2}, 10), none, values({0, 2}, 11)}, along(index_adding, 0)}}});
  const auto gathering = [](std::span<const Tensor> in, std::int64_t axis) {
    return gather(in[0], axis, in[1]);
  };
  const Tensor grid = indices({2, 0, 2, 1, 1, 0}, {2, 3});
  list.add({Gather::doc,
            {{"rows", {values({3, 3}, 12), grid}, along(gathering, 0)},
             {"columns, strided",
              {transpose(values({3, 3}, 13)), transpose(indices({1, 1, 0, 2, 2, 2}, {2, 3}))},
              along(gathering, -1)},
             {"fewer than beside the axis", {values({3, 5}, 14), grid}, along(gathering, 0)},
             {"0-d", {values({}, 15), indices({0}, {})}, along(gathering, 0)},
             {"no index", {values({3, 2}, 16), indices({}, {0, 2})}, along(gathering, 0)}}});
  const auto scattering = [](std::span<const Tensor> in, std::int64_t axis) {
    return scatter_add(in[0], axis, in[1], in[2]);
  };
  list.add({ScatterAdd::doc,
            {{"rows", {values({3, 3}, 17), grid, values({2, 3}, 18)}, along(scattering, 0)},
             {"columns, part of the source",
              {values({2, 4}, 19), grid, values({3, 3}, 20)},
              along(scattering, -1)},
             {"strided",
              {transpose(values({3, 3}, 21)), grid, transpose(values({3, 2}, 22))},
              along(scattering, 0)},
             {"0-d", {values({}, 23), indices({0}, {}), values({}, 24)}, along(scattering, 0)},
             {"no index",
              {values({3, 2}, 25), indices({}, {0, 2}), values({0, 2}, 26)},
              along(scattering, 0)}}});
}

}  // namespace cadena
