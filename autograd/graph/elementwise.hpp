#pragma once

// Elementwise operators from lambdas. This header brings the SIMD library: include it where you
// make such an operator, not everywhere.

#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/kernels/loops.hpp>

#include <type_traits>

namespace cadena {

namespace detail {

/// A user's lambda as a functor.
template <class Function> struct Custom {
  using compiled_for = kernels::Native;
  Function function;
  Doc doc;
  std::uint64_t identity;  // a function with captures equals only itself

  template <class... T> std::common_type_t<T...> operator()(T... x) const {
    return std::common_type_t<T...>(function(x...));
  }
  bool operator==(const Custom& other) const {
    return std::is_empty_v<Function> || identity == other.identity;
  }
};

template <class Function, class First, std::size_t... rest>
constexpr bool takes_lanes(std::index_sequence<rest...>) {
  return std::is_invocable_v<const Function&, First, decltype((void(rest), First(0.0)))...>;
}

template <class Function> constexpr int count_lane_inputs() {
  int count = 0;
  [&]<std::size_t... n>(std::index_sequence<n...>) {
    ((count = takes_lanes<Function, Lane<float, kernels::Native>>(std::make_index_sequence<n>{})
                  ? static_cast<int>(n) + 1
                  : count),
     ...);
  }
  (std::make_index_sequence<8>{});
  return count;
}

}  // namespace detail

namespace ops {
template <class Function>
inline constexpr int arity<cadena::detail::Custom<Function>> =
    cadena::detail::count_lane_inputs<Function>();
}

/// What `elementwise` returns: a function of as many tensors as the lambda has arguments.
template <class Function> class ElementwiseFunction {
 public:
  explicit ElementwiseFunction(detail::Custom<Function> functor) : functor_(std::move(functor)) {}

  template <class... T>
    requires(sizeof...(T) == ops::arity<detail::Custom<Function>> &&
             (std::convertible_to<const T&, Tensor> && ...))
  Tensor operator()(const T&... x) const {
    return map(functor_, static_cast<const Tensor&>(Tensor(x))...);
  }

 private:
  detail::Custom<Function> functor_;
};

/// A new elementwise operator of 1 to 8 inputs from a generic scalar lambda, e.g.
///   auto mish = elementwise("mish", [](auto x) { return x * tanh(log1p(exp(x))); });
/// It gets a SIMD kernel, derivatives of any order, broadcasting and promotion. The lambda is
/// called with lanes, jets and tensors: use the functions of namespace cadena by their bare names,
/// choose with `where(condition, a, b)` (an `if` does not compile), and capture numbers only.
/// `name` must outlive the operator: a literal.
template <class Function>
ElementwiseFunction<Function> elementwise(const char* name, Function function) {
  constexpr int inputs = ops::arity<detail::Custom<Function>>;
  static_assert(inputs >= 1, "elementwise: the lambda takes 1 to 8 arguments of one generic type");
  return ElementwiseFunction<Function>(detail::Custom<Function>{
      std::move(function), Doc{name, "a user's function"}, detail::new_identity()});
}

}  // namespace cadena
