#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>

#include <algorithm>
#include <cmath>

namespace cadena {
namespace ops {
namespace {

struct Var {
  Axes axes;
  double correction;
  bool keepdim;
  static constexpr Doc doc{"var", "sum of (x - mean)^2 over axes / (n - correction)"};
  static constexpr Keep keep = Keep::inputs;

  double divisor(const Shape& shape) const {
    const std::int64_t count = reduce_shape(shape, axes).reduced;
    return std::max(0.0, static_cast<double>(count) - correction);
  }
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const std::int64_t results = shape.outer * shape.inner;
      const kernels::Scratch<T> scratch(results);
      T *center = scratch.data(), *to = out[0].data<T>();
      const T count = static_cast<T>(shape.reduced), less = static_cast<T>(divisor(in[0].shape()));
      kernels::sum(shape, in[0].data<T>(), center);
      each_result(results, [=](std::int64_t i) { center[i] /= count; });
      kernels::sum_squared_deviations(shape, in[0].data<T>(), center, to);
      each_result(results, [=](std::int64_t i) { to[i] /= less; });
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor x = b.in(0);
    const Tensor g = restore_axes(b.grad(), axes, keepdim);
    return {(g * (2 / divisor(x.shape()))) * (x - mean(x, axes, true))};
  }
  std::string attributes() const {
    return fmt::format("{} correction {}", attributes_of(axes, keepdim), correction);
  }
  bool operator==(const Var&) const = default;
};

constexpr Doc std_doc{"std", "sqrt(sum of (x - mean)^2 over axes / (n - correction))",
                      "0 where all elements are equal"};

/// `operation` is named in errors.
Tensor variance(const char* operation, const Tensor& x, const Axes& axes, VarOptions options) {
  const int rank = detail::impl_of(x, operation).shape.size();
  if (!(std::isfinite(options.correction))) {
    fail("{}: expected a finite correction, got {}", operation, options.correction);
  }
  const Axes normal = normalize_axes(axes, rank, operation);
  if (rank == 0) {
    return reshape(variance(operation, reshape(x, {1}), {0}, options), {});
  }
  return over_axes(floating(x), normal, options.keepdim,
                   [&](const Tensor& y, const Axes& over, bool keep) {
                     return bind(Var{over, options.correction, keep}, y);
                   });
}

}  // namespace
}  // namespace ops

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  return ops::variance(ops::Var::doc.name, x, axes, options);
}

Tensor std(const Tensor& x, const Axes& axes, VarOptions options) {
  const Tensor squared = ops::variance(ops::std_doc.name, x, axes, options);
  if (!squared.requires_grad()) {
    return sqrt(squared);
  }
  const Tensor is_zero = squared.detach() == 0.0;
  return where(is_zero, 0.0, sqrt(where(is_zero, 1.0, squared)));
}

namespace ops {

void list_variance(OpList& list) {
  const auto call = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };

  std::vector<Sample> samples =
      reduction_samples([](const Tensor& x, const Axes& axes,
                           bool keepdim) { return var(x, axes, {.keepdim = keepdim}); },
                        false);
  samples.push_back({"of a population",
                     {sample_values({2, 5}, -2, 2, 11)},
                     call([](const Tensor& x) { return var(x, {1}, {.correction = 0}); })});
  list.add({Var::doc, std::move(samples)});

  samples = reduction_samples([](const Tensor& x, const Axes& axes,
                                 bool keepdim) { return std(x, axes, {.keepdim = keepdim}); },
                              false);
  samples.push_back({"of a population",
                     {sample_values({2, 5}, -2, 2, 12)},
                     call([](const Tensor& x) { return std(x, {1}, {.correction = 0}); })});
  samples.push_back({"all elements equal",
                     {zeros({2, 3}, {.dtype = float64})},
                     call([](const Tensor& x) { return std(x, {1}); }),
                     false});
  list.add({std_doc, std::move(samples)});
}

}  // namespace ops
}  // namespace cadena
