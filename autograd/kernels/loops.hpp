#pragma once

// The loops of elementwise functors, compiled once per architecture (or in a user's own file).

#include <cadena/autograd/kernels/jet.hpp>
#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/ops/functor.hpp>

#include <type_traits>
#include <utility>

namespace cadena::kernels {

template <class F, int k, class... V> CADENA_INLINE auto partial(const F& f, const V&... x);

/// The k-th of the partial derivatives of f at `x` (at the output, if f's derivative is a function
/// of that), as f states it, or from a jet.
template <class F, int k, class... V> CADENA_INLINE auto partial(const F& f, const V&... x) {
  using Value = std::common_type_t<V...>;
  if constexpr (requires { f.derivative_from_output(x...); }) {
    return Value(f.derivative_from_output(x...));
  } else if constexpr (requires { f.derivative(x...); }) {
    if constexpr (sizeof...(V) == 1) {
      return Value(f.derivative(x...));
    } else {
      return Value(f.derivative(x...)[k]);
    }
  } else {
    return [&]<std::size_t... i>(std::index_sequence<i...>)->Value {
      return f(Jet<Value>(x, Value(static_cast<int>(i) == k ? 1.0 : 0.0))...).slope;
    }
    (std::index_sequence_for<V...>{});
  }
}

/// The derivative of partial<k> along x_j.
template <class F, int k, int j, class... V>
CADENA_INLINE auto second_partial(const F& f, const V&... x) {
  using Value = std::common_type_t<V...>;
  return [&]<std::size_t... i>(std::index_sequence<i...>)->Value {
    return partial<F, k>(f, Jet<Value>(x, Value(static_cast<int>(i) == j ? 1.0 : 0.0))...).slope;
  }
  (std::index_sequence_for<V...>{});
}

/// Walks [0, n) a lane at a time, the tail as a padded lane: body(load, store) reads input k with
/// load(k) and writes with store(value).
template <class L, class T, std::size_t inputs, class Body>
CADENA_INLINE void for_lanes(const std::byte* const* in, std::byte* out, std::int64_t n,
                             Body&& body) {
  constexpr int width = L::width;
  const T* from[inputs];
  for (std::size_t k = 0; k < inputs; ++k) {
    from[k] = reinterpret_cast<const T*>(in[k]);
  }
  T* to = reinterpret_cast<T*>(out);
  std::int64_t i = 0;
  for (; i + width <= n; i += width) {
    body([&](std::size_t k) CADENA_INLINE_LAMBDA { return L::load(from[k] + i); }).store(to + i);
  }
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    body([&](std::size_t k) CADENA_INLINE_LAMBDA {
      return L::load_partial(from[k] + i, rest);
    }).store_partial(to + i, rest);
  }
}

template <class F, class T, class A>
void value_loop(const void* functor, const std::byte* const* in, std::byte* const* out,
                std::int64_t n) {
  using L = Lane<T, A>;
  const F f = *static_cast<const F*>(functor);
  constexpr int inputs = ops::arity<F>;
  [&]<std::size_t... k>(std::index_sequence<k...>) {
    if constexpr (ops::is_predicate<F> || ops::has_condition<F>) {
      // Truth values are bytes beside numbers of T.
      constexpr bool condition = ops::has_condition<F>;
      const auto at = [&](std::int64_t i, int count) CADENA_INLINE_LAMBDA {
        const auto load = [&](std::size_t input) CADENA_INLINE_LAMBDA {
          const T* from = reinterpret_cast<const T*>(in[input]) + i;
          return count == L::width ? L::load(from) : L::load_partial(from, count);
        };
        if constexpr (condition) {
          const bool* truth = reinterpret_cast<const bool*>(in[0]) + i;
          const auto mask = count == L::width ? L::mask_type::load(truth)
                                              : L::mask_type::load_partial(truth, count);
          return f(mask, load(1), load(2));
        } else {
          return f(load(k)...);
        }
      };
      using Result = std::conditional_t<ops::is_predicate<F>, bool, T>;
      Result* to = reinterpret_cast<Result*>(out[0]);
      std::int64_t i = 0;
      for (; i + L::width <= n; i += L::width) {
        at(i, L::width).store(to + i);
      }
      if (i < n) {
        const int rest = static_cast<int>(n - i);
        at(i, rest).store_partial(to + i, rest);
      }
    } else {
      for_lanes<L, T, inputs>(in, out[0], n,
                              [&](auto load) CADENA_INLINE_LAMBDA { return f(load(k)...); });
    }
  }
  (std::make_index_sequence<inputs>{});
}

template <class F, int k, class T, class A>
void gradient_loop(const void* functor, const std::byte* const* in, std::byte* const* out,
                   std::int64_t n) {
  const F f = *static_cast<const F*>(functor);
  constexpr int points = ops::points<F>;
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    for_lanes<Lane<T, A>, T, points + 1>(in, out[0], n, [&](auto load) CADENA_INLINE_LAMBDA {
      return load(points) * partial<F, k>(f, load(i)...);
    });
  }
  (std::make_index_sequence<points>{});
}

template <class F, int k, int j, class T, class A>
void second_loop(const void* functor, const std::byte* const* in, std::byte* const* out,
                 std::int64_t n) {
  const F f = *static_cast<const F*>(functor);
  constexpr int points = ops::points<F>;
  [&]<std::size_t... i>(std::index_sequence<i...>) {
    for_lanes<Lane<T, A>, T, points + 2>(in, out[0], n, [&](auto load) CADENA_INLINE_LAMBDA {
      return load(points + 1) * (load(points) * second_partial<F, k, j>(f, load(i)...));
    });
  }
  (std::make_index_sequence<points>{});
}

template <class F, class A> constexpr ElementwiseKernels<ops::points<F>> make_kernels() {
  ElementwiseKernels<ops::points<F>> kernels;
  kernels.value[0] = value_loop<F, float, A>;
  kernels.value[1] = value_loop<F, double, A>;
  if constexpr (ops::takes_integers<F>) {
    kernels.value[2] = value_loop<F, std::int64_t, A>;
  }
  if constexpr (!ops::has_own_vjp<F> && !ops::is_predicate<F>) {
    constexpr int points = ops::points<F>;
    [&]<std::size_t... k>(std::index_sequence<k...>) {
      ((kernels.gradient[k][0] = gradient_loop<F, k, float, A>), ...);
      ((kernels.gradient[k][1] = gradient_loop<F, k, double, A>), ...);
    }
    (std::make_index_sequence<points>{});
    [&]<std::size_t... kj>(std::index_sequence<kj...>) {
      ((kernels.second[kj / points][kj % points][0] =
            second_loop<F, kj / points, kj % points, float, A>),
       ...);
      ((kernels.second[kj / points][kj % points][1] =
            second_loop<F, kj / points, kj % points, double, A>),
       ...);
    }
    (std::make_index_sequence<points * points>{});
  }
  return kernels;
}

// `used`: the host looks it up by name, this unit would drop it.
template <class F, class A>
[[gnu::used]] const ElementwiseKernels<ops::points<F>>& KernelTable<F, A>::get() {
  static constexpr ElementwiseKernels<ops::points<F>> kernels = make_kernels<F, A>();
  return kernels;
}

/// Instantiates the loops of all functors of a family.
template <class Family, class A> struct Loops;
template <class... F, class A> struct Loops<ops::Family<F...>, A> {
  static void instantiate() { ((void)KernelTable<F, A>::get(), ...); }
};

}  // namespace cadena::kernels
