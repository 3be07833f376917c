#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>
#include <cadena/autograd/ops/scan_layout.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

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

template <bool largest> struct Extreme {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc =
      largest ? Doc{"amax", "the largest x over axes", "1/k to each of k equal ones"}
              : Doc{"amin", "the smallest x over axes", "1/k to each of k equal ones"};
  static constexpr Keep keep = Keep::both;

  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const auto reduce = [&]<class T>() {
      reduce_runs(in[0].shape(), axes, in[0].data<T>(), out[0].data<T>(),
                  [](const kernels::ReduceShape& shape, const T* from, T* to) {
                    largest ? kernels::maximum(shape, from, to) : kernels::minimum(shape, from, to);
                  });
    };
    if (in[0].dtype() == Dtype::int64) {
      reduce.template operator()<std::int64_t>();
    } else {
      dispatch_floating(in[0].dtype(), doc.name, reduce);
    }
  }
  std::int64_t rows(std::span<const Type> in) const { return rows_before(in[0].shape, axes); }
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

/// Extremes along an axis and where they are.
template <bool largest> struct Chosen {
  int axis;
  static constexpr Doc doc = largest ? Doc{"max", "the largest x along an axis, and where it is",
                                           "1 at the index, 0 at other ties"}
                                     : Doc{"min", "the smallest x along an axis, and where it is",
                                           "1 at the index, 0 at other ties"};
  static constexpr Keep keep = Keep::outputs;

  Types infer(std::span<const Type> in) const {
    const Shape shape = reduced_shape(in[0].shape, {axis}, true);
    return {{in[0].dtype, shape}, {Dtype::int64, shape}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), {axis});
    const auto find = [&]<class T>() {
      const T* x = in[0].data<T>();
      auto* places = out[1].data<std::int64_t>();
      largest ? kernels::argmax(shape, x, places, out[0].data<T>())
              : kernels::argmin(shape, x, places, out[0].data<T>());
    };
    if (in[0].dtype() == Dtype::int64) {
      find.template operator()<std::int64_t>();
    } else {
      dispatch_floating(in[0].dtype(), doc.name, find);
    }
  }
  Gradients vjp(const Backward& b) const { return to_places(b, axis); }
  std::string attributes() const { return fmt::format("axis {}", axis); }
  bool operator==(const Chosen&) const = default;
};

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
  return bind(Extreme<largest>{normal, keepdim}, x);
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
  const int normal = normalize_axis(*axis, std::max(shape.size(), 1), name);
  if (shape.empty()) {
    return reshape(bind(Position<largest>{0}, reshape(numbers, {1})), {});
  }
  check_not_empty(name, shape, {normal});
  const Tensor result = bind(Position<largest>{normal}, numbers);
  return keepdim ? reshape(result, reduced_shape(shape, {normal}, true)) : result;
}

template <bool largest> ValuesAndIndices chosen(const Tensor& x, std::int64_t axis, bool keepdim) {
  const char* name = Chosen<largest>::doc.name;
  const Shape shape = detail::impl_of(x, name).shape;
  const int normal = normalize_axis(axis, std::max(shape.size(), 1), name);
  check_not_empty(name, shape, shape.empty() ? Axes{} : Axes{normal});
  Tensor numbers = x.dtype() < Dtype::int64 ? x.to(Dtype::int64) : x;
  if (shape.empty()) {
    numbers = reshape(numbers, {1});
  }
  const Tensors both = bind_all(Chosen<largest>{normal}, {&numbers, 1});
  const Shape result = shape.empty() ? Shape{} : reduced_shape(shape, Axes{normal}, keepdim);
  return {reshape(both[0], result).to(x.dtype()), reshape(both[1], result)};
}

}  // namespace
}  // namespace ops

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

ValuesAndIndices max(const Tensor& x, std::int64_t axis, bool keepdim) {
  return ops::chosen<true>(x, axis, keepdim);
}
ValuesAndIndices min(const Tensor& x, std::int64_t axis, bool keepdim) {
  return ops::chosen<false>(x, axis, keepdim);
}

namespace ops {
namespace {

Tensor tied() { return from_vector<double>({1, 3, 3, -1, -1, 2}, {2, 3}); }

}  // namespace

void list_extremes(OpList& list) {
  const auto call = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };

  std::vector<Sample> samples = reduction_samples(amax);
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
  const auto both = [&](auto f) {
    const auto along = [&](std::int64_t axis, bool keepdim) {
      return call([=](const Tensor& x) { return f(x, axis, keepdim).values; });
    };
    return std::vector<Sample>{
        {"last axis", {sample_values({3, 4}, -2, 2, 3)}, along(-1, false)},
        {"first axis, keepdim", {sample_values({3, 4}, -2, 2, 4)}, along(0, true)},
        {"middle axis", {sample_values({2, 5, 3}, -2, 2, 5)}, along(1, false)},
        {"long row", {sample_values({2, 40}, -2, 2, 6)}, along(1, false)},
        {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 7))}, along(1, false)},
        {"ties", {tied()}, along(1, false), false},
        {"no results", {sample_values({0, 3}, -2, 2, 8)}, along(1, false)},
        {"0-d", {sample_values({}, 1, 2, 9)}, along(0, false)},
        {"the index",
         {tied()},
         call([f](const Tensor& x) { return f(x, 1, true).indices; }),
         false},
    };
  };
  list.add({Chosen<true>::doc, both(max)});
  list.add({Chosen<false>::doc, both(min)});
  list.add({Position<true>::doc, positions(argmax), false});
  list.add({Position<false>::doc, positions(argmin), false});
}

}  // namespace ops
}  // namespace cadena
