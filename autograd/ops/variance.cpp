#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/moments.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/fused.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>

#include <algorithm>
#include <cmath>

namespace cadena {
namespace ops {
namespace {

/// The variance, or its root, over neighbouring axes; and the means, for the gradient.
template <bool root> struct Spread {
  Axes axes;
  double correction;
  bool keepdim;
  static constexpr Doc doc =
      root ? Doc{"std", "sqrt(sum of (x - mean)^2 over axes / (n - correction))",
                 "0 where all elements are equal"}
           : Doc{"var", "sum of (x - mean)^2 over axes / (n - correction)"};
  static constexpr Keep keep = root ? Keep::both : Keep::inputs.and_outputs_from(1);

  double divisor(const Shape& shape) const {
    const std::int64_t count = reduce_shape(shape, axes).reduced;
    return std::max(0.0, static_cast<double>(count) - correction);
  }
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)},
            {in[0].dtype, reduced_shape(in[0].shape, axes, true)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const std::int64_t results = shape.outer * shape.inner;
      const kernels::Scratch<double> scratch(results);
      double* squares = scratch.data();
      T* to = out[0].data<T>();
      kernels::moments(shape, in[0].data<T>(), out[1].data<T>(), squares);
      const double less = divisor(in[0].shape());
      each_result(results, [=](std::int64_t i) {
        const double variance = squares[i] / less;
        to[i] = static_cast<T>(root ? std::sqrt(variance) : variance);
      });
    });
  }
  Gradients vjp(const Backward& b) const {
    // The rest of the mean that its dtype could not hold is taken off as well: far from 0 the
    // distances feel it. Whatever is taken off first, what remains has the same derivative.
    const Tensor x = b.in(0);
    Tensor away = x - b.out(1).detach();
    Tensor factor = restore_axes(b.grad(), axes, keepdim) * ((root ? 1 : 2) / divisor(x.shape()));
    if constexpr (root) {
      const Tensor deviation = restore_axes(b.out(), axes, keepdim);
      const Tensor is_zero = deviation.detach() == 0.0;
      away = away / where(is_zero, 1.0, deviation);  // first, for 1 / deviation may underflow
      factor = where(is_zero, 0.0, factor);
    }
    return {scale_about(away, mean(away, axes, true), factor, zeros({}, {.dtype = x.dtype()}))};
  }
  std::string attributes() const {
    return fmt::format("{} correction {}", attributes_of(axes, keepdim), correction);
  }
  bool operator==(const Spread&) const = default;
};

template <bool root> Tensor spread(const Tensor& x, const Axes& axes, const VarOptions& options) {
  const char* operation = Spread<root>::doc.name;
  const int rank = detail::impl_of(x, operation).shape.size();
  if (!(std::isfinite(options.correction))) {
    fail("{}: expected a finite correction, got {}", operation, options.correction);
  }
  const Axes normal = normalize_axes(axes, rank, operation);
  if (rank == 0) {
    return reshape(spread<root>(reshape(x, {1}), {0}, options), {});
  }
  return over_axes(
      floating(x), normal, options.keepdim, [&](const Tensor& y, const Axes& over, bool keep) {
        return std::move(bind_all(Spread<root>{over, options.correction, keep}, {&y, 1})[0]);
      });
}

}  // namespace
}  // namespace ops

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  return ops::spread<false>(x, axes, options);
}

Tensor std(const Tensor& x, const Axes& axes, VarOptions options) {
  return ops::spread<true>(x, axes, options);
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
  list.add({Spread<false>::doc, std::move(samples)});

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
  list.add({Spread<true>::doc, std::move(samples)});
}

}  // namespace ops
}  // namespace cadena
