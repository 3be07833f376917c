// Compiled functions do what the functions do, effects included, and say what they cannot do.

#include "support.hpp"

#include <cadena/autograd/compile/compile.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/profiler.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/nn/nn.hpp>
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/adam.hpp>
#include <cadena/optim/clip.hpp>
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/sgd.hpp>

#include "sweep.hpp"

#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

using namespace cadena;
using namespace support;
using sweep::same_bits;

namespace {

struct Model {
  nn::Linear hidden{4, 8};
  nn::BatchNorm norm{8};
  nn::Dropout dropout{0.25};
  nn::Linear output{8, 3};
  Tensor operator()(const Tensor& x) const { return output(dropout(relu(norm(hidden(x))))); }
};

struct Batch {
  Tensor inputs, labels;
};

Batch batch(std::uint64_t seed, std::int64_t examples = 6) {
  const Generator generator(seed);
  return {randn({examples, 4}, {}, generator), randint(0, 3, {examples}, {}, generator)};
}

/// All that a training changes.
template <class Optimizer>
std::vector<Tensor> state_of(const Model& model, const Optimizer& optimizer) {
  std::vector<Tensor> all;
  for (const Cell& cell : nn::parameters(model)) {
    all.push_back(cell.value());
    all.push_back(cell.grad());
  }
  for (const Cell& cell : nn::buffers(model)) {
    all.push_back(cell.value());
  }
  for (const NamedCell& state : optimizer.named_state()) {
    all.push_back(state.cell.value());
  }
  return all;
}

/// Trains two equal models, one by a compiled step, and compares everything after each step.
template <class Optimizer, class Options>
void check_training(const Options& options, std::uint64_t captures) {
  manual_seed(3);
  Model model;
  Model other = nn::clone(model);
  Optimizer optimizer(nn::parameters(model), options), others(nn::parameters(other), options);
  const auto step_of = [](Model& trained, Optimizer& by) {
    return [&](const Batch& given) {
      const Tensor loss = nn::cross_entropy(trained(given.inputs), given.labels);
      by.zero_grad();
      loss.backward();
      const Tensor size = optim::clip_grad_norm(nn::parameters(trained), 0.5);
      by.step();
      return std::pair(loss, size);
    };
  };
  const auto step = step_of(model, optimizer);
  const auto compiled = compile(step_of(other, others));
  for (int i = 0; i < 12; ++i) {
    INFO("step " << i);
    const Batch given = batch(100 + static_cast<std::uint64_t>(i));
    const GeneratorState state = default_generator().state();
    const auto [loss, size] = step(given);
    const GeneratorState after = default_generator().state();
    default_generator().set_state(state);
    const auto [found, found_size] = compiled(given);
    CHECK(default_generator().state() == after);
    CHECK(same_bits(loss.detach(), found.detach()));
    CHECK(found.requires_grad() == loss.requires_grad());
    CHECK(same_bits(size, found_size));
    const std::vector<Tensor> expected = state_of(model, optimizer), got = state_of(other, others);
    REQUIRE(expected.size() == got.size());
    for (std::size_t k = 0; k < got.size(); ++k) {
      CAPTURE(k);
      CHECK(same_bits(expected[k], got[k]));
    }
    if (i == 6) {
      optimizer.set_lr(0.003);
      others.set_lr(0.003);
    }
    if (i == 9) {
      check_error([&] { found.backward(); }, {"released"});
    }
  }
  CHECK(compiled.stats().captures == captures);
  CHECK(compiled.stats().replays == 12);
}

}  // namespace

TEST_CASE("a compiled training step changes what the step changes") {
  // The first step finds no gradients, the others do: two programs.
  check_training<optim::Adam>(optim::AdamOptions{.lr = 0.01}, 2);
  check_training<optim::SGD>(optim::SGDOptions{.lr = 0.1, .momentum = 0.9, .nesterov = true}, 2);
  check_training<optim::RMSprop>(optim::RMSpropOptions{}, 2);
  check_training<optim::Adagrad>(optim::AdagradOptions{}, 2);
}

TEST_CASE("arguments and results are tensors, plain data and what is made of them") {
  struct Given {
    Tensor x;
    std::optional<Tensor> y;
    int times;
  };
  int runs = 0;
  const auto f = compile([&](const Given& given, const std::vector<Tensor>& more, double factor) {
    ++runs;
    Tensor sum = given.x * given.times * factor;
    for (const Tensor& one : more) {
      sum = sum + one;
    }
    return std::tuple(given.y ? sum + *given.y : sum, Given{given.x, {}, 7}, runs);
  });
  const Tensor x = tensor({1.0, 2.0}), y = tensor({10.0, 20.0});
  const auto [sum, given, first] = f(Given{x, y, 2}, std::vector<Tensor>{x, x}, 3.0);
  CHECK(sum.to_vector<double>() == std::vector<double>{18, 36});
  CHECK(given.times == 7);
  CHECK(given.x.impl().get() == x.impl().get());
  CHECK(first == 1);
  CHECK(std::get<0>(f(Given{y, y, 2}, std::vector<Tensor>{x, x}, 3.0)).to_vector<double>() ==
        std::vector<double>{72, 144});
  CHECK(runs == 1);
  f(Given{x, y, 2}, std::vector<Tensor>{x, x}, 4.0);  // another number
  f(Given{x, y, 3}, std::vector<Tensor>{x, x}, 3.0);
  f(Given{x, {}, 2}, std::vector<Tensor>{x, x}, 3.0);
  f(Given{x, y, 2}, std::vector<Tensor>{x}, 3.0);
  CHECK(runs == 5);
  const auto nothing = compile([](const Tensor&) {});
  nothing(x);
  CHECK(compile([](const Tensor& t) { return t.dim(); })(x) == 1);
}

TEST_CASE("each kind of call has its program") {
  int runs = 0;
  const auto f = compile(
      [&](const Tensor& x) {
        ++runs;
        return sum(square(x));
      },
      {.programs = 3});
  const Tensor x = ones({4, 6});
  const auto count = [&](const Tensor& given) {
    const int before = runs;
    const double expected = sum(square(given)).item();
    CHECK(f(given).item() == expected);
    return runs - before;
  };
  CHECK(count(x) == 1);
  CHECK(count(x * 2.0) == 0);
  CHECK(count(x.to(float64)) == 1);
  CHECK(count(reshape(x, {6, 4})) == 1);
  CHECK(count(x) == 0);
  CHECK(count(transpose(x)) == 1);  // the first of float64 goes: it was used longest ago
  CHECK(f.stats().programs == 3);
  CHECK(count(x) == 0);
  CHECK(count(x.to(float64)) == 1);
  {
    const NoGrad none;
    CHECK(count(x) == 1);
  }
  CHECK(count(x.requires_grad_leaf()) == 1);
}

TEST_CASE("gradients flow through a compiled function to any order") {
  const auto plain = [](const Tensor& x, const Tensor& w) {
    return sum(sin(x * w) * exp(w.detach()) + square(w) * x);
  };
  const auto compiled = compile(plain);
  const Tensor x = tensor({0.3, -1.2, 2.0}, {.dtype = float64, .requires_grad = true});
  const Tensor w = tensor({1.1, 0.4, -0.7}, {.dtype = float64, .requires_grad = true});
  const auto derivatives = [&](const auto& f) {
    std::vector<Tensor> all{f(x, w)};
    const std::vector<Tensor> first = grad(all[0], {x, w}, {.create_graph = true});
    const std::vector<Tensor> second =
        grad(sum(square(first[0]) * first[1]), {x, w}, {.create_graph = true});
    const std::vector<Tensor> third = grad(sum(second[0] * second[1]), {x, w});
    for (const auto& list : {first, second, third}) {
      all.insert(all.end(), list.begin(), list.end());
    }
    return all;
  };
  const std::vector<Tensor> expected = derivatives(plain), found = derivatives(compiled);
  for (std::size_t k = 0; k < expected.size(); ++k) {
    CAPTURE(k);
    CHECK(same_bits(expected[k].detach(), found[k].detach()));
  }
  // To a parameter that the function reads.
  const nn::Linear layer(3, 2);
  const auto apply = compile([&](const Tensor& input) { return layer(input); });
  sum(apply(ones({5, 3}))).backward();
  const Tensor own = layer.weight.grad();
  layer.weight.zero_grad();
  sum(layer(ones({5, 3}))).backward();
  CHECK(same_bits(own, layer.weight.grad()));
}

TEST_CASE("gradients are left where the function leaves them, and added to what is there") {
  const Tensor x = tensor({1.0, 2.0}, {.requires_grad = true});
  const auto f = compile([](const Tensor& given) { sum(square(given)).backward(); });
  for (int i = 1; i <= 3; ++i) {
    f(x);
    CHECK(x.grad().to_vector<double>() == std::vector<double>{2.0 * i, 4.0 * i});
  }
  CHECK(f.stats().captures == 2);
  x.zero_grad();
  f(x);
  CHECK(x.grad().to_vector<double>() == std::vector<double>{2, 4});
  CHECK(f.stats().captures == 2);
  check_error([&] { f(x * 1.0); }, {"argument 0", "no leaf"});
}

TEST_CASE("a program follows what it relies on") {
  manual_seed(5);
  Model model;
  const auto f = compile([&](const Tensor& x) { return model(x).detach(); });
  const Tensor x = batch(1).inputs;
  nn::eval(model);
  CHECK(same_bits(f(x), model(x).detach()));
  nn::train(model);
  const Tensor before = model.norm.running_mean.value();
  f(x);
  CHECK_FALSE(same_bits(before, model.norm.running_mean.value()));
  nn::eval(model);
  CHECK(same_bits(f(x), model(x).detach()));
  CHECK(f.stats().captures == 2);

  model.hidden.weight.assign(model.hidden.weight.value() * 2.0);
  CHECK(same_bits(f(x), model(x).detach()));
  CHECK(f.stats().captures == 2);
  nn::to(model, float64);
  CHECK(same_bits(f(x.to(float64)), model(x.to(float64)).detach()));
  nn::to(model, float32);
  CHECK(same_bits(f(x), model(x).detach()));
  model.hidden = nn::Linear(4, 8, {.bias = false});  // the bias is gone
  CHECK(same_bits(f(x), model(x).detach()));
}

TEST_CASE("a parameter that is gone is an error") {
  auto layer = std::make_unique<nn::Linear>(3, 2);
  const auto f = compile([&](const Tensor& x) { return (*layer)(x); });
  const Tensor x = ones({1, 3});
  f(x);
  layer.reset();
  check_error([&] { f(x); }, {"compile", "float32", "destroyed"});
}

TEST_CASE("what cannot be captured is an error that names it, and changes nothing") {
  const Tensor x = tensor({1.0, 2.0});
  const nn::Linear layer(2, 2);
  const auto refused = [&](const auto& f, const std::vector<std::string>& words) {
    const Tensor weight = layer.weight.value();
    const GeneratorState state = default_generator().state();
    const auto compiled = compile([&](const Tensor& given) {
      layer.weight.assign(layer.weight.value() + dropout(layer.weight.value(), 0.5, true));
      f(given);
    });
    check_error([&] { compiled(x); }, words);
    check_error([&] { compiled(x); }, words);
    CHECK(layer.weight.value().impl().get() == weight.impl().get());
    CHECK(default_generator().state() == state);
    CHECK(compiled.stats().captures == 0);
    CHECK(sum(x).item() == 3);  // the thread runs operators again
  };
  refused([](const Tensor& y) { static_cast<void>(exp(y)[0].item()); },
          {"item", "made by select", "where()"});
  refused([](const Tensor& y) { (y + 1.0).to_vector<float>(); }, {"to_vector", "made by add"});
  refused([](const Tensor& y) { static_cast<void>(y.data<float>()); },
          {"data", "the caller, argument 0"});
  refused([](const Tensor& y) { index(y, {y > 0.0}); }, {"made by greater"});
  refused([](const Tensor&) { nn::Linear(2, 2); }, {"makes a parameter"});
  refused([](const Tensor&) { default_generator().manual_seed(1); }, {"state of a generator"});
  refused([](const Tensor&) { fail("mine"); }, {"mine"});
  refused(
      [](const Tensor& y) {
        parallel_for(100, 1, [&](std::int64_t, std::int64_t) { exp(y); });
        fail("exp: applied by another thread");  // where one thread did it all
      },
      {"applied by another thread"});
  const Tensor outside = exp(tensor({1.0, 2.0}, {.requires_grad = true}));
  refused([&](const Tensor& y) { y* outside; }, {"multiply", "exp made", "pass the tensor"});
}

TEST_CASE("a captured tensor is worth nothing outside") {
  Tensor kept;
  const auto f = compile([&](const Tensor& x) {
    kept = exp(x);
    return kept;
  });
  const Tensor x = ones({3});
  f(x);
  check_error([&] { kept.item(); }, {"captured by compile", "return it"});
  check_error([&] { kept + 1.0; }, {"add", "captured by compile"});
  check_error([&] { f(kept); }, {"captured by compile"});
  CHECK(to_string(kept) == "tensor(captured, shape=[3], dtype=float32)");
}

TEST_CASE("a kernel that throws leaves everything as it was") {
  const nn::Linear layer(2, 3);
  optim::Adam optimizer(nn::parameters(layer), {.lr = 0.1});
  const auto f = compile([&](const Tensor& x, const Tensor& labels) {
    optimizer.zero_grad();
    const Tensor loss =
        nn::cross_entropy(dropout(layer(x), 0.5, true, default_generator()), labels);
    loss.backward();
    optimizer.step();
    return loss;
  });
  const Tensor x = ones({2, 2});
  f(x, tensor({0, 1}));
  f(x, tensor({0, 1}));
  const Tensor weight = layer.weight.value(), gradient = layer.weight.grad();
  const GeneratorState state = default_generator().state();
  check_error([&] { f(x, tensor({0, 3})); }, {"cross_entropy", "3"});
  CHECK(layer.weight.value().impl().get() == weight.impl().get());
  CHECK(layer.weight.grad().impl().get() == gradient.impl().get());
  CHECK(optimizer.steps() == 2);
  CHECK(default_generator().state() == state);
  f(x, tensor({0, 1}));
  CHECK(optimizer.steps() == 3);
}

TEST_CASE("saved values and snapshots keep what they saw") {
  const nn::Linear layer(2, 2);
  optim::SGD optimizer(nn::parameters(layer), {.lr = 0.1});
  const auto f = compile([&](const Tensor& x) {
    sum(square(layer(x))).backward();
    optimizer.step();
    return layer.weight.value();  // of after the step
  });
  const Tensor x = ones({1, 2});
  f(x);
  const Tensor snapshot = layer.weight.value();
  const std::vector<double> values = snapshot.to_vector<double>();
  const Tensor first = f(x);
  CHECK(snapshot.to_vector<double>() == values);
  CHECK(same_bits(first.detach(), layer.weight.value().detach()));
  const std::vector<double> after = first.to_vector<double>();
  f(x);
  CHECK(first.to_vector<double>() == after);
}

TEST_CASE(
    "a compiled function inside of another is a part of it, and watched ones run as they are") {
  int runs = 0;
  const auto inner = compile([&](const Tensor& x) {
    ++runs;
    return exp(x);
  });
  const auto outer = compile([&](const Tensor& x) { return sum(inner(x) * 2.0); });
  const Tensor x = ones({3});
  CHECK(same_bits(outer(x), sum(exp(x) * 2.0)));
  CHECK(inner.stats().captures == 0);
  outer(x);
  CHECK(runs == 1);
  const Profiler profiler;
  outer(x);
  CHECK(runs == 2);
  CHECK(profiler.report().rows.size() == 3);
}

TEST_CASE("checkpoints are computed again in a program") {
  manual_seed(9);
  const nn::Linear layer(4, 4);
  const auto f = [&](const Tensor& x) {
    const Tensor y = checkpoint(
        [&](std::span<const Tensor> in) { return dropout(tanh(layer(in[0])), 0.5, true); }, {x});
    sum(square(y)).backward();
    return y.detach();
  };
  const Tensor x = batch(4).inputs;
  const GeneratorState state = default_generator().state();
  const Tensor expected = f(x), gradient = layer.weight.grad();
  const GeneratorState after = default_generator().state();
  layer.weight.zero_grad();
  layer.bias.zero_grad();
  default_generator().set_state(state);
  const auto compiled = compile(f);
  CHECK(same_bits(compiled(x), expected));
  CHECK(same_bits(layer.weight.grad(), gradient));
  CHECK(default_generator().state() == after);
  int masks = 0;
  for (const Graph::Node& node : compiled.graph().nodes) {
    masks += node.name == "dropout_mask" ? 1 : 0;
  }
  CHECK(masks == 2);
}

TEST_CASE("threads share programs") {
  const nn::Linear layer(4, 4);
  const auto f = compile([&](const Tensor& x) { return tanh(layer(x)).detach(); });
  const Tensor x = batch(7, 200).inputs;
  const Tensor expected = tanh(layer(x)).detach();
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        wrong += same_bits(f(x), expected) ? 0 : 1;
      }
    });
  }
  threads.clear();
  CHECK(wrong == 0);
  CHECK(f.stats().captures == 1);
  CHECK(f.stats().replays == 200);
}
