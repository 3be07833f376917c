#include <cadena/optim/recurrence.hpp>

namespace cadena::optim {

struct Descent {
  double lr;
  static constexpr int states = 0;
  template <class T> void operator()(T& w, T g) const { w -= lr * g; }
};

/// One of the two rates is η, the other 1.
struct Momentum {
  double gamma, rate_of_gradient, rate_of_velocity;
  static constexpr int states = 1;
  template <class T> void operator()(T& w, T g, T& v) const {
    v = gamma * v + rate_of_gradient * g;
    w -= rate_of_velocity * v;
  }
};

/// w is the look-ahead point.
struct Nesterov {
  double gamma, rate_of_gradient, rate_of_velocity;
  static constexpr int states = 1;
  template <class T> void operator()(T& w, T g, T& v) const {
    v = gamma * v + rate_of_gradient * g;
    w -= rate_of_velocity * (gamma * v + rate_of_gradient * g);
  }
};

}  // namespace cadena::optim

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/recurrence_loops.hpp>

namespace cadena {
template struct kernels::RecurrenceLoops<
    kernels::Arch, optim::Descent, optim::Decayed<optim::Descent>, optim::Momentum,
    optim::Decayed<optim::Momentum>, optim::Nesterov, optim::Decayed<optim::Nesterov>>;
}
#else
#include <cadena/optim/sgd.hpp>
#include <cadena/optim/update.hpp>

namespace cadena::optim {

template class OptimizerWith<SGDOptions>;

SGD::SGD(std::vector<Cell> parameters, SGDOptions options)
    : SGD({Group{std::move(parameters), options}}) {}

SGD::SGD(std::vector<Group> groups)
    : OptimizerWith(
          "SGD", std::move(groups), checked,
          [](const SGDOptions& options) {
            return options.momentum != 0 ? States{{"velocity"}} : States{};
          },
          update) {}

SGDOptions SGD::checked(SGDOptions options) {
  const bool lecture = options.convention == Convention::lecture;
  options.lr = check_at_least_0("SGD", "lr", options.lr.value_or(lecture ? 0.01 : 0.001));
  check_below_1("SGD", "momentum", options.momentum);
  check_at_least_0("SGD", "weight_decay", options.weight_decay);
  if (options.nesterov && options.momentum == 0) {
    fail("SGD: nesterov needs a momentum above 0");
  }
  options.rate_inside_velocity = options.rate_inside_velocity.value_or(lecture);
  return options;
}

Update SGD::update(const SGDOptions& options, double lr, double) {
  if (options.momentum == 0) {
    return decayed(Descent{lr}, options.weight_decay);
  }
  const bool inside = *options.rate_inside_velocity;
  const double of_gradient = inside ? lr : 1, of_velocity = inside ? 1 : lr;
  return options.nesterov
             ? decayed(Nesterov{options.momentum, of_gradient, of_velocity}, options.weight_decay)
             : decayed(Momentum{options.momentum, of_gradient, of_velocity}, options.weight_decay);
}

}  // namespace cadena::optim
#endif
