#pragma once

// What an optimizer's source needs besides its recurrence.

#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/recurrence.hpp>
#include <cadena/optim/optimizer.hpp>
#include <cadena/optim/recurrence.hpp>

#include <cmath>
#include <cstring>
#include <type_traits>

namespace cadena::optim {

/// A recurrence with the constants of one step, and its kernels for the machine at hand.
struct Update {
  const kernels::RecurrenceKernels* kernels;
  alignas(double) std::byte constants[80];

  template <class Recurrence> static Update of(const Recurrence& recurrence) {
    static_assert(std::is_trivially_copyable_v<Recurrence>);
    static_assert(sizeof(Recurrence) <= sizeof constants);
    Update update;
    update.kernels = kernels::at_level(
        []<class A>() { return &kernels::RecurrenceTable<Recurrence, A>::get(); });
    std::memcpy(update.constants, &recurrence, sizeof recurrence);
    return update;
  }
};

/// The recurrence, with weight decay where there is any.
template <class Recurrence> Update decayed(const Recurrence& recurrence, double weight_decay) {
  return weight_decay == 0 ? Update::of(recurrence)
                           : Update::of(Decayed<Recurrence>{recurrence, weight_decay});
}

inline double check_at_least_0(const char* optimizer, const char* option, double value) {
  if (!(value >= 0) || !std::isfinite(value)) {
    fail("{}: {} must be at least 0 and finite, got {}", optimizer, option, value);
  }
  return value;
}

inline double check_below_1(const char* optimizer, const char* option, double value) {
  if (!(value >= 0 && value < 1)) {
    fail("{}: {} must be in [0, 1), got {}", optimizer, option, value);
  }
  return value;
}

template <class Options>
Rule OptimizerWith<Options>::rule_of(const Options& options, UpdateOf update) {
  return [=](double lr, double t) { return update(options, lr, t); };
}

}  // namespace cadena::optim
