#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

namespace cadena {
namespace ops {
namespace {

struct Norm {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc{"norm", "sqrt(sum of x^2 over axes)",
                           "0 at the zero vector and, for p = 1, at a coordinate that is 0; for p "
                           "infinite +-1/k to each of k equal ones"};
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
      const auto lost = [=](T squares) { return squares < small || squares > Limits::max(); };
      const std::int64_t results = shape.outer * shape.inner;
      const T* x = in[0].data<T>();
      T* to = out[0].data<T>();
      kernels::sum_squares(shape, x, static_cast<const T*>(nullptr), to);
      std::atomic<bool> any_lost = false;
      each_result(results, [&](std::int64_t i) {
        if (lost(to[i])) {
          any_lost.store(true, std::memory_order_relaxed);
        }
      });
      if (any_lost) {
        sum_scaled_squares(shape, x, lost, to);
      } else {
        each_result(results, [=](std::int64_t i) { to[i] = std::sqrt(to[i]); });
      }
    });
  }
  /// √Σx² where some of the sums in `to` were lost to overflow or underflow: once more with these x
  /// brought near 1 by a power of 2.
  template <class T, class Lost>
  static void sum_scaled_squares(const kernels::ReduceShape& shape, const T* x, Lost lost, T* to) {
    using Limits = std::numeric_limits<T>;
    const std::int64_t results = shape.outer * shape.inner;
    const kernels::Scratch<T> largest_memory(results), scale_memory(results);
    T *largest = largest_memory.data(), *scale = scale_memory.data();
    kernels::maximum(shape, x, largest);
    kernels::minimum(shape, x, scale);
    std::atomic<bool> any_scaled = false;
    each_result(results, [&](std::int64_t i) {
      const T size = std::max(largest[i], -scale[i]);
      const bool scaled = lost(to[i]) && size > 0 && size <= Limits::max();
      constexpr int most =
          Limits::max_exponent - 2;  // so that neither the scale nor 1 / it is lost
      scale[i] = scaled ? std::ldexp(T(1), -std::clamp(std::ilogb(size), -most, most)) : T(1);
      if (scaled) {
        any_scaled.store(true, std::memory_order_relaxed);
      }
    });
    if (any_scaled) {
      kernels::sum_squares(shape, x, static_cast<const T*>(scale), to);
    }
    each_result(results, [=](std::int64_t i) { to[i] = std::sqrt(to[i]) / scale[i]; });
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

}  // namespace
}  // namespace ops

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

void list_norms(OpList& list) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const auto call = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };

  std::vector<Sample> samples;
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
