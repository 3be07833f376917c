#pragma once

// The loops of recurrences (optimizers), compiled once per architecture.

#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/recurrence.hpp>

#include <utility>

namespace cadena::kernels {

template <class R, class T, class A>
void recurrence_loop(const void* recurrence, const std::byte* const* in, std::byte* const* out,
                     std::int64_t n) {
  using L = Lane<T, A>;
  const R step = *static_cast<const R*>(recurrence);
  constexpr std::size_t states = R::states;
  const T* from[states + 2];
  T* to[states + 1];
  for (std::size_t k = 0; k < states + 2; ++k) {
    from[k] = reinterpret_cast<const T*>(in[k]);
  }
  for (std::size_t k = 0; k < states + 1; ++k) {
    to[k] = reinterpret_cast<T*>(out[k]);
  }
  const auto advance = [&](auto load, auto store) CADENA_INLINE_LAMBDA {
    [&]<std::size_t... k>(std::index_sequence<k...>) CADENA_INLINE_LAMBDA {
      L w = load(from[0]);
      L state[states + 1] = {load(from[k + 2])..., L(0)};  // the last: no array has 0 elements
      step(w, load(from[1]), state[k]...);
      store(w, to[0]);
      (store(state[k], to[k + 1]), ...);
    }
    (std::make_index_sequence<states>{});
  };
  std::int64_t i = 0;
  for (; i + L::width <= n; i += L::width) {
    advance([&](const T* x) CADENA_INLINE_LAMBDA { return L::load(x + i); },
            [&](L x, T* place) CADENA_INLINE_LAMBDA { x.store(place + i); });
  }
  if (i < n) {
    const int rest = static_cast<int>(n - i);
    advance([&](const T* x) CADENA_INLINE_LAMBDA { return L::load_partial(x + i, rest); },
            [&](L x, T* place) CADENA_INLINE_LAMBDA { x.store_partial(place + i, rest); });
  }
}

// `used`: the host looks it up by name, this unit would drop it.
template <class R, class A> [[gnu::used]] const RecurrenceKernels& RecurrenceTable<R, A>::get() {
  static constexpr RecurrenceKernels kernels{recurrence_loop<R, float, A>,
                                             recurrence_loop<R, double, A>};
  return kernels;
}

/// Instantiates the loops of recurrences.
template <class A, class... R> struct RecurrenceLoops {
  static void instantiate() { ((void)RecurrenceTable<R, A>::get(), ...); }
};

}  // namespace cadena::kernels
