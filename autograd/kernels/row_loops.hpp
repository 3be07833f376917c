#pragma once

// Loops over one row, for kernel sources.

#include <cadena/autograd/kernels/reduce_blocks.hpp>

#include <cstdint>

namespace cadena::kernels {

/// Calls f(i) for each whole lane of [0, n) and f(i, m) for the m numbers that remain.
template <class T, class Arch, class F> CADENA_INLINE void each_lane(std::int64_t n, F f) {
  constexpr std::int64_t width = Lane<T, Arch>::width;
  std::int64_t i = 0;
  for (; i + width <= n; i += width) f(i);
  if (i < n) f(i, static_cast<int>(n - i));
}

/// The lane at an address, m numbers of it if m is given.
template <class Arch, class T, class... M>
CADENA_INLINE Lane<T, Arch> load_at(const T* from, M... m) {
  if constexpr (sizeof...(m) == 0) {
    return Lane<T, Arch>::load(from);
  } else {
    return Lane<T, Arch>::load_partial(from, m...);
  }
}
template <class Arch, class T, class... M>
CADENA_INLINE void store_at(Lane<T, Arch> x, T* to, M... m) {
  if constexpr (sizeof...(m) == 0) {
    x.store(to);
  } else {
    x.store_partial(to, m...);
  }
}

/// out[i] = f(x[i], ...).
template <class Arch, class T, class F, class... Inputs>
CADENA_INLINE void map_row(std::int64_t n, T* out, F f, const Inputs*... x) {
  each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
    store_at<Arch>(f(load_at<Arch>(x + i, m...)...), out + i, m...);
  });
}

/// The reduction of f(x[i], ...).
template <class Arch, class Operation, class T, class F, class... Inputs>
CADENA_INLINE T reduce_row_of(std::int64_t n, F f, const Inputs*... x) {
  return reduce_terms<Arch, Operation, T>(
      [&](std::int64_t i, auto... m) { return f(load_at<Arch>(x + i, m...)...); }, n);
}

/// Two sums of terms in one pass: term(i, m...) gives both lanes.
template <class T> struct TwoSums { T first, second; };
template <class Arch, class T, class Term>
CADENA_INLINE TwoSums<T> sum_two(Term term, std::int64_t n) {
  using L = Lane<T, Arch>;
  constexpr int registers = 2;  // of each
  Tree<T, Plus<T, Arch>> first, second;
  for (std::int64_t begin = 0; begin < n; begin += row_block) {
    const std::int64_t end = n - begin < row_block ? n : begin + row_block;
    L sums[2][registers] = {{L(T(0)), L(T(0))}, {L(T(0)), L(T(0))}};
    std::int64_t i = begin;
    const auto add = [&](int k, auto terms) CADENA_INLINE_LAMBDA {
      sums[0][k] += terms.first;
      sums[1][k] += terms.second;
    };
    for (; i + registers * L::width <= end; i += registers * L::width) {
      for (int k = 0; k < registers; ++k) add(k, term(i + k * L::width));
    }
    for (; i + L::width <= end; i += L::width) add(0, term(i));
    if (i < end) {
      const int rest = static_cast<int>(end - i);
      auto terms = term(i, rest);
      terms = {first_of<T, Arch>(rest, terms.first, T(0)),
               first_of<T, Arch>(rest, terms.second, T(0))};
      add(1, terms);
    }
    T all[2] = {};
    for (int which = 0; which < 2; ++which) {
      alignas(64) T numbers[L::width];
      (sums[which][0] + sums[which][1]).store(numbers);
      for (int half = L::width / 2; half >= 1; half /= 2) {
        for (int j = 0; j < half; ++j) numbers[j] += numbers[j + half];
      }
      all[which] = numbers[0];
    }
    if (n <= row_block) return {all[0], all[1]};
    first.push(all[0]);
    second.push(all[1]);
  }
  return {first.result(), second.result()};
}

}  // namespace cadena::kernels
