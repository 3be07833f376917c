#include <cadena/optim/recurrence.hpp>

namespace cadena::optim {

struct RMSpropRecurrence {
  double lr, beta;
  RootWithEpsilon root;
  static constexpr int states = 1;
  template <class T> void operator()(T& w, T g, T& s) const {
    s = beta * s + (1 - beta) * (g * g);
    w -= lr * g / root(s);
  }
};

}  // namespace cadena::optim

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/recurrence_loops.hpp>

namespace cadena {
template struct kernels::RecurrenceLoops<kernels::Arch, optim::RMSpropRecurrence,
                                         optim::Decayed<optim::RMSpropRecurrence>>;
}
#else
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/update.hpp>

namespace cadena::optim {

template class OptimizerWith<RMSpropOptions>;

RMSprop::RMSprop(std::vector<Cell> parameters, RMSpropOptions options)
    : RMSprop({Group{std::move(parameters), options}}) {}

RMSprop::RMSprop(std::vector<Group> groups)
    : OptimizerWith(
          "RMSprop", std::move(groups), checked,
          [](const RMSpropOptions&) { return States{{"mean_square"}}; }, update) {}

RMSpropOptions RMSprop::checked(RMSpropOptions options) {
  const bool lecture = options.convention == Convention::lecture;
  options.lr = check_at_least_0("RMSprop", "lr", options.lr.value_or(lecture ? 0.001 : 0.01));
  options.beta = check_below_1("RMSprop", "beta", options.beta.value_or(lecture ? 0.9 : 0.99));
  options.epsilon =
      check_at_least_0("RMSprop", "epsilon", options.epsilon.value_or(lecture ? 1e-6 : 1e-8));
  check_at_least_0("RMSprop", "weight_decay", options.weight_decay);
  options.epsilon_inside_root = options.epsilon_inside_root.value_or(lecture);
  return options;
}

Update RMSprop::update(const RMSpropOptions& options, double lr, double) {
  return decayed(
      RMSpropRecurrence{lr, *options.beta,
                        RootWithEpsilon::with(*options.epsilon, *options.epsilon_inside_root)},
      options.weight_decay);
}

}  // namespace cadena::optim
#endif
