#pragma once

// What the recurrences of optimizers have in common. A recurrence is written for one element, T
// being a few of them at once, and holds the constants of one step as doubles.

namespace cadena::optim {

/// L2 regularisation of any recurrence: the gradient of E + rate/2 ‖w‖² is g + rate·w.
template <class Recurrence> struct Decayed {
  Recurrence recurrence;
  double rate;
  static constexpr int states = Recurrence::states;
  template <class T, class... States> void operator()(T& w, T g, States&... s) const {
    recurrence(w, g + rate * w, s...);
  }
};

/// √(x + inside) + outside. Of the two places for ε, one is 0.
struct RootWithEpsilon {
  double inside, outside;
  static RootWithEpsilon with(double epsilon, bool is_inside) {
    return {is_inside ? epsilon : 0.0, is_inside ? 0.0 : epsilon};
  }
  template <class T> T operator()(T x) const { return sqrt(x + inside) + outside; }
};

}  // namespace cadena::optim
