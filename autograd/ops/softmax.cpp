#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/softmax.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/softmax.hpp>
#include <cadena/autograd/ops/softmax_gradient.hpp>

#include <algorithm>
#include <limits>

namespace cadena {
namespace ops {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Softmax {
  int axis;
  static constexpr Doc doc{"softmax", "e^x / sum of e^x along an axis"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::softmax(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(), out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, {axis}); }
  Gradients vjp(const Backward& b) const {
    return {bind(SoftmaxGradient{axis}, b.out(), b.grad())};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const Softmax&) const = default;
};

/// From y = log_softmax(x) and the gradient g of y that of x.
struct LogSoftmaxGradient {
  int axis;
  static constexpr Doc doc{"log_softmax", "gradient: g - e^y sum of g"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::log_softmax_gradient(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(),
                                    in[1].data<T>(), out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, {axis}); }
  Gradients vjp(const Backward& b) const {
    const Tensor h = b.grad(), weighted = h * exp(b.in(0));
    return {b.needs(0) ? -weighted * sum(b.in(1), {axis}, true) : Tensor(),
            b.needs(1) ? h - sum(weighted, {axis}, true) : Tensor()};
  }
  std::string attributes() const { return fmt::format("axis {} derivative 0", axis); }
  bool operator==(const LogSoftmaxGradient&) const = default;
};

struct LogSoftmax {
  int axis;
  static constexpr Doc doc{"log_softmax", "x - log of the sum of e^x along an axis"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::log_softmax(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(), out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, {axis}); }
  Gradients vjp(const Backward& b) const {
    return {bind(LogSoftmaxGradient{axis}, b.out(), b.grad())};
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const LogSoftmax&) const = default;
};

struct Logsumexp {
  static constexpr Doc doc{"logsumexp", "log of the sum of e^x over axes",
                           "0 where all are -infinity"};
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, without_last(in[0].shape)}}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      if (in[0].numel() == 0) {
        std::fill_n(out[0].data<T>(), out[0].numel(), -std::numeric_limits<T>::infinity());
        return;
      }
      kernels::logsumexp(rows_of(in[0].shape()), in[0].data<T>(), out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const {
    return rows_before(in[0].shape, {in[0].shape.size() - 1});
  }
  Gradients vjp(const Backward& b) const {
    const Tensor total = unsqueeze(b.out(), -1);
    const Tensor shift = where(total.detach() == -infinity, 0.0, total);
    return {unsqueeze(b.grad(), -1) * exp(b.in(0) - shift)};
  }
  bool operator==(const Logsumexp&) const = default;
};

template <class Op> Tensor along(const Tensor& x, std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, Op::doc.name).shape;
  const int last = shape.size() - 1, normal = normalize_axis(axis, shape.size(), Op::doc.name);
  const Tensor numbers = floating(x);
  const kernels::ReduceShape s = reduce_shape(shape, {normal});
  // A few long columns are work for few lanes and threads: they are laid out as rows.
  constexpr std::int64_t few = 1000, narrow = 16, tall = 256, most = std::int64_t{1} << 24;
  if (s.inner > 1 &&
      (s.inner < narrow || s.reduced > most || (s.outer * s.inner < few && s.reduced > tall))) {
    return transpose(bind(Op{last}, transpose(numbers, normal, -1)), normal, -1);
  }
  return bind(Op{normal}, numbers);
}

}  // namespace
}  // namespace ops

Tensor logsumexp(const Tensor& x, const Axes& axes, bool keepdim) {
  const Shape& shape = detail::impl_of(x, "logsumexp").shape;
  const Axes normal = normalize_axes(axes, shape.size(), "logsumexp");
  Axes order;
  Shape rows;
  std::int64_t columns = 1;
  for (int i = 0; i < shape.size(); ++i) {
    if (std::find(normal.begin(), normal.end(), i) == normal.end()) {
      order.push_back(i);
      rows.push_back(shape[i]);
    } else {
      columns *= shape[i];
    }
  }
  for (std::int64_t axis : normal) {
    order.push_back(axis);
  }
  Tensor y = ops::floating(x);
  if (!normal.empty() && normal[0] != rows.size()) {
    y = permute(y, order);
  }
  rows.push_back(columns);
  const Tensor result = bind(ops::Logsumexp{}, normal.size() == 1 ? y : reshape(y, rows));
  return keepdim ? reshape(result, reduced_shape(shape, normal, true)) : result;
}

Tensor softmax(const Tensor& x, std::int64_t axis) { return ops::along<ops::Softmax>(x, axis); }

Tensor log_softmax(const Tensor& x, std::int64_t axis) {
  return ops::along<ops::LogSoftmax>(x, axis);
}

Tensor normalized_logistic(const Tensor& x, std::int64_t axis) {
  normalize_axis(axis, detail::impl_of(x, "normalized_logistic").shape.size(),
                 "normalized_logistic");
  return softmax(-softplus(-ops::floating(x)), axis);
}

namespace ops {
namespace {

using AlongAxis = Tensor (*)(const Tensor&, std::int64_t);

std::vector<Sample> axis_samples(AlongAxis f) {
  const auto along_axis = [f](std::int64_t axis) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return f(in[0], axis); };
  };
  return {
      {"rows", {sample_values({3, 4}, -3, 3, 1)}, along_axis(-1)},
      {"columns", {sample_values({3, 4}, -3, 3, 2)}, along_axis(0)},
      {"middle axis", {sample_values({2, 3, 2}, -3, 3, 3)}, along_axis(-2)},
      {"vector", {sample_values({20}, -3, 3, 4)}, along_axis(0)},
      {"one element a row", {sample_values({3, 1}, -3, 3, 5)}, along_axis(1)},
      {"large and small",
       {from_vector<double>({1e4, 9999, 0, -1e4, -9999, -1e4}, {2, 3})},
       along_axis(-1)},
      {"equal", {zeros({2, 3}, {.dtype = float64})}, along_axis(-1)},
      {"not contiguous", {transpose(sample_values({4, 3}, -3, 3, 6))}, along_axis(-1)},
      {"no rows", {sample_values({0, 3}, -3, 3, 7)}, along_axis(-1)},
      {"rows of nothing", {sample_values({3, 0}, -3, 3, 8)}, along_axis(-1)},
  };
}

constexpr Doc normalized_logistic_doc{"normalized_logistic", "sigmoid(x) / sum of sigmoid(x)"};

std::vector<Sample> logsumexp_samples() {
  const auto over = [](const Axes& axes, bool keepdim) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return logsumexp(in[0], axes, keepdim); };
  };
  return {
      {"all axes", {sample_values({3, 4}, -3, 3, 1)}, over({}, false)},
      {"last axis, keepdim", {sample_values({3, 4}, -3, 3, 2)}, over({-1}, true)},
      {"first axis", {sample_values({3, 4}, -3, 3, 3)}, over({0}, false)},
      {"axes apart, keepdim", {sample_values({2, 3, 4}, -3, 3, 4)}, over({0, -1}, true)},
      {"last axes", {sample_values({2, 3, 4}, -3, 3, 5)}, over({1, 2}, false)},
      {"large and small",
       {from_vector<double>({1e4, 9999, 0, -1e4, -9999, -1e4}, {2, 3})},
       over({1}, false)},
      {"not contiguous", {transpose(sample_values({4, 3}, -3, 3, 6))}, over({1}, false)},
      {"no results", {sample_values({0, 3}, -3, 3, 7)}, over({1}, false)},
      {"0-d", {sample_values({}, -3, 3, 8)}, over({}, false)},
  };
}

}  // namespace

void list_softmax(OpList& list) {
  list.add({Logsumexp::doc, logsumexp_samples()});
  list.add({Softmax::doc, axis_samples(softmax)});
  list.add({LogSoftmax::doc, axis_samples(log_softmax)});
  list.add({normalized_logistic_doc, axis_samples(normalized_logistic)});
}

}  // namespace ops
}  // namespace cadena
