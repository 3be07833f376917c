#include "test.hpp"

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/adam.hpp>
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/sgd.hpp>

#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

using namespace cadena;
using optim::Convention;

namespace {

constexpr int steps = 1000;
constexpr std::int64_t count = 37;  // lanes and a tail

double at_start(std::int64_t i) { return std::sin(1.7 * static_cast<double>(i)) + 0.2; }

/// A gradient that depends on the place, and on the step as mini-batches do.
double slope(double w, std::int64_t i, int t) {
  const double curvature = 0.1 + 0.05 * static_cast<double>(i);
  return curvature * (w - 0.3) + 0.5 * std::cos(0.37 * t + static_cast<double>(i));
}

Cell parameter(Dtype dtype, std::int64_t n = count, std::int64_t from = 0) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < n; ++i) {
    values.push_back(at_start(from + i));
  }
  return Cell(from_vector(values, {n}, {.dtype = dtype}), true);
}

void set_gradient(const Cell& cell, const std::vector<double>& values) {
  cell.zero_grad();
  cell.value().backward(from_vector(values, cell.value().shape(), {.dtype = cell.value().dtype()}));
}

void set_gradient(const Cell& cell, int t, std::int64_t from = 0) {
  std::vector<double> gradient = cell.value().to_vector<double>();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    gradient[i] = slope(gradient[i], from + static_cast<std::int64_t>(i), t);
  }
  set_gradient(cell, gradient);
}

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

std::vector<double> values_of(const Cell& cell) { return cell.value().to_vector<double>(); }

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(float64), y = b.to(float64);
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(x.data<double>().data(), y.data<double>().data(),
                     x.data<double>().size_bytes()) == 0;
}

const void* memory_of(const Cell& cell) { return cell.value().data<double>().data(); }

/// Does `action` throw an Error whose text holds all of the words?
template <class Action> void check_error(Action&& action, const std::vector<std::string>& words) {
  std::string text;
  try {
    action();
  } catch (const Error& error) {
    text = error.what();
  }
  INFO("the error: \"" << text << '"');
  REQUIRE(!text.empty());
  for (const std::string& word : words) {
    CHECK(text.find(word) != std::string::npos);
  }
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

TEST_CASE("The same bits for 1, 2 and 8 threads, dtypes mixed") {
  const int before = threads();
  std::vector<std::vector<Tensor>> results;
  for (const int n : {1, 2, 8}) {
    set_threads(n);
    std::vector<Cell> cells;
    std::int64_t from = 0;
    for (const std::int64_t size : {70001, 3, 16384, 1, 40000}) {
      for (const Dtype dtype : {float32, float64}) {
        cells.push_back(parameter(dtype, size, from));
        from += size;
      }
    }
    optim::Adam optimizer(cells, {.lr = 0.01});
    for (int t = 1; t <= 5; ++t) {
      from = 0;
      for (const Cell& cell : cells) {
        set_gradient(cell, t, from);
        from += cell.value().numel();
      }
      optimizer.step();
    }
    std::vector<Tensor>& result = results.emplace_back();
    for (const NamedCell& state : optimizer.named_state()) {
      result.push_back(state.cell.value());
    }
    for (const Cell& cell : cells) {
      result.push_back(cell.value());
    }
  }
  set_threads(before);
  for (std::size_t run = 1; run < results.size(); ++run) {
    for (std::size_t i = 0; i < results[0].size(); ++i) {
      INFO("run " << run << ", value " << i);
      REQUIRE(same_bits(results[0][i], results[run][i]));
    }
  }
}

TEST_CASE("A parameter among others is updated as if it were alone") {
  std::vector<Cell> cells, alone;
  std::int64_t from = 0;
  for (const std::int64_t size : {5, 16384, 0, 20011, 1, 7}) {
    cells.push_back(parameter(float64, size, from));
    alone.push_back(parameter(float64, size, from));
    from += size;
  }
  optim::Adam together(cells);
  for (int t = 1; t <= 3; ++t) {
    from = 0;
    for (const Cell& cell : cells) {
      set_gradient(cell, t, from);
      from += cell.value().numel();
    }
    together.step();
  }
  from = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    optim::Adam optimizer({alone[i]});
    for (int t = 1; t <= 3; ++t) {
      set_gradient(alone[i], t, from);
      optimizer.step();
    }
    from += alone[i].value().numel();
    CHECK(same_bits(cells[i].value(), alone[i].value()));
  }
}

TEST_CASE("Updates are in place when nobody else holds the memory") {
  const Cell cell = parameter(float64);
  optim::Adam optimizer({cell});
  set_gradient(cell, 1);
  const void* memory = memory_of(cell);
  const void* memory_of_m = memory_of(optimizer.state(cell, "m"));
  optimizer.step();
  CHECK(memory_of(cell) == memory);
  CHECK(memory_of(optimizer.state(cell, "m")) == memory_of_m);
  set_gradient(cell, 2);
  const MemoryStats before = memory_stats();
  optimizer.step();
  const MemoryStats after = memory_stats();
  CHECK(after.blocks_in_use == before.blocks_in_use);
  CHECK(after.bytes_in_use == before.bytes_in_use);
}

TEST_CASE("A snapshot, a view and a saved value keep what they saw") {
  const Cell cell = parameter(float64);
  optim::SGD optimizer({cell}, {.lr = 0.5, .momentum = 0.9});
  const std::vector<double> old = values_of(cell);

  SECTION("a snapshot") {
    const Tensor snapshot = cell.value();
    set_gradient(cell, 1);
    optimizer.step();
    CHECK(snapshot.to_vector<double>() == old);
    CHECK(values_of(cell) != old);
  }
  SECTION("a view") {
    const Tensor view = reshape(cell.value().detach(), {1, count});
    set_gradient(cell, 1);
    optimizer.step();
    CHECK(view.to_vector<double>() == old);
    CHECK(values_of(cell) != old);
  }
  SECTION("a value saved for a backward after the update") {
    const Tensor square = cell.value() * cell.value();
    set_gradient(cell, 1);
    optimizer.step();
    CHECK(values_of(cell) != old);
    cell.zero_grad();
    square.backward(ones({count}, {.dtype = float64}));
    const std::vector<double> gradient = cell.grad().to_vector<double>();
    for (std::size_t i = 0; i < old.size(); ++i) {
      REQUIRE(gradient[i] == 2 * old[i]);
    }
  }
  SECTION("a state") {
    set_gradient(cell, 1);
    optimizer.step();
    const Tensor velocity = optimizer.state(cell, "velocity").value();
    const std::vector<double> seen = velocity.to_vector<double>();
    optimizer.step();
    CHECK(velocity.to_vector<double>() == seen);
    CHECK(values_of(optimizer.state(cell, "velocity")) != seen);
  }
  SECTION("memory of the caller") {
    std::vector<double> memory(old);
    const Cell adopted(adopt<double>(memory.data(), {count}, [](double*) {}), true);
    optim::SGD other({adopted}, {.lr = 0.5});
    set_gradient(adopted, 1);
    other.step();
    CHECK(memory == old);
    CHECK(values_of(adopted) != old);
  }
  SECTION("a gradient that is the parameter itself") {
    cell.zero_grad();
    cell.value().backward(cell.value().detach());
    optimizer.step();
    const std::vector<double> now = values_of(cell);
    for (std::size_t i = 0; i < old.size(); ++i) {
      REQUIRE(now[i] == Approx(0.5 * old[i]).epsilon(1e-15));
    }
    CHECK(cell.grad().to_vector<double>() == old);
  }
}

TEST_CASE("A parameter without a gradient is left alone, its count of updates too") {
  const Cell first = parameter(float64), late = parameter(float64);
  optim::Adam optimizer({first, late}, {.lr = 0.01});
  for (int t = 1; t <= 3; ++t) {
    set_gradient(first, t);
    optimizer.step();
  }
  CHECK(values_of(late) == values_of(parameter(float64)));
  CHECK(optimizer.state(late, "step").value().item() == 0);
  CHECK(optimizer.state(first, "step").value().item() == 3);
  CHECK(optimizer.steps() == 3);
  // Its first update is one of t = 1: m̂ / √v̂ is the gradient's sign.
  set_gradient(late, 1);
  const std::vector<double> gradient = late.grad().to_vector<double>();
  optimizer.step();
  const std::vector<double> now = values_of(late);
  for (std::size_t i = 0; i < now.size(); ++i) {
    REQUIRE(now[i] ==
            Approx(at_start(static_cast<std::int64_t>(i)) - 0.01 * (gradient[i] > 0 ? 1 : -1))
                .epsilon(1e-6));
  }
  optimizer.zero_grad();
  CHECK(!first.grad().defined());
  CHECK(!late.grad().defined());
}

TEST_CASE("The rate may be set at any time, per group too") {
  const Cell a = parameter(float64, 2), b = parameter(float64, 2);
  optim::SGD optimizer({{{a}, {.lr = 0.1}}, {{b}, {.lr = 0.2, .momentum = 0.5}}});
  CHECK(optimizer.group_count() == 2);
  CHECK(optimizer.options(1).momentum == 0.5);
  CHECK(optimizer.lr(0) == 0.1);
  CHECK(optimizer.lr(1) == 0.2);
  optimizer.set_lr(1, 0.4);
  set_gradient(a, {1, 1});
  set_gradient(b, {1, 1});
  optimizer.step();
  CHECK(values_of(a)[0] == Approx(at_start(0) - 0.1));
  CHECK(values_of(b)[0] == Approx(at_start(0) - 0.4));
  optimizer.set_lr(0);
  const std::vector<double> before = values_of(a);
  optimizer.step();
  CHECK(values_of(a) == before);
  CHECK(values_of(b)[0] == Approx(at_start(0) - 0.4 - 0.2));  // its velocity goes on
}

TEST_CASE("The state can be read, and assigned to go on elsewhere") {
  const Cell one = parameter(float64), other = parameter(float64);
  optim::Adam first({one});
  for (int t = 1; t <= 4; ++t) {
    set_gradient(one, t);
    first.step();
  }
  optim::Adam second({other});
  other.assign(one.value());
  const std::vector<NamedCell> from = first.named_state(), to = second.named_state();
  REQUIRE(from.size() == to.size());
  std::vector<std::string> names;
  for (std::size_t i = 0; i < from.size(); ++i) {
    names.push_back(from[i].name);
    to[i].cell.assign(from[i].cell.value());
  }
  CHECK(names == std::vector<std::string>{"steps", "lr.0", "m.0", "v.0", "step.0"});
  for (int t = 5; t <= 8; ++t) {
    set_gradient(one, t);
    first.step();
    set_gradient(other, t);
    second.step();
  }
  CHECK(same_bits(one.value(), other.value()));
  CHECK(second.steps() == 8);
}

TEST_CASE("A gradient that is a strided view is taken as it is") {
  const Cell cell(zeros({2, 3}, {.dtype = float64}), true);
  const Tensor gradient = transpose(arange(6, {.dtype = float64}).contiguous(), 0, 0);
  cell.value().backward(transpose(reshape(gradient, {3, 2}), 0, 1));
  optim::SGD optimizer({cell}, {.lr = 1});
  optimizer.step();
  CHECK(values_of(cell) == std::vector<double>{0, -2, -4, -1, -3, -5});
}

TEST_CASE("A weight given twice is updated once") {
  const Cell tied = parameter(float64, 2);
  optim::SGD optimizer({tied, tied}, {.lr = 1});
  set_gradient(tied, {1, 1});
  optimizer.step();
  CHECK(values_of(tied)[1] == Approx(at_start(1) - 1));
}

TEST_CASE("float32 results that would be subnormal become zero, float64 ones do not") {
  const Cell small(full({20}, 1.0), true), wide(full({20}, 1.0, {.dtype = float64}), true);
  optim::SGD optimizer({small, wide}, {.lr = 1e-30, .momentum = 0.9});
  set_gradient(small, std::vector<double>(20, 1e-10));
  set_gradient(wide, std::vector<double>(20, 1e-290));
  optimizer.step();
  CHECK(optimizer.state(small, "velocity").value().to_vector<double>()[17] == 0);
  CHECK(optimizer.state(wide, "velocity").value().to_vector<double>()[17] != 0);
}

TEST_CASE("Wrong options and parameters are errors that say so") {
  const Cell cell = parameter(float64, 2);
  using optim::Adagrad, optim::Adam, optim::RMSprop, optim::SGD;
  check_error([&] { Adam({cell}, {.lr = -1}); }, {"Adam", "lr", "-1"});
  check_error([&] { Adam({cell}, {.lr = NAN}); }, {"Adam", "lr", "nan"});
  check_error([&] { Adam({cell}, {.beta1 = 1}); }, {"Adam", "beta1", "[0, 1)", "1"});
  check_error([&] { Adam({cell}, {.beta2 = -0.1}); }, {"Adam", "beta2", "-0.1"});
  check_error([&] { Adam({cell}, {.epsilon = -1e-8}); }, {"Adam", "epsilon"});
  check_error([&] { Adam({cell}, {.weight_decay = -1}); }, {"Adam", "weight_decay"});
  check_error([&] { SGD({cell}, {.momentum = 1.5}); }, {"SGD", "momentum", "1.5"});
  check_error([&] { SGD({cell}, {.nesterov = true}); }, {"SGD", "nesterov", "momentum"});
  check_error([&] { Adagrad({cell}, {.epsilon = -1}); }, {"Adagrad", "epsilon"});
  check_error([&] { RMSprop({cell}, {.beta = 2}); }, {"RMSprop", "beta", "2"});
  check_error([&] { Adam(std::vector<Cell>{}); }, {"Adam", "no parameters"});
  check_error([&] { Adam({cell, Cell()}); }, {"Adam", "parameter 1", "undefined"});
  check_error([&] { Adam({Cell(zeros({2, 3}))}); }, {"parameter 0", "[2, 3]", "no gradient"});
  check_error([&] { SGD({{{cell}, {}}, {{cell}, {}}}); }, {"parameter 0 of group 1", "another"});
  Adam optimizer({cell});
  check_error([&] { optimizer.set_lr(-2); }, {"Adam", "lr", "-2"});
  check_error([&] { (void)optimizer.lr(3); }, {"Adam", "no group 3; there is 1 group,"});
  check_error([&] { (void)optimizer.state(cell, "velocity"); }, {"velocity"});
  check_error([&] { (void)optimizer.state(parameter(float64), "m"); }, {"no parameter"});
}

TEST_CASE("A step without any gradient is an error, and nothing is updated") {
  const Cell cell = parameter(float64, 2), other = parameter(float64, 2);
  optim::SGD optimizer({cell}, {.lr = 0.1, .momentum = 0.9});
  check_error([&] { optimizer.step(); }, {"SGD", "step", "gradient", "backward", "another model"});
  set_gradient(cell, {1, 1});
  optimizer.step();
  optimizer.zero_grad();
  set_gradient(other, {1, 1});
  const std::vector<double> before = values_of(cell);
  check_error([&] { optimizer.step(); }, {"not one of its parameters has a gradient"});
  CHECK(values_of(cell) == before);
  CHECK(optimizer.steps() == 1);
}

TEST_CASE("An optimizer may be moved, and what is left of it says so") {
  const Cell cell = parameter(float64, 2);
  optim::Adam first({cell});
  set_gradient(cell, {1, 1});
  first.step();
  optim::Adam second = std::move(first);
  second.step();
  CHECK(second.steps() == 2);
  check_error([&] { first.step(); }, {"optimizer", "moved from"});
  check_error([&] { first.zero_grad(); }, {"moved from"});
  check_error([&] { first.set_lr(1); }, {"moved from"});
  check_error([&] { (void)first.lr(); }, {"moved from"});
  check_error([&] { (void)first.steps(); }, {"moved from"});
  check_error([&] { (void)first.options(); }, {"moved from"});
  check_error([&] { (void)first.named_state(); }, {"moved from"});
  check_error([&] { (void)first.state(cell, "m"); }, {"moved from"});
}

TEST_CASE("A parameter that changed its type is an error, and nothing is updated") {
  const Cell first = parameter(float64, 2), changed = parameter(float64, 2);
  optim::Adam optimizer({first, changed});
  set_gradient(first, {1, 1});
  changed.reset(zeros({3}));
  set_gradient(changed, {1, 1, 1});
  const std::vector<double> before = values_of(first);
  check_error([&] { optimizer.step(); },
              {"Adam", "parameter 1", "float32 [3]", "m", "float64 [2]"});
  CHECK(values_of(first) == before);
  CHECK(optimizer.steps() == 0);
  CHECK(optimizer.state(first, "step").value().item() == 0);
}
