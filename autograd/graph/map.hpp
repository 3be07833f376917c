#pragma once

// Elementwise operators from functors: the host's side.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/functor.hpp>
#include <cadena/autograd/ops/gamma.hpp>
#include <cadena/autograd/ops/rounding.hpp>
#include <cadena/autograd/ops/special_values.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include <array>

namespace cadena {

/// What the inputs of an elementwise operator may be and are converted to.
enum class Domain : std::uint8_t {
  floating,  ///< Integers become float32.
  numeric,   ///< int64 stays int64.
  any,       ///< boolean and uint8 are compared as int64.
};

namespace detail {

/// Whether all were made from C++ numbers. What is computed from such alone is a number as well, in
/// float64, so that a formula's constants lose nothing before they meet a tensor.
bool all_numbers(std::span<const Tensor* const> inputs) noexcept;

/// The inputs converted to one dtype and broadcast to one shape, by views.
SmallVector<Tensor, 4> promoted(const char* operation, Domain domain,
                                std::span<const Tensor* const> inputs, bool condition);

/// Checks that elementwise inputs agree, and gives their type.
Type elementwise_type(const char* operation, std::span<const Type> inputs, std::size_t expected);

/// A number that no other call has got.
std::uint64_t new_identity() noexcept;

/// x as another node of its own, so that a derivative along it stops there.
Tensor alias(const Tensor& x);

/// d(sum of value)/dx as a graph; zeros where value does not depend on x.
Tensor partial_of(const Tensor& value, const Tensor& x);

}  // namespace detail

namespace kernels {

/// The kernels of a functor for the machine at hand. Functors of users come with their own.
template <class F> const ElementwiseKernels<ops::points<F>>& kernels_of() {
  if constexpr (requires { typename F::compiled_for; }) {
    return KernelTable<F, typename F::compiled_for>::get();
  } else {
    return *at_level([]<class A>() { return &KernelTable<F, A>::get(); });
  }
}

}  // namespace kernels

/// h·g·∂²f/(∂x_k ∂x_j) of the inputs (x..., g, h). Its own derivatives apply the functor to
/// tensors.
template <class F> struct MapSecond {
  F f;
  int k, j;
  static constexpr Keep keep = Keep::inputs;
  static constexpr int points = ops::points<F>;

  const Doc& description() const { return f.doc; }
  Types infer(std::span<const Type> in) const {
    return {detail::elementwise_type(f.doc.name, in, points + 2)};
  }
  TileCall tiles(Dtype dtype) const {
    return {kernels::kernels_of<F>().second[k][j][kernels::kernel_index(dtype)], &f, dtype,
            points + 2};
  }
  std::string attributes() const { return fmt::format("second derivative {} {}", k, j); }
  Gradients vjp(const Backward& b) const;
  bool operator==(const MapSecond&) const = default;
};

/// g·∂f/∂x_k of the inputs (x..., g).
template <class F> struct MapGradient {
  F f;
  int k;
  static constexpr Keep keep = Keep::inputs;
  static constexpr int points = ops::points<F>;

  const Doc& description() const { return f.doc; }
  Types infer(std::span<const Type> in) const {
    return {detail::elementwise_type(f.doc.name, in, points + 1)};
  }
  TileCall tiles(Dtype dtype) const {
    return {kernels::kernels_of<F>().gradient[k][kernels::kernel_index(dtype)], &f, dtype,
            points + 1};
  }
  std::string attributes() const { return fmt::format("derivative {}", k); }
  Gradients vjp(const Backward& b) const {
    Gradients result(points + 1);
    std::array<Tensor, points + 2> inputs;
    for (int i = 0; i <= points; ++i) {
      inputs[static_cast<std::size_t>(i)] = b.in(i);
    }
    inputs[points + 1] = b.grad();
    const auto apply = [](const auto& op, const auto& values) {
      return std::move(bind_all(op, values)[0]);
    };
    for (int j = 0; j < points; ++j) {
      if (b.needs(j)) {
        result[static_cast<std::size_t>(j)] = apply(MapSecond<F>{f, k, j}, std::span(inputs));
      }
    }
    if (b.needs(points)) {  // linear in g
      inputs[points] = b.grad();
      result[points] = apply(*this, std::span(inputs).first(points + 1));
    }
    return result;
  }
  bool operator==(const MapGradient&) const = default;
};

/// f of inputs of one dtype and shape.
template <class F> struct Map {
  F f;
  static constexpr bool stateless = std::is_empty_v<F>;
  static constexpr Keep keep = [] {
    if constexpr (requires { F::keep; }) {
      return F::keep;
    } else if constexpr (ops::is_predicate<F>) {
      return Keep::nothing;
    } else {
      return ops::differentiates_output<F> ? Keep::outputs : Keep::inputs;
    }
  }();

  const Doc& description() const { return f.doc; }
  Types infer(std::span<const Type> in) const {
    constexpr std::size_t truths = ops::has_condition<F> ? 1 : 0;
    Type type = detail::elementwise_type(f.doc.name, in.subspan(truths), ops::arity<F> - truths);
    if constexpr (ops::is_predicate<F>) {
      type.dtype = Dtype::boolean;
    }
    return {type};
  }
  TileCall tiles(Dtype dtype) const {
    const kernels::TileKernel kernel = kernels::kernels_of<F>().value[kernels::kernel_index(dtype)];
    if (kernel == nullptr || dtype < Dtype::int64) {
      fail("{}: not defined for {}", f.doc.name, name(dtype));
    }
    return {kernel, &f, ops::is_predicate<F> ? Dtype::boolean : dtype, std::size_t{ops::arity<F>},
            ops::has_condition<F> ? std::size_t{1} : 0};
  }
  std::string attributes() const {
    if constexpr (requires { f.attributes(); }) {
      return f.attributes();
    } else {
      return {};
    }
  }
  Gradients vjp(const Backward& b) const {
    if constexpr (ops::has_own_vjp<F>) {
      return f.vjp(b);
    } else if constexpr (ops::is_predicate<F>) {
      fail("{}: a truth value has no derivative", f.doc.name);
    } else {
      Gradients result(ops::arity<F>);
      constexpr int points = ops::points<F>;
      std::array<Tensor, points + 1> inputs;
      for (int i = 0; i < points; ++i) {
        inputs[static_cast<std::size_t>(i)] = ops::differentiates_output<F> ? b.out() : b.in(i);
      }
      inputs[points] = b.grad();
      for (int k = 0; k < ops::arity<F>; ++k) {
        if (b.needs(k)) {
          result[static_cast<std::size_t>(k)] =
              std::move(bind_all(MapGradient<F>{f, k}, std::span<const Tensor>(inputs))[0]);
        }
      }
      return result;
    }
  }
  bool operator==(const Map&) const = default;
};

namespace detail {

/// ∂f/∂x_k as an expression of tensors, differentiable any number of times.
template <class F, std::size_t points>
Tensor tensor_partial(const F& f, const std::array<Tensor, points>& x, int k) {
  return std::apply(
      [&](const auto&... at) -> Tensor {
        if constexpr (requires { f.derivative_from_output(at...); }) {
          return f.derivative_from_output(at...);
        } else if constexpr (requires { f.derivative(at...); }) {
          if constexpr (points == 1) {
            return f.derivative(at...);
          } else {
            return f.derivative(at...)[static_cast<std::size_t>(k)];
          }
        } else {
          const Tensor value = f(at...);
          return partial_of(value, x[static_cast<std::size_t>(k)]);
        }
      },
      x);
}

}  // namespace detail

template <class F> Gradients MapSecond<F>::vjp(const Backward& b) const {
  Gradients result(points + 2);
  const Tensor g = b.in(points), h = b.in(points + 1), upstream = b.grad();
  const bool recording = modes().grad_enabled;
  bool any_point = false;
  std::array<Tensor, points> x;
  for (int i = 0; i < points; ++i) {
    x[static_cast<std::size_t>(i)] = b.in(i);
    any_point = any_point || b.needs(i);
  }
  if (any_point) {
    // The third derivative: partial derivatives as expressions of tensors, taken along aliases so
    // that inputs which depend on each other do not mix.
    std::array<Tensor, points> third;
    const EnableGrad enable;
    std::array<Tensor, points> at;
    for (int i = 0; i < points; ++i) {
      const Tensor& point = x[static_cast<std::size_t>(i)];
      at[static_cast<std::size_t>(i)] = detail::alias(
          recording && point.requires_grad() ? point : point.detach().requires_grad_leaf());
    }
    const Tensor second =
        detail::partial_of(detail::tensor_partial(f, at, k), at[static_cast<std::size_t>(j)]);
    for (int i = 0; i < points; ++i) {
      // Where the second derivative is constant: 0, not 0 times what may be infinite.
      if (b.needs(i) && !second.requires_grad()) {
        result[static_cast<std::size_t>(i)] = detail::partial_of(second, at[0]);
      } else if (b.needs(i)) {
        third[static_cast<std::size_t>(i)] =
            detail::partial_of(second, at[static_cast<std::size_t>(i)]);
      }
    }
    const EnableGrad as_before(recording);
    for (int i = 0; i < points; ++i) {
      const Tensor& slope = third[static_cast<std::size_t>(i)];
      if (slope.defined()) {
        result[static_cast<std::size_t>(i)] =
            upstream * h * g * (recording ? slope : slope.detach());
      }
    }
  }
  const auto linear = [&](const Tensor& first, const Tensor& other) {
    SmallVector<Tensor, 4> inputs(x.begin(), x.end());
    inputs.push_back(first);
    inputs.push_back(other);
    return std::move(bind_all(*this, inputs)[0]);
  };
  if (b.needs(points)) {
    result[points] = linear(upstream, h);
  }
  if (b.needs(points + 1)) {
    result[points + 1] = linear(g, upstream);
  }
  return result;
}

/// Applies a functor to inputs that need not agree: promotes, broadcasts, binds.
template <class F, std::same_as<Tensor>... T> Tensor map(const F& f, const T&... inputs) {
  static_assert(sizeof...(T) == ops::arity<F>);
  constexpr Domain domain = ops::is_predicate<F> || ops::has_condition<F> ? Domain::any
                            : ops::takes_integers<F>                      ? Domain::numeric
                                                                          : Domain::floating;
  const Tensor* const given[] = {&inputs...};
  constexpr bool condition = ops::has_condition<F>;
  // The common case: one dtype that the functor takes, one shape.
  bool agree = !condition;
  for (const Tensor* input : given) {
    agree = agree && input->defined() && input->dtype() == given[0]->dtype() &&
            input->shape() == given[0]->shape() && !input->is_number();
  }
  const OperatorRef& op = make_operator(Map<F>{f});
  if (agree && (is_floating(given[0]->dtype()) ||
                (domain != Domain::floating && given[0]->dtype() == Dtype::int64))) {
    return std::move(bind(op, given)[0]);
  }
  const SmallVector<Tensor, 4> ready = detail::promoted(f.doc.name, domain, given, condition);
  SmallVector<const Tensor*, 4> pointers;
  for (const Tensor& input : ready) {
    pointers.push_back(&input);
  }
  Tensor result = std::move(bind(op, pointers)[0]);
  result.impl()->number = detail::all_numbers(given);
  return result;
}

}  // namespace cadena
