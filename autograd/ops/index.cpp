#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
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
#include <cadena/autograd/ops/search.hpp>
#include <cadena/autograd/ops/selected.hpp>

namespace cadena {
namespace ops {
namespace {

std::string attributes_of(const Selection& selection) {
  const Grid& grid = selection.grid;
  return fmt::format("{} size {} step {} indices along {}", grid.start, grid.size, grid.step,
                     selection.axes);
}

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
  const std::int64_t count = numel(selection.indices);
  Selection along{{}, {}, selection.indices, 0, true};
  Shape sizes;
  for (std::int64_t axis : selection.axes) {
    along.axes.push_back(sizes.size());
    sizes.push_back(shape[static_cast<int>(axis)]);
  }
  along.grid = whole(sizes);
  std::vector<Tensor> of_few;
  if (numel(sizes) > 4 * count) {  // the elements that are named, numbered
    Tensor flat = zeros({count}, {.dtype = Dtype::int64});
    for (std::size_t k = 0; k < indices.size(); ++k) {
      const std::int64_t size = sizes[static_cast<int>(k)];
      flat = flat * size + where(indices[k] < 0, indices[k] + size, indices[k]);
    }
    of_few = {unique(flat, {.return_inverse = true}).inverse};
    along.axes = {0};
    sizes = {count};
    along.grid = whole(sizes);
    indices = of_few;
  }
  const Tensor numbers = arange(static_cast<double>(count));
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

bool broadcasts(const Shape& from, const Shape& to) {
  const int added = to.size() - from.size();
  bool fits = added >= 0;
  for (int i = 0; fits && i < from.size(); ++i) {
    fits = from[i] == 1 || from[i] == to[i + added];
  }
  return fits;
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
    fail("{}: expected values of {}, got {} {}; convert one with to(...)", operation, name(dtype),
         values.is_number() ? fmt::format("{}, a number of", values.item()) : "values of",
         name(values.dtype()));
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
  if (!ops::broadcasts(ready.shape(), plan.result)) {
    fail("{}: expected values that broadcast to {}, what the indices take of shape {}, got {}",
         operation, plan.result, impl.shape, ready.shape());
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
