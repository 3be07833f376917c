#include <cadena/optim/recurrence.hpp>

namespace cadena::optim {

struct AdagradRecurrence {
  double lr;
  RootWithEpsilon root;
  static constexpr int states = 1;
  template <class T> void operator()(T& w, T g, T& s) const {
    s += g * g;
    w -= lr * g / root(s);
  }
};

}  // namespace cadena::optim

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/recurrence_loops.hpp>

namespace cadena {
template struct kernels::RecurrenceLoops<kernels::Arch, optim::AdagradRecurrence,
                                         optim::Decayed<optim::AdagradRecurrence>>;
}
#else
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/update.hpp>

namespace cadena::optim {

template class OptimizerWith<AdagradOptions>;

Adagrad::Adagrad(std::vector<Cell> parameters, AdagradOptions options)
    : Adagrad({Group{std::move(parameters), options}}) {}

Adagrad::Adagrad(std::vector<Group> groups)
    : OptimizerWith(
          "Adagrad", std::move(groups), checked,
          [](const AdagradOptions&) { return States{{"sum_of_squares"}}; }, update) {}

AdagradOptions Adagrad::checked(AdagradOptions options) {
  const bool lecture = options.convention == Convention::lecture;
  check_at_least_0("Adagrad", "lr", options.lr);
  options.epsilon =
      check_at_least_0("Adagrad", "epsilon", options.epsilon.value_or(lecture ? 1e-7 : 1e-10));
  check_at_least_0("Adagrad", "weight_decay", options.weight_decay);
  options.epsilon_inside_root = options.epsilon_inside_root.value_or(lecture);
  return options;
}

Update Adagrad::update(const AdagradOptions& options, double lr, double) {
  return decayed(
      AdagradRecurrence{lr, RootWithEpsilon::with(*options.epsilon, *options.epsilon_inside_root)},
      options.weight_decay);
}

}  // namespace cadena::optim
#endif
