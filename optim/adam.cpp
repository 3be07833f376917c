#include <cadena/optim/recurrence.hpp>

namespace cadena::optim {

/// The corrections are the same for all elements; as factors they spare each of them a division.
struct AdamRecurrence {
  double beta1, beta2;
  double rate;    // α / (1 − β₁ᵗ)
  double unbias;  // 1 / (1 − β₂ᵗ)
  RootWithEpsilon root;
  static constexpr int states = 2;
  template <class T> void operator()(T& w, T g, T& m, T& v) const {
    m = beta1 * m + (1 - beta1) * g;
    v = beta2 * v + (1 - beta2) * (g * g);
    w -= rate * m / root(unbias * v);
  }
};

}  // namespace cadena::optim

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/recurrence_loops.hpp>

namespace cadena {
template struct kernels::RecurrenceLoops<kernels::Arch, optim::AdamRecurrence,
                                         optim::Decayed<optim::AdamRecurrence>>;
}
#else
#include <cadena/optim/adam.hpp>
#include <cadena/optim/update.hpp>

#include <cmath>

namespace cadena::optim {

template class OptimizerWith<AdamOptions>;

Adam::Adam(std::vector<Cell> parameters, AdamOptions options)
    : Adam({Group{std::move(parameters), options}}) {}

Adam::Adam(std::vector<Group> groups)
    : OptimizerWith(
          "Adam", std::move(groups), checked,
          [](const AdamOptions&) {
            return States{{"m", "v"}, true};
          },
          update) {}

AdamOptions Adam::checked(AdamOptions options) {
  check_at_least_0("Adam", "lr", options.lr);
  check_below_1("Adam", "beta1", options.beta1);
  check_below_1("Adam", "beta2", options.beta2);
  check_at_least_0("Adam", "epsilon", options.epsilon);
  check_at_least_0("Adam", "weight_decay", options.weight_decay);
  return options;
}

Update Adam::update(const AdamOptions& options, double lr, double t) {
  return decayed(
      AdamRecurrence{options.beta1, options.beta2, lr / (1 - std::pow(options.beta1, t)),
                     1 / (1 - std::pow(options.beta2, t)),
                     RootWithEpsilon::with(options.epsilon, options.epsilon_inside_root)},
      options.weight_decay);
}

}  // namespace cadena::optim
#endif
