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

/// boolean and uint8 are counted in int64.
struct Sum {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc{"sum", "sum of x over axes"};
  Types infer(std::span<const Type> in) const {
    const Dtype dtype = in[0].dtype < Dtype::int64 ? Dtype::int64 : in[0].dtype;
    return {{dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const auto sum = [&]<class From, class To>(const From* from, To* to) {
      reduce_runs(in[0].shape(), axes, from, to,
                  [](const kernels::ReduceShape& shape, const auto* part, To* result) {
                    kernels::sum(shape, part, result);
                  });
    };
    if (is_floating(in[0].dtype())) {
      dispatch_floating(in[0].dtype(), doc.name,
                        [&]<class T>() { sum(in[0].data<T>(), out[0].data<T>()); });
    } else if (in[0].dtype() == Dtype::int64) {
      sum(in[0].data<std::int64_t>(), out[0].data<std::int64_t>());
    } else {
      sum(reinterpret_cast<const std::uint8_t*>(in[0].bytes()), out[0].data<std::int64_t>());
    }
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, axes); }
  Gradients vjp(const Backward& b) const {
    return {expand(restore_axes(b.grad(), axes, keepdim), b.in_shape(0))};
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Sum&) const = default;
};

}  // namespace
}  // namespace ops

Tensor expand(const Tensor& x, const Shape& shape) {
  const Shape& has = detail::impl_of(x, "expand").shape;
  const int lead = shape.size() - has.size();
  if (lead < 0) {
    fail("expand: shape {} has {} dimensions, more than {}", has, has.size(), shape);
  }
  Shape wanted = shape;
  for (int i = 0; i < shape.size(); ++i) {
    if (i < lead) {
      if (shape[i] < 0) {
        fail("expand: dimension {} of {} is new beside shape {}: expected at least 0, got {}", i,
             shape, has, shape[i]);
      }
      continue;
    }
    const std::int64_t size = has[i - lead];
    wanted[i] = shape[i] == -1 ? size : shape[i];
    if (wanted[i] < 0) {
      fail("expand: dimension {} of {} is {}: expected at least 0, or -1 to keep {} of shape {}", i,
           shape, shape[i], size, has);
    }
    if (wanted[i] != size && size != 1) {
      fail("expand: shape {} does not broadcast to {} (dimension {}: {} against {})", has, shape, i,
           size, shape[i]);
    }
  }
  return wanted == has ? x : bind(ops::Expand{wanted}, x);
}

Tensor sum(const Tensor& x, const Axes& axes, bool keepdim) {
  const int rank = detail::impl_of(x, ops::Sum::doc.name).shape.size();
  const Axes normal = normalize_axes(axes, rank, ops::Sum::doc.name);
  if (rank == 0) {
    const Tensor numbers = x.dtype() < Dtype::int64 ? x.to(Dtype::int64) : x;
    return numbers.is_number() ? numbers.to(numbers.dtype()) : reshape(numbers, {});
  }
  return bind(ops::Sum{normal, keepdim}, x);
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  if (detail::impl_of(x, "sum_to").shape == shape) {
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
  const Shape& shape = detail::impl_of(x, "mean").shape;
  std::int64_t count = 1;
  for (std::int64_t axis : normalize_axes(axes, shape.size(), "mean")) {
    count *= shape[static_cast<int>(axis)];
  }
  const bool bytes = x.dtype() < Dtype::int64 && !shape.empty();  // their sum is exact
  return sum(bytes ? x : ops::floating(x), axes, keepdim) / static_cast<double>(count);
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
