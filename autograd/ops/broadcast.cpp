#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>

namespace cadena {
namespace ops {
namespace {

struct Expand {
  Shape shape;
  static constexpr Doc doc{"expand", "x repeated along its dimensions of size 1"};
  Layout view(const Layout& x) const {
    Layout y{shape, Dims::filled(shape.size(), 0), x.offset};
    const int lead = shape.size() - x.shape.size();
    for (int i = 0; i < x.shape.size(); ++i) {
      y.strides[lead + i] = x.shape[i] == 1 ? 0 : x.strides[i];
    }
    return y;
  }
  Gradients vjp(const Backward& b) const { return {sum_to(b.grad(), b.in_shape(0))}; }
  std::string attributes() const { return to_string(shape); }
  bool operator==(const Expand&) const = default;
};

/// Sums the middle of a tensor of shape [outer, reduced, inner] in memory.
struct Sum {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc{"sum", "sum of x over axes"};
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    if (in[0].dtype() == Dtype::int64) {
      kernels::sum(shape, in[0].data<std::int64_t>(), out[0].data<std::int64_t>());
      return;
    }
    dispatch_floating(in[0].dtype(), doc.name,
                      [&]<class T>() { kernels::sum(shape, in[0].data<T>(), out[0].data<T>()); });
  }
  Gradients vjp(const Backward& b) const {
    return {expand(restore_axes(b.grad(), axes, keepdim), b.in_shape(0))};
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Sum&) const = default;
};

}  // namespace
}  // namespace ops

Tensor expand(const Tensor& x, const Shape& shape) {
  if (!x.defined()) {
    fail("expand: the tensor is undefined");
  }
  Shape wanted = shape;
  const int lead = shape.size() - x.dim();
  bool fits = lead >= 0;
  for (int i = 0; fits && i < shape.size(); ++i) {
    const std::int64_t has = i < lead ? 1 : x.shape()[i - lead];
    if (shape[i] == -1 && i >= lead) {
      wanted[i] = has;
    }
    fits = wanted[i] >= 0 && (wanted[i] == has || has == 1);
  }
  if (!fits) {
    fail("expand: shape {} does not broadcast to {}", x.shape(), shape);
  }
  return wanted == x.shape() ? x : bind(ops::Expand{wanted}, x);
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  if (!x.defined()) {
    fail("sum: the tensor is undefined");
  }
  const Axes normal = normalize_axes(axes, x.dim(), ops::Sum::doc.name);
  const Tensor numbers = x.dtype() < Dtype::int64 ? x.to(Dtype::int64) : x;
  if (x.dim() == 0) {
    return numbers.is_number() ? numbers.to(numbers.dtype()) : reshape(numbers, {});
  }
  return ops::over_axes(numbers, normal, keepdim, [](const Tensor& y, const Axes& over, bool keep) {
    return bind(ops::Sum{over, keep}, y);
  });
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (!x.defined()) {
    fail("sum_to: the tensor is undefined");
  }
  if (x.shape() == shape) {
    return x;
  }
  bool fits = shape.size() <= x.dim();
  for (int i = 0; fits && i < shape.size(); ++i) {
    const std::int64_t has = x.shape()[x.dim() - shape.size() + i];
    fits = shape[i] == has || shape[i] == 1;
  }
  if (!fits) {
    fail("sum_to: shape {} does not broadcast to {}", shape, x.shape());
  }
  const int lead = x.dim() - shape.size();
  Axes axes;
  for (int i = 0; i < x.dim(); ++i) {
    if (i < lead || (shape[i - lead] == 1 && x.shape()[i] != 1)) {
      axes.push_back(i);
    }
  }
  return reshape(sum(x, axes), shape);
}

Tensor mean(const Tensor& x, const Axes& axes, bool keepdim) {
  if (!x.defined()) {
    fail("mean: the tensor is undefined");
  }
  const Tensor numbers = ops::floating(x);
  std::int64_t count = 1;
  for (std::int64_t axis : normalize_axes(axes, x.dim(), "mean")) {
    count *= x.shape()[static_cast<int>(axis)];
  }
  return sum(numbers, axes, keepdim) / static_cast<double>(count);
}

void ops::list_broadcast(OpList& list) {
  const auto values = [](const Shape& shape) { return sample_values(shape, -1, 1); };
  const auto one = [](Tensor (*f)(const Tensor&)) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  list.add({Expand::doc,
            {{"a dimension of 1", {values({3, 1})}, one([](auto& x) {
                return expand(x, {3, 4});
              })},
             {"new dimensions", {values({3})}, one([](auto& x) {
                return expand(x, {2, 2, 3});
              })},
             {"-1 keeps", {values({3, 1})}, one([](auto& x) {
                return expand(x, {-1, 2});
              })},
             {"0-d", {values({})}, one([](auto& x) {
                return expand(x, {2, 3});
              })},
             {"to nothing", {values({1, 3})}, one([](auto& x) {
                return expand(x, {0, 3});
              })}},
            true,
            {}});
  list.add(
      {Sum::doc,
       {{"all", {values({3, 4})}, one([](auto& x) { return sum(x); })},
        {"first axis", {values({3, 4})}, one([](auto& x) { return sum(x, {0}); })},
        {"last axis, keepdim", {values({3, 4})}, one([](auto& x) { return sum(x, {-1}, true); })},
        {"axes apart", {values({2, 3, 4})}, one([](auto& x) {
           return sum(x, {0, 2});
         })},
        {"axes apart, keepdim", {values({2, 3, 4})}, one([](auto& x) {
           return sum(x, {0, 2}, true);
         })},
        {"of a transposed view", {transpose(values({4, 3}))}, one([](auto& x) {
           return sum(x, {1});
         })},
        {"0-d", {values({})}, one([](auto& x) { return sum(x); })},
        {"over nothing", {values({0, 3})}, one([](auto& x) { return sum(x, {0}); })}},
       true,
       {}});
  list.add({{"mean", "sum of x over axes / n"},
            {{"all", {values({3, 4})}, one([](auto& x) { return mean(x); })},
             {"last axis", {values({3, 4})}, one([](auto& x) { return mean(x, {-1}); })},
             {"axes apart, keepdim", {values({2, 3, 4})}, one([](auto& x) {
                return mean(x, {0, 2}, true);
              })},
             {"0-d", {values({})}, one([](auto& x) { return mean(x); })},
             {"no results", {values({0, 3})}, one([](auto& x) { return mean(x, {1}); })}}});
  list.add({{"sum_to", "sum of x over what broadcasting repeats"},
            {{"rows", {values({3, 4})}, one([](auto& x) { return sum_to(x, {4}); })},
             {"a dimension of 1", {values({2, 3, 4})}, one([](auto& x) {
                return sum_to(x, {3, 1});
              })},
             {"to 0-d", {values({3, 4})}, one([](auto& x) { return sum_to(x, {}); })},
             {"its own shape", {values({3, 4})}, one([](auto& x) {
                return sum_to(x, {3, 4});
              })},
             {"empty", {values({0, 3})}, one([](auto& x) { return sum_to(x, {3}); })}}});
}

}  // namespace cadena
