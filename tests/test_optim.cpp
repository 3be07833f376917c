// Each optimizer against the plain loop of its published formula.
#include "descent.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/adam.hpp>
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/sgd.hpp>

#include <cmath>
#include <functional>
#include <vector>

using namespace cadena;
using namespace support;
using optim::Convention;

namespace {

/// One element's course by the published formula: from w at the start to w after `steps` steps.
using Course = std::function<double(double w, std::int64_t i)>;

/// 1000 steps of the optimizer against the plain loop, element by element.
void check_course(optim::Optimizer& optimizer, const Cell& cell, const Course& course,
                  double tolerance = 1e-12) {
  for (int t = 1; t <= steps; ++t) {
    set_gradient(cell, t);
    optimizer.step();
  }
  const std::vector<double> got = cell.value().to_vector<double>();
  double moved = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double expected = course(at_start(i), i);
    const double value = got[static_cast<std::size_t>(i)];
    INFO("element " << i << ": expected " << expected << ", got " << value);
    REQUIRE(std::abs(value - expected) <= tolerance * std::max(1.0, std::abs(expected)));
    moved = std::max(moved, std::abs(expected - at_start(i)));
  }
  CHECK(moved > 0.05);
}

template <class Optimizer, class Options>
void check_course(const Options& options, const Course& course) {
  const Cell cell = parameter(float64);
  Optimizer optimizer({cell}, options);
  check_course(optimizer, cell, course);
}

}  // namespace

TEST_CASE("SGD follows w - lr g") {
  check_course<optim::SGD>(optim::SGDOptions{}, [](double w, std::int64_t i) {
    for (int t = 1; t <= steps; ++t) w -= 0.01 * slope(w, i, t);
    return w;
  });
}

TEST_CASE("SGD with momentum: the lecture's rate is inside the velocity") {
  check_course<optim::SGD>(optim::SGDOptions{.lr = 0.02, .momentum = 0.9},
                           [](double w, std::int64_t i) {
                             double v = 0;
                             for (int t = 1; t <= steps; ++t) {
                               v = 0.9 * v + 0.02 * slope(w, i, t);
                               w = w - v;
                             }
                             return w;
                           });
}

TEST_CASE("SGD with Nesterov's momentum holds the look-ahead point") {
  // The published form keeps w and asks for the gradient at w - γv; the rate changes on the way.
  const Cell cell = parameter(float64);
  optim::SGD optimizer({cell}, {.lr = 0.02, .momentum = 0.8, .nesterov = true});
  for (int t = 1; t <= steps; ++t) {
    optimizer.set_lr(t % 2 == 0 ? 0.02 : 0.01);
    set_gradient(cell, t);
    optimizer.step();
  }
  const std::vector<double> got = values_of(cell);
  for (std::int64_t i = 0; i < count; ++i) {
    double w = at_start(i), v = 0;
    for (int t = 1; t <= steps; ++t) {
      v = 0.8 * v + (t % 2 == 0 ? 0.02 : 0.01) * slope(w - 0.8 * v, i, t);
      w = w - v;
    }
    REQUIRE(got[static_cast<std::size_t>(i)] == Approx(w - 0.8 * v).epsilon(1e-12));
  }
}

TEST_CASE("SGD by PyTorch's convention: the rate is outside the velocity") {
  // Changing rates tell the two conventions apart.
  for (const bool nesterov : {false, true}) {
    const Cell cell = parameter(float64);
    optim::SGD optimizer({cell}, {.momentum = 0.9,
                                  .nesterov = nesterov,
                                  .weight_decay = 0.01,
                                  .convention = Convention::pytorch});
    CHECK(optimizer.lr() == 1e-3);
    const auto rate = [](int t) { return 1e-3 * (1 + t % 3); };
    for (int t = 1; t <= steps; ++t) {
      optimizer.set_lr(rate(t));
      set_gradient(cell, t);
      optimizer.step();
    }
    const std::vector<double> got = values_of(cell);
    for (std::int64_t i = 0; i < count; ++i) {
      double w = at_start(i), buffer = 0;
      for (int t = 1; t <= steps; ++t) {
        double g = slope(w, i, t) + 0.01 * w;
        buffer = t == 1 ? g : 0.9 * buffer + g;
        w -= rate(t) * (nesterov ? g + 0.9 * buffer : buffer);
      }
      REQUIRE(got[static_cast<std::size_t>(i)] == Approx(w).epsilon(1e-12));
    }
  }
}

TEST_CASE("Adagrad: epsilon inside the root, outside by PyTorch's convention") {
  check_course<optim::Adagrad>(optim::AdagradOptions{}, [](double w, std::int64_t i) {
    double s = 0;
    for (int t = 1; t <= steps; ++t) {
      const double g = slope(w, i, t);
      s = s + g * g;
      w = w - 0.01 * g / std::sqrt(s + 1e-7);
    }
    return w;
  });
  check_course<optim::Adagrad>(optim::AdagradOptions{.convention = Convention::pytorch},
                               [](double w, std::int64_t i) {
                                 double s = 0;
                                 for (int t = 1; t <= steps; ++t) {
                                   const double g = slope(w, i, t);
                                   s += g * g;
                                   w -= 0.01 * g / (std::sqrt(s) + 1e-10);
                                 }
                                 return w;
                               });
}

TEST_CASE("The place of epsilon shows when it is large") {
  for (const bool inside : {false, true}) {
    const auto divisor = [inside](double s) {
      return inside ? std::sqrt(s + 0.5) : std::sqrt(s) + 0.5;
    };
    check_course<optim::Adagrad>(
        optim::AdagradOptions{.lr = 0.1, .epsilon = 0.5, .epsilon_inside_root = inside},
        [=](double w, std::int64_t i) {
          double s = 0;
          for (int t = 1; t <= steps; ++t) {
            const double g = slope(w, i, t);
            s += g * g;
            w -= 0.1 * g / divisor(s);
          }
          return w;
        });
    check_course<optim::Adam>(
        optim::AdamOptions{.lr = 0.01, .epsilon = 0.5, .epsilon_inside_root = inside},
        [=](double w, std::int64_t i) {
          double m = 0, v = 0;
          for (int t = 1; t <= steps; ++t) {
            const double g = slope(w, i, t);
            m = 0.9 * m + 0.1 * g;
            v = 0.999 * v + 0.001 * g * g;
            w -= 0.01 * m / (1 - std::pow(0.9, t)) / divisor(v / (1 - std::pow(0.999, t)));
          }
          return w;
        });
  }
}

TEST_CASE("RMSprop: the lecture's defaults and PyTorch's") {
  const auto course = [](double lr, double beta, double epsilon, bool inside) {
    return [=](double w, std::int64_t i) {
      double s = 0;
      for (int t = 1; t <= steps; ++t) {
        const double g = slope(w, i, t);
        s = beta * s + (1 - beta) * g * g;
        w -= lr * g / (inside ? std::sqrt(s + epsilon) : std::sqrt(s) + epsilon);
      }
      return w;
    };
  };
  check_course<optim::RMSprop>(optim::RMSpropOptions{}, course(1e-3, 0.9, 1e-6, true));
  check_course<optim::RMSprop>(optim::RMSpropOptions{.convention = Convention::pytorch},
                               course(1e-2, 0.99, 1e-8, false));
  check_course<optim::RMSprop>(
      optim::RMSpropOptions{.epsilon = 0.1, .convention = Convention::pytorch},
      course(1e-2, 0.99, 0.1, false));
}

TEST_CASE("Adam follows its paper, with weight decay in the gradient") {
  for (const double decay : {0.0, 0.05}) {
    check_course<optim::Adam>(optim::AdamOptions{.lr = 2e-3, .weight_decay = decay},
                              [=](double w, std::int64_t i) {
                                double m = 0, v = 0;
                                for (int t = 1; t <= steps; ++t) {
                                  const double g = slope(w, i, t) + decay * w;
                                  m = 0.9 * m + (1 - 0.9) * g;
                                  v = 0.999 * v + (1 - 0.999) * g * g;
                                  const double unbiased_m = m / (1 - std::pow(0.9, t));
                                  const double unbiased_v = v / (1 - std::pow(0.999, t));
                                  w = w - 2e-3 * unbiased_m / (std::sqrt(unbiased_v) + 1e-8);
                                }
                                return w;
                              });
  }
  const optim::AdamOptions defaults;
  CHECK(defaults.lr == 1e-3);
  CHECK(defaults.epsilon == 1e-8);
}

TEST_CASE("float32 parameters stay within float32's accuracy") {
  const Cell cell = parameter(float32);
  optim::Adam optimizer({cell}, {.lr = 2e-3});
  check_course(
      optimizer, cell,
      [](double w, std::int64_t i) {
        double m = 0, v = 0;
        for (int t = 1; t <= steps; ++t) {
          const double g = slope(w, i, t);
          m = 0.9 * m + 0.1 * g;
          v = 0.999 * v + 0.001 * g * g;
          w -= 2e-3 * m / (1 - std::pow(0.9, t)) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
        }
        return w;
      },
      1e-4);
}
