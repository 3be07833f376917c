#pragma once

// What can be read off an elementwise functor (see elementary.hpp for examples):
//   static constexpr Doc doc;
//   template <class T> T operator()(T x, ...) const;             the function
//   template <class T> T derivative(T x) const;                  optional; n inputs: array<T, n>
//   template <class T> T derivative_from_output(T y) const;      or this, for one input; with both
//                                                                jets take the first
//   static constexpr bool integers = true;                       int64 stays int64
//   Gradients vjp(const Backward&) const, and Keep keep          instead of derivatives
// A predicate returns T::mask_type. A functor whose first argument is a mask chooses by a
// condition.

#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/tiles.hpp>

#include <concepts>
#include <type_traits>
#include <utility>

namespace cadena::ops {

namespace detail {

/// Stands for T where only signatures are asked for.
struct Probe {
  using mask_type = Probe;
};
struct Truth {};

template <class F, class First, std::size_t... rest>
constexpr bool takes(std::index_sequence<rest...>) {
  return std::is_invocable_v<const F&, First, decltype((void(rest), Probe{}))...>;
}

template <class F> constexpr int count_inputs() {
  int count = 0;
  [&]<std::size_t... n>(std::index_sequence<n...>) {
    ((count = takes<F, Probe>(std::make_index_sequence<n>{}) ? static_cast<int>(n) + 1 : count),
     ...);
  }
  (std::make_index_sequence<8>{});
  return count;
}

}  // namespace detail

/// Number of inputs.
template <class F> inline constexpr int arity = detail::count_inputs<F>();

template <class F> inline constexpr bool is_predicate = requires { F::predicate; };
template <class F> inline constexpr bool has_condition = requires { F::condition; };
template <class F> inline constexpr bool takes_integers = requires { F::integers; };
template <class F> inline constexpr bool has_own_vjp = requires { &F::vjp; };
template <class F>
inline constexpr bool differentiates_output = requires(const F& f, detail::Probe y) {
  f.derivative_from_output(y);
};

/// Number of values that the derivative is a function of: the output, or the inputs.
template <class F> inline constexpr int points = differentiates_output<F> ? 1 : arity<F>;

/// The functors of one file.
template <class... F> struct Family {};

}  // namespace cadena::ops

namespace cadena::kernels {

/// Where an architecture's kernels of F are: declared for the host, defined by loops.hpp where they
/// are compiled.
template <class F, class A> struct KernelTable {
  static const ElementwiseKernels<ops::points<F>>& get();
};

}  // namespace cadena::kernels
