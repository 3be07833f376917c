#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>

#include <cmath>
#include <limits>

namespace cadena {
namespace ops {
namespace {

/// What the kernels make of a reduction of a contiguous tensor over axes that are neighbours.
kernels::ReduceShape reduce_shape(const Shape& dims, const Axes& axes) {
  kernels::ReduceShape shape{1, 1, 1};
  for (int i = 0; i < dims.size(); ++i) {
    (i < axes[0] ? shape.outer : i > axes.back() ? shape.inner : shape.reduced) *= dims[i];
  }
  return shape;
}

std::string attributes_of(const Axes& axes, bool keepdim) {
  return to_string(axes) + (keepdim ? " keepdim" : "");
}

/// reduce(x, axes, keepdim), which takes neighbouring axes, for any (normalized) ones.
template <class Reduce>
Tensor over_axes(const Tensor& x, const Axes& axes, bool keepdim, Reduce&& reduce) {
  const ReduceLayout layout = reduce_layout(x, axes);
  if (layout.x.impl() == x.impl()) {
    return reduce(x, axes, keepdim);
  }
  Axes last;
  for (int i = x.dim() - axes.size(); i < x.dim(); ++i) {
    last.push_back(i);
  }
  const Tensor result = reduce(layout.x, last, false);
  return keepdim ? reshape(result, reduced_shape(x.shape(), axes, true)) : result;
}

/// Error if results would be made of no elements.
void check_not_empty(const char* operation, const Shape& shape, const Axes& axes) {
  if (numel(reduced_shape(shape, axes, false)) == 0) {
    return;
  }
  for (std::int64_t axis : axes) {
    if (shape[static_cast<int>(axis)] == 0) {
      fail("{}: expected at least one element, but axis {} of shape {} is empty", operation, axis,
           shape);
    }
  }
}

Tensor floating(const Tensor& x) { return is_floating(x.dtype()) ? x : x.to(Dtype::float32); }

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
      const auto scratch = detail::Storage::make(static_cast<std::size_t>(results) * sizeof(T));
      T* center = reinterpret_cast<T*>(scratch->data);
      kernels::sum(shape, in[0].data<T>(), center);
      for (std::int64_t i = 0; i < results; ++i) {
        center[i] /= static_cast<T>(shape.reduced);
      }
      T* to = out[0].data<T>();
      kernels::sum_squared_deviations(shape, in[0].data<T>(), center, to);
      const T count = static_cast<T>(divisor(in[0].shape()));
      for (std::int64_t i = 0; i < results; ++i) {
        to[i] /= count;
      }
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

template <bool largest> struct Extreme {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc =
      largest ? Doc{"amax", "the largest x over axes"} : Doc{"amin", "the smallest x over axes"};
  static constexpr Keep keep = Keep::both;

  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    const auto reduce = [&]<class T>() {
      largest ? kernels::maximum(shape, in[0].data<T>(), out[0].data<T>())
              : kernels::minimum(shape, in[0].data<T>(), out[0].data<T>());
    };
    if (in[0].dtype() == Dtype::int64) {
      reduce.template operator()<std::int64_t>();
    } else {
      dispatch_floating(in[0].dtype(), doc.name, reduce);
    }
  }
  Gradients vjp(const Backward& b) const {
    // Which elements are chosen is constant between ties: it has no derivative.
    const Tensor x = b.in(0).detach();
    const Tensor extreme = restore_axes(b.out().detach(), axes, keepdim);
    const Tensor chosen = (x == extreme).to(x.dtype());
    return {chosen * (restore_axes(b.grad(), axes, keepdim) / sum(chosen, axes, true))};
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Extreme&) const = default;
};

template <bool largest> struct Position {
  int axis;
  static constexpr Doc doc = largest ? Doc{"argmax", "where the largest x along an axis is"}
                                     : Doc{"argmin", "where the smallest x along an axis is"};

  Types infer(std::span<const Type> in) const {
    return {{Dtype::int64, reduced_shape(in[0].shape, {axis}, false)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), {axis});
    const auto find = [&]<class T>() {
      largest ? kernels::argmax(shape, in[0].data<T>(), out[0].data<std::int64_t>())
              : kernels::argmin(shape, in[0].data<T>(), out[0].data<std::int64_t>());
    };
    if (in[0].dtype() == Dtype::int64) {
      find.template operator()<std::int64_t>();
    } else {
      dispatch_floating(in[0].dtype(), doc.name, find);
    }
  }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const Position&) const = default;
};

/// √Σx² of n elements `step` apart, none of them NaN, divided by the largest on the way.
template <class T> T scaled_norm(const T* x, std::int64_t n, std::int64_t step) {
  double largest = 0, total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(x[i * step])));
  }
  if (largest == 0 || std::isinf(largest)) {
    return static_cast<T>(largest);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const double ratio = static_cast<double>(x[i * step]) / largest;
    total += ratio * ratio;
  }
  return static_cast<T>(largest * std::sqrt(total));
}

struct Norm {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc{"norm", "sqrt(sum of x^2 over axes)"};
  static constexpr Keep keep = Keep::both;

  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      using Limits = std::numeric_limits<T>;
      // Below this, squares that were rounded to nothing could count.
      constexpr T small = Limits::min() / (Limits::epsilon() * Limits::epsilon());
      const std::int64_t results = shape.outer * shape.inner;
      const auto scratch = detail::Storage::make(static_cast<std::size_t>(results) * sizeof(T));
      T* center = reinterpret_cast<T*>(scratch->data);
      std::fill_n(center, results, T(0));
      const T* x = in[0].data<T>();
      T* to = out[0].data<T>();
      kernels::sum_squared_deviations(shape, x, center, to);
      parallel_for(results,
                   std::max<std::int64_t>(1, 16384 / std::max<std::int64_t>(1, shape.reduced)),
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t i = begin; i < end; ++i) {
                       const std::int64_t first =
                           i / shape.inner * shape.reduced * shape.inner + i % shape.inner;
                       to[i] = to[i] < small || to[i] > Limits::max()
                                   ? scaled_norm(x + first, shape.reduced, shape.inner)
                                   : std::sqrt(to[i]);
                     }
                   });
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor length = restore_axes(b.out(), axes, keepdim);
    const Tensor g = restore_axes(b.grad(), axes, keepdim);
    const Tensor is_zero = length.detach() == 0.0;
    return {b.in(0) / where(is_zero, 1.0, length) * where(is_zero, 0.0, g)};
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Norm&) const = default;
};

/// For p other than 1, 2 and ∞: everything relative to the largest element, a constant that
/// cancels.
Tensor general_norm(const Tensor& x, double p, const Axes& axes, bool keepdim) {
  const Tensor size = abs(x);
  const Tensor largest = amax(size.detach(), axes, true);
  const Tensor is_zero = largest == 0.0;
  const Tensor unscaled = is_zero | (largest == std::numeric_limits<double>::infinity());
  const Tensor scale = where(unscaled, 1.0, largest);
  const Tensor total = sum(pow(size / scale, p), axes, true);
  const Tensor length = where(is_zero, 0.0, scale * pow(where(is_zero, 1.0, total), 1 / p));
  return keepdim ? length : reshape(length, reduced_shape(x.shape(), axes, false));
}

template <bool largest> Tensor extreme(const Tensor& x, const Axes& axes, bool keepdim) {
  const Shape& shape = detail::impl_of(x, Extreme<largest>::doc.name).shape;
  const Axes normal = normalize_axes(axes, shape.size(), Extreme<largest>::doc.name);
  check_not_empty(Extreme<largest>::doc.name, shape, normal);
  if (normal.empty()) {
    return reshape(x.is_number() ? x.to(x.dtype()) : x, {});
  }
  if (x.dtype() < Dtype::int64) {
    return extreme<largest>(x.to(Dtype::int64), normal, keepdim).to(x.dtype());
  }
  return over_axes(x, normal, keepdim, [](const Tensor& y, const Axes& over, bool keep) {
    return bind(Extreme<largest>{over, keep}, y);
  });
}

template <bool largest>
Tensor position(const Tensor& x, std::optional<std::int64_t> axis, bool keepdim) {
  const char* name = Position<largest>::doc.name;
  const Shape& shape = detail::impl_of(x, name).shape;
  const Tensor numbers = x.dtype() < Dtype::int64 ? x.to(Dtype::int64) : x;
  if (!axis) {
    check_not_empty(name, shape, normalize_axes({}, shape.size(), name));
    const Tensor result = bind(Position<largest>{0}, reshape(numbers, {x.numel()}));
    return keepdim ? reshape(result, Dims::filled(shape.size(), 1)) : result;
  }
  const int normal = normalize_axis(*axis, shape.size(), name);
  check_not_empty(name, shape, {normal});
  const Tensor result = bind(Position<largest>{normal}, numbers);
  return keepdim ? reshape(result, reduced_shape(shape, {normal}, true)) : result;
}

}  // namespace
}  // namespace ops

Tensor var(const Tensor& x, const Axes& axes, VarOptions options) {
  const int rank = detail::impl_of(x, "var").shape.size();
  if (!(std::isfinite(options.correction))) {
    fail("var: expected a finite correction, got {}", options.correction);
  }
  if (rank == 0) {
    return reshape(var(reshape(x, {1}), {0}, options), {});
  }
  const Axes normal = normalize_axes(axes, rank, "var");
  return ops::over_axes(ops::floating(x), normal, options.keepdim,
                        [&](const Tensor& y, const Axes& over, bool keep) {
                          return bind(ops::Var{over, options.correction, keep}, y);
                        });
}

Tensor amax(const Tensor& x, const Axes& axes, bool keepdim) {
  return ops::extreme<true>(x, axes, keepdim);
}
Tensor amin(const Tensor& x, const Axes& axes, bool keepdim) {
  return ops::extreme<false>(x, axes, keepdim);
}
Tensor argmax(const Tensor& x, std::optional<std::int64_t> axis, bool keepdim) {
  return ops::position<true>(x, axis, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<std::int64_t> axis, bool keepdim) {
  return ops::position<false>(x, axis, keepdim);
}

Tensor norm(const Tensor& x, double p, const Axes& axes, bool keepdim) {
  const Shape& shape = detail::impl_of(x, "norm").shape;
  if (!(p >= 1)) {
    fail("norm: expected p >= 1, got {}", p);
  }
  const Axes normal = normalize_axes(axes, shape.size(), "norm");
  const Tensor numbers = ops::floating(x);
  if (p == 1 || shape.empty() || x.numel() == 0) {
    return sum(abs(numbers), normal, keepdim);
  }
  if (std::isinf(p)) {
    return amax(abs(numbers), normal, keepdim);
  }
  if (p != 2) {
    return ops::general_norm(numbers, p, normal, keepdim);
  }
  return ops::over_axes(numbers, normal, keepdim, [](const Tensor& y, const Axes& over, bool keep) {
    return bind(ops::Norm{over, keep}, y);
  });
}

namespace ops {
namespace {

using Reduce = Tensor (*)(const Tensor&, const Axes&, bool);

/// Samples of a reduction over axes.
std::vector<Sample> reduction_samples(Reduce reduce, bool of_scalar = true) {
  const auto over = [reduce](const Axes& axes, bool keepdim) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return reduce(in[0], axes, keepdim); };
  };
  std::vector<Sample> samples{
      {"all axes", {sample_values({3, 4}, -2, 2, 1)}, over({}, false)},
      {"last axis", {sample_values({3, 4}, -2, 2, 2)}, over({-1}, false)},
      {"first axis, keepdim", {sample_values({3, 4}, -2, 2, 3)}, over({0}, true)},
      {"middle axes", {sample_values({2, 3, 2, 3}, -2, 2, 4)}, over({1, 2}, false)},
      {"axes apart, keepdim", {sample_values({2, 3, 4}, -2, 2, 5)}, over({0, -1}, true)},
      {"axes apart", {sample_values({2, 3, 4}, -2, 2, 6)}, over({-1, 0}, false)},
      {"long row", {sample_values({2, 40}, -2, 2, 7)}, over({1}, false)},
      {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 8))}, over({1}, false)},
      {"no results", {sample_values({0, 3}, -2, 2, 9)}, over({1}, false)},
  };
  if (of_scalar) {
    samples.push_back({"0-d", {sample_values({}, 1, 2, 10)}, over({}, false)});
  }
  return samples;
}

Tensor tied() { return from_vector<double>({1, 3, 3, -1, -1, 2}, {2, 3}); }

template <double p> Tensor norm_with(const Tensor& x, const Axes& axes, bool keepdim) {
  return norm(x, p, axes, keepdim);
}

void append(std::vector<Sample>& samples, const std::string& what, std::vector<Sample> more) {
  for (Sample& sample : more) {
    sample.what = what + ", " + sample.what;
    samples.push_back(std::move(sample));
  }
}

}  // namespace

void list_reductions(OpList& list) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
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

  samples = reduction_samples(amax);
  samples.push_back({"ties", {tied()}, call([](const Tensor& x) { return amax(x, {1}); })});
  list.add({Extreme<true>::doc, std::move(samples)});
  samples = reduction_samples(amin);
  samples.push_back({"ties", {tied()}, call([](const Tensor& x) { return amin(x, {1}); })});
  list.add({Extreme<false>::doc, std::move(samples)});

  const auto positions = [&](auto f) {
    return std::vector<Sample>{
        {"all", {sample_values({3, 4}, -2, 2, 1)}, call([f](const Tensor& x) {
           return f(x, {}, false);
         })},
        {"last axis", {tied()}, call([f](const Tensor& x) { return f(x, -1, false); })},
        {"first axis, keepdim", {tied()}, call([f](const Tensor& x) { return f(x, 0, true); })},
        {"not contiguous", {transpose(tied())}, call([f](const Tensor& x) {
           return f(x, 0, false);
         })},
        {"no results", {zeros({0, 3}, {.dtype = float64})}, call([f](const Tensor& x) {
           return f(x, 1, false);
         })},
        {"0-d", {sample_values({}, 1, 2, 2)}, call([f](const Tensor& x) {
           return f(x, {}, true);
         })},
    };
  };
  list.add({Position<true>::doc, positions(argmax), false});
  list.add({Position<false>::doc, positions(argmin), false});

  samples.clear();
  append(samples, "p = 2", reduction_samples(norm_with<2.0>));
  append(samples, "p = 1", reduction_samples(norm_with<1.0>));
  append(samples, "p = inf", reduction_samples(norm_with<infinity>));
  append(samples, "p = 3", reduction_samples(norm_with<3.0>));
  // The gradient is a subgradient there, but has no derivative of its own.
  samples.push_back({"p = 2, at 0",
                     {zeros({2, 3}, {.dtype = float64})},
                     call([](const Tensor& x) { return norm(x, 2, {1}); }),
                     false});
  samples.push_back({"p = 2.5, one row 0",
                     {from_vector<double>({0, 0, 1, -2}, {2, 2})},
                     call([](const Tensor& x) { return norm(x, 2.5, {1}); }),
                     false});
  list.add({Norm::doc, std::move(samples)});
}

}  // namespace ops
}  // namespace cadena
