#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/index.hpp>
#include <cadena/autograd/ops/index_plan.hpp>
#include <cadena/autograd/ops/indices.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/rearrange.hpp>

#include <algorithm>
#include <atomic>

namespace cadena {
namespace ops {
namespace {

std::string attributes_of(const Selection& selection) {
  const Grid& grid = selection.grid;
  return fmt::format("{} size {} step {} indices along {}", grid.start, grid.size, grid.step,
                     selection.axes);
}

/// The elements of a selection in the memory of a tensor.
class Selected {
 public:
  /// Checks the indices, and makes one of all of them: of `step` elements each.
  Selected(const char* operation, const Selection& selection, Inputs indices, const Shape& shape,
           const Strides& strides)
      : layout_{selection.shape(), selection.place, 1, 1, {}, {}, {}},
        count_(selection.advanced ? numel(selection.indices) : 0),
        places_(count_) {
    const Axes& axes = selection.axes;
    layout_.indices = Dims::filled(layout_.shape.size(), 0);
    for (int i = 0; i < shape.size(); ++i) {
      start_ += selection.grid.start[i] * strides[i];
      if (std::find(axes.begin(), axes.end(), i) == axes.end()) {
        layout_.target.push_back(strides[i] * selection.grid.step[i]);
      }
    }
    if (!selection.advanced) {
      return;
    }
    layout_.target.insert(selection.place, 0);
    layout_.indices[selection.place] = 1;
    // In row-major memory the last axis has the smallest stride, which divides the others.
    const std::int64_t last = axes.empty() ? 1 : strides[static_cast<int>(axes.back())];
    layout_.step = last > 0 ? last : 1;
    for (std::int64_t axis : axes) {
      layout_.step = strides[static_cast<int>(axis)] % layout_.step == 0 ? layout_.step : 1;
    }
    std::fill_n(places_.data(), count_, 0);
    for (int k = 0; k < axes.size(); ++k) {
      const int axis = static_cast<int>(axes[k]);
      const std::int64_t step = strides[axis] / layout_.step;
      layout_.size += (std::max<std::int64_t>(shape[axis], 1) - 1) * step;
      add(operation, selection, indices[static_cast<std::size_t>(k)], shape, axis, step);
    }
  }

  /// With elements of `data` at these strides.
  kernels::Indexed with(const Strides& data) const {
    kernels::Indexed result = layout_;
    result.data = data;
    return result;
  }
  const std::int64_t* places() const noexcept { return places_.data(); }
  std::int64_t start() const noexcept { return start_; }

 private:
  void add(const char* operation, const Selection& selection, const Input& indices,
           const Shape& shape, int axis, std::int64_t step) {
    const auto* from = indices.data<std::int64_t>();
    const std::int64_t from_step = indices.strides()[0], size = shape[axis];
    const auto outside = [size](std::int64_t index) { return index < -size || index >= size; };
    std::atomic<bool> wrong{false};
    parallel_for(count_, kernels::moving_grain(count_), [&](std::int64_t begin, std::int64_t end) {
      bool any = false;
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t index = from[i * from_step];
        any |= outside(index);
        places_.data()[i] += (index < 0 ? index + size : index) * step;
      }
      if (any) {
        wrong.store(true, std::memory_order_relaxed);
      }
    });
    for (std::int64_t i = 0; wrong && i < count_; ++i) {
      if (outside(from[i * from_step])) {
        fail("{}: index {} at position {} is outside [{}, {}) of axis {} of size {}", operation,
             from[i * from_step], unravel(i, selection.indices), -size, size, axis, size);
      }
    }
  }

  kernels::Indexed layout_;
  std::int64_t count_, start_ = 0;
  kernels::Scratch<std::int64_t> places_;
};

/// x with other values at a selection, or with values added there.
struct IndexPut {
  Selection selection;
  bool accumulate;
  static constexpr Doc doc{"index_put", "y = x, then y[indices] = values, or += values",
                           "an element named twice: of the last value"};
  static constexpr Keep keep{~std::uint32_t{3}, false};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const;
  Gradients vjp(const Backward& b) const;
  std::string attributes() const {
    return attributes_of(selection) + (accumulate ? " accumulate" : "");
  }
  bool operator==(const IndexPut&) const = default;
};

/// A selection with tensors of indices. (Without, it is a view.)
struct IndexTake {
  Selection selection;
  static constexpr Doc doc{"index", "x[indices]"};
  static constexpr Keep keep{~std::uint32_t{1}, false};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, selection.shape()}}; }
  void run(Inputs in, Outputs out) const {
    const Selected selected(doc.name, selection, in.subspan(1), in[0].shape(), in[0].strides());
    kernels::Indexed indexed = selected.with(contiguous_strides(out[0].shape()));
    const std::size_t width = size_of(in[0].dtype());
    kernels::gather(in[0].dtype(), indexed, selected.places(),
                    in[0].bytes() + selected.start() * static_cast<std::int64_t>(width),
                    out[0].bytes());
  }
  Gradients vjp(const Backward& b) const;
  std::string attributes() const { return attributes_of(selection); }
  bool operator==(const IndexTake&) const = default;
};

Tensor take(const Selection& selection, const Tensor& x, std::span<const Tensor> indices) {
  if (!selection.advanced) {
    return view_of_grid(x, selection.grid);
  }
  std::vector<Tensor> inputs{x};
  inputs.insert(inputs.end(), indices.begin(), indices.end());
  return std::move(bind_all(IndexTake{selection}, inputs)[0]);
}

Tensor put(const Selection& selection, bool accumulate, const Tensor& x, const Tensor& values,
           std::span<const Tensor> indices) {
  std::vector<Tensor> inputs{x, values};
  inputs.insert(inputs.end(), indices.begin(), indices.end());
  return std::move(bind_all(IndexPut{selection, accumulate}, inputs)[0]);
}

std::vector<Tensor> kept_indices(const Backward& b, int first) {
  std::vector<Tensor> result;
  for (int k = first; k < b.inputs(); ++k) {
    result.push_back(b.in(k));
  }
  return result;
}

void IndexPut::run(Inputs in, Outputs out) const {
  const Shape& shape = out[0].shape();
  const Strides strides = contiguous_strides(shape);
  const Selected selected(doc.name, selection, in.subspan(2), shape, strides);
  const kernels::Indexed indexed = selected.with(in[1].strides());
  dispatch(in[0].dtype(), [&]<class T>() {
    kernels::copy_elements(shape, out[0].data<T>(), strides, in[0].data<T>(), in[0].strides());
    if (!selection.advanced && in[1].numel() > 0) {
      kernels::copy_elements(indexed.shape, out[0].data<T>() + selected.start(), indexed.target,
                             in[1].data<T>(), indexed.data);
    }
  });
  if (selection.advanced && in[1].numel() > 0) {
    const auto change = accumulate ? kernels::scatter_add : kernels::scatter_assign;
    const std::size_t width = size_of(in[0].dtype());
    change(in[0].dtype(), indexed, selected.places(), in[1].bytes(),
           out[0].bytes() + selected.start() * static_cast<std::int64_t>(width));
  }
}

/// For each place of the indices whether none that follows names the same element.
Tensor is_last(const Selection& selection, const Shape& shape, std::span<const Tensor> indices) {
  Selection along{{}, {}, selection.indices, 0, true};
  Shape sizes;
  for (std::int64_t axis : selection.axes) {
    along.axes.push_back(sizes.size());
    sizes.push_back(shape[static_cast<int>(axis)]);
  }
  along.grid = whole(sizes);
  const Tensor numbers = arange(static_cast<double>(numel(selection.indices)));
  const Tensor owners = put(along, false, zeros(sizes, {.dtype = Dtype::int64}), numbers, indices);
  return take(along, owners, indices) == numbers;
}

Gradients IndexPut::vjp(const Backward& b) const {
  const std::vector<Tensor> indices = kept_indices(b, 2);
  Gradients result(static_cast<std::size_t>(b.inputs()));
  if (b.needs(0)) {
    const Type& type = b.out_type();
    result[0] = accumulate ? b.grad()
                           : put(selection, false, b.grad(),
                                 zeros_of({type.dtype, selection.shape()}), indices);
  }
  if (b.needs(1)) {
    result[1] = take(selection, b.grad(), indices);
    if (selection.advanced && !accumulate) {
      Tensor last = is_last(selection, b.out_type().shape, indices);
      Shape beside = Dims::filled(selection.shape().size(), 1);
      beside[selection.place] = last.numel();
      result[1] = where(reshape(last, beside), result[1], 0.0);
    }
  }
  return result;
}

Gradients IndexTake::vjp(const Backward& b) const {
  Gradients result(static_cast<std::size_t>(b.inputs()));
  result[0] = put(selection, true, zeros_of(b.in_type(0)), b.grad(), kept_indices(b, 1));
  return result;
}

Tensor reshaped(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : reshape(x, shape);
}

/// A number as a value of the dtype; tensors must have it.
Tensor values_as(const Tensor& values, Dtype dtype, bool accumulate) {
  const char* operation = IndexPut::doc.name;
  if (!values.defined()) {
    fail("{}: the values are undefined", operation);
  }
  const bool fits = values.is_number() && represents(dtype, values.item()) &&
                    (is_floating(dtype) || !is_floating(values.dtype()));
  if (values.dtype() != dtype && !fits) {
    fail("{}: the {} {}, the tensor {}; convert one with to(...)", operation,
         values.is_number() ? fmt::format("number {} is", values.item()) : "values are",
         name(values.dtype()), name(dtype));
  }
  const Tensor ready = values.to(dtype);
  if (accumulate) {
    check_addends(operation, ready, ready);
  }
  return ready;
}

}  // namespace
}  // namespace ops

Tensor index(const Tensor& x, const std::vector<Index>& indices) {
  const Shape& shape = detail::impl_of(x, "index").shape;
  const ops::IndexPlan plan = ops::plan_index("index", shape, indices);
  Tensor selected = ops::take(plan.selection, x, plan.indices);
  if (!plan.backwards.empty()) {
    selected = flip(selected, plan.backwards);
  }
  return ops::reshaped(selected, plan.result);
}

Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& values,
                 bool accumulate) {
  const char* operation = "index_put";
  const detail::TensorImpl& impl = detail::impl_of(x, operation);
  const Tensor ready = ops::values_as(values, impl.dtype, accumulate);
  ops::IndexPlan plan = ops::plan_index(operation, impl.shape, indices);
  const Shape& given = ready.shape();
  if (given.size() > plan.result.size() ||
      broadcast_shapes(given, plan.result, operation) != plan.result) {
    fail("{}: values of shape {} do not broadcast to {}, which the indices name in shape {}",
         operation, given, plan.result, impl.shape);
  }
  Tensor source = ops::reshaped(expand(ready, plan.result), plan.selection.shape());
  if (!plan.backwards.empty()) {
    source = flip(source, plan.backwards);
  }
  if (accumulate && !plan.selection.advanced) {
    // Each element is named once.
    source = source + ops::view_of_grid(x, plan.selection.grid);
  }
  return ops::put(plan.selection, accumulate && plan.selection.advanced, x, source, plan.indices);
}

void ops::list_index(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -2, 2, seed);
  };
  const auto rows = [](const std::vector<std::int64_t>& given, const Shape& shape) {
    return from_vector(given, shape);
  };
  using In = std::span<const Tensor>;
  using Many = std::vector<Index>;
  using Parts = std::function<Many(In)>;
  struct Expression {
    const char* what;
    Shape shape;
    std::vector<Tensor> indices;
    Parts parts;
  };
  const Tensor twice = rows({2, 0, -1, 0}, {4});
  const auto one = [](const Index& part) -> Parts { return [=](In) { return Many{part}; }; };
  const std::vector<Expression> expressions{
      {"number", {3, 4}, {}, one(-1)},
      {"slice with a step", {5, 2}, {}, one(Slice{1, 5, 2})},
      {"slice backwards", {5, 2}, {}, one(Slice{-1, 0, -3})},
      {"nothing left", {5, 2}, {}, one(Slice{4, 2})},
      {"everything", {3, 2}, {}, one(ellipsis)},
      {"0-d", {}, {}, one(newaxis)},
      {"slices, newaxis, ellipsis",
       {3, 4, 2},
       {},
       [](In) {
         return Many{1, newaxis, ellipsis, Slice{0, 2}};
       }},
      {"rows", {3, 2}, {twice}, [](In in) { return Many{in[0]}; }},
      {"no rows", {3, 2}, {rows({}, {0})}, [](In in) { return Many{in[0]}; }},
      {"0-d index",
       {3, 2},
       {rows({1}, {})},
       [](In in) {
         return Many{ellipsis, in[0]};
       }},
      {"neighbours that broadcast, between slices",
       {2, 3, 3, 2},
       {twice, rows({0, 2}, {2, 1})},
       [](In in) {
         return Many{Slice{}, in[0], in[1], Slice{{}, {}, -1}};
       }},
      {"apart, a number among them",
       {2, 3, 2, 3},
       {rows({1, -2, 0, 1}, {2, 2})},
       [](In in) {
         return Many{Slice{}, in[0], newaxis, 1, Slice{0, 3, 2}};
       }},
      {"mask", {2, 3}, {values({2, 3}, 90) > 0}, [](In in) { return Many{in[0]}; }},
      {"mask of columns beside a slice",
       {2, 4},
       {values({4}, 91) > 0},
       [](In in) {
         return Many{Slice{1, 2}, in[0]};
       }},
      {"0-d mask", {2}, {tensor(true)}, [](In in) { return Many{in[0]}; }},
      {"empty", {0, 3}, {rows({}, {0})}, [](In in) { return Many{in[0]}; }},
  };
  OperatorEntry taking{IndexTake::doc, {}}, putting{IndexPut::doc, {}};
  std::uint64_t seed = 1;
  for (const Expression& each : expressions) {
    Sample sample{each.what, {values(each.shape, ++seed)}, [parts = each.parts](auto in) {
                    return index(in[0], parts(in.subspan(1)));
                  }};
    sample.inputs.insert(sample.inputs.end(), each.indices.begin(), each.indices.end());
    const Shape result = sample.call(sample.inputs).shape();
    taking.samples.push_back(sample);
    for (bool accumulate : {false, true}) {
      sample.what = std::string(each.what) + (accumulate ? ", accumulated" : "");
      sample.inputs[0] = values(each.shape, ++seed);
      sample.inputs.insert(sample.inputs.begin() + 1, values(result, ++seed));
      sample.call = [parts = each.parts, accumulate](auto in) {
        return index_put(in[0], parts(in.subspan(2)), in[1], accumulate);
      };
      putting.samples.push_back(sample);
      sample.inputs.erase(sample.inputs.begin() + 1);
    }
  }
  taking.samples.push_back(
      {"of a transposed tensor",
       {transpose(values({2, 3}, 92)), rows({1, 0}, {2, 1}), rows({-1, 0}, {2})},
       [](In in) {
         return index(in[0], {in[2], in[1]});
       }});
  putting.samples.push_back({"values that broadcast, into a transposed tensor",
                             {transpose(values({2, 3}, 93)), values({2}, 94), twice},
                             [](In in) { return index_put(in[0], {in[2]}, in[1]); }});
  list.add(std::move(taking));
  list.add(std::move(putting));
}

}  // namespace cadena
