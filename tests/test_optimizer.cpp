// What all optimizers share: groups, states, rates, memory and errors.
#include "descent.hpp"

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/adam.hpp>
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/sgd.hpp>

#include <cstring>
#include <string>
#include <vector>

using namespace cadena;
using namespace support;

namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(float64), y = b.to(float64);
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         std::memcmp(x.data<double>().data(), y.data<double>().data(),
                     x.data<double>().size_bytes()) == 0;
}

const void* memory_of(const Cell& cell) { return cell.value().data<double>().data(); }

}  // namespace

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
