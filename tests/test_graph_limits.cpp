// Long, deep and wide graphs: loops instead of recursion, one visit a node, no cycles, no leaks.

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include <pthread.h>
#include <atomic>

#include "test.hpp"

namespace {

using namespace cadena;

constexpr int million = 1'000'000;

Tensor variable(double value) { return full({}, value, {.dtype = float64, .requires_grad = true}); }

std::atomic<int> visits{0};

/// x + y, counting how often its derivative is asked for.
struct CountedSum {
  static constexpr Doc doc{"counted_sum", "x + y"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    *out[0].data<double>() = *in[0].data<double>() + *in[1].data<double>();
  }
  Gradients vjp(const Backward& b) const {
    ++visits;
    return {b.grad(), b.grad()};
  }
  bool operator==(const CountedSum&) const = default;
};

/// Builds a chain, differentiates and destroys it; the derivative along its start.
double chain(int length) {
  const Tensor x = variable(1);
  Tensor y = x;
  for (int i = 0; i < length; ++i) {
    y = -y;
  }
  y.backward();
  return x.grad().item();
}

void check_balance(const MemoryStats& before) {
  const MemoryStats after = memory_stats();
  CHECK(after.blocks_in_use == before.blocks_in_use);
  CHECK(after.bytes_in_use == before.bytes_in_use);
}

}  // namespace

TEST_CASE("a chain of a million operators") {
  CHECK(chain(2) == 1);
  const MemoryStats before = memory_stats();
  CHECK(chain(million) == 1);
  CHECK(chain(million + 1) == -1);
  check_balance(before);
  {
    // Never differentiated, and through grad.
    const Tensor x = variable(1);
    Tensor y = x;
    for (int i = 0; i < million; ++i) {
      y = y * 1.0;
    }
    CHECK(grad(y, {x})[0].item() == 1);
    y = x;
    for (int i = 0; i < million; ++i) {
      y = exp(y) * 0.0;
    }
  }
  check_balance(before);
}

TEST_CASE("a chain of a million operators in pieces of parallel_for") {
  const int as_before = threads();
  set_threads(2);
  std::atomic<int> right{0};
  parallel_for(4, 1, [&](std::int64_t, std::int64_t) { right += chain(million) == 1; });
  CHECK(right == 4);
  set_threads(as_before);
}

TEST_CASE("a chain of a million operators in a stack of 64 KiB") {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  REQUIRE(pthread_attr_setstacksize(&attributes, 64 * 1024) == 0);
#endif
  double result = 0;
  pthread_t thread;
  REQUIRE(pthread_create(
              &thread, &attributes,
              [](void* out) -> void* {
                *static_cast<double*>(out) = chain(million);
                return nullptr;
              },
              &result) == 0);
  pthread_join(thread, nullptr);
  CHECK(result == 1);
}

TEST_CASE("the gradient of a long chain's gradient, and a picture of it") {
  const Tensor x = variable(0.5);
  Tensor y = x;
  for (int i = 0; i < 20'000; ++i) {
    y = y * 1.0 + 0.0;
  }
  const Tensor first = grad(y * y, {x}, {.create_graph = true})[0];
  CHECK(first.item() == 1);
  CHECK(grad(first, {x})[0].item() == 2);
  CHECK(graph_of(y).nodes.size() == 40'001);
}

TEST_CASE("a diamond of depth 60 is walked in 60 steps") {
  const Tensor x = variable(1);
  Tensor y = x;
  for (int i = 0; i < 60; ++i) {
    y = bind(CountedSum{}, y, y);
  }
  const double paths = static_cast<double>(std::int64_t{1} << 60);
  CHECK(y.item() == paths);
  visits = 0;
  y.backward({.retain_graph = true});
  CHECK(visits == 60);
  CHECK(x.grad().item() == paths);
  visits = 0;
  CHECK(grad(y, {x})[0].item() == paths);
  CHECK(visits == 60);
}

TEST_CASE("grad visits only what leads to its inputs") {
  const Tensor x = variable(1), other = variable(1);
  Tensor side = other;
  for (int i = 0; i < 50; ++i) {
    side = bind(CountedSum{}, side, side);
  }
  const Tensor y = bind(CountedSum{}, x, side);
  visits = 0;
  grad(y, {x}, {.retain_graph = true});
  CHECK(visits == 1);
  visits = 0;
  grad(y, {side}, {.retain_graph = true});
  CHECK(visits == 1);
  visits = 0;
  y.backward();
  CHECK(visits == 51);
}

TEST_CASE("a hundred thousand consumers of one tensor") {
  const MemoryStats before = memory_stats();
  {
    const Tensor x = variable(2);
    std::vector<Tensor> consumers;
    for (int i = 0; i < 100'000; ++i) {
      consumers.push_back(x * 0.5);
    }
    const Tensor total = sum(stack(consumers));
    CHECK(total.item() == 100'000);
    total.backward();
    CHECK(x.grad().item() == 50'000);
  }
  check_balance(before);
}

TEST_CASE("the gradients of a hundred thousand leaves at once") {
  const MemoryStats before = memory_stats();
  {
    std::vector<Tensor> leaves, squares;
    for (int i = 0; i < 100'000; ++i) {
      leaves.push_back(variable(i));
      squares.push_back(leaves.back() * leaves.back());
    }
    const std::vector<Tensor> found = grad(sum(stack(squares)), leaves);
    bool right = true;
    for (std::size_t i = 0; i < found.size(); ++i) {
      right = right && found[i].item() == 2 * static_cast<double>(i);
    }
    CHECK(right);
  }
  check_balance(before);
}

TEST_CASE("create_graph leaves no cycle") {
  const auto three_orders = [] {
    const Tensor x = full({100}, 0.1, {.dtype = float64, .requires_grad = true});
    const Tensor y = sum(exp(x) * sin(x) / sqrt(x));  // keeps inputs, outputs and both
    Tensor slope = grad(y, {x}, {.create_graph = true})[0];
    slope = grad(sum(slope), {x}, {.create_graph = true})[0];
    sum(slope).backward({.retain_graph = true});
    CHECK(x.grad().defined());
  };
  three_orders();  // what operators keep for good is there now
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 10; ++i) {
    three_orders();
  }
  check_balance(before);
  {
    const Tensor x = variable(0.3);
    Tensor y = exp(x);
    const HookHandle hook = register_hook(y, [](const Tensor& g) { return g * 2.0; });
    y.backward({.retain_graph = true});
  }
  check_balance(before);
}

TEST_CASE("ten thousand steps do not leak") {
  const Tensor w = full({8}, 0.5, {.dtype = float64, .requires_grad = true});
  const auto step = [&] {
    w.zero_grad();
    const Tensor loss = sum(sin(w) * exp(w));
    loss.backward({.retain_graph = true});
    const Tensor again = grad(loss, {w}, {.create_graph = true})[0];
    grad(sum(again), {w});
  };
  step();
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 10'000; ++i) {
    step();
  }
  check_balance(before);
  CHECK(memory_stats().bytes_cached <= before.bytes_cached + (1 << 20));
}

TEST_CASE("an error halfway leaves nothing behind") {
  const Tensor x = variable(1);
  const MemoryStats before = memory_stats();
  for (int i = 0; i < 5; ++i) {
    const Tensor y = exp(x) * x;
    y.backward();
    CHECK_THROWS_AS(y.backward(), Error);
    CHECK_THROWS_AS(exp(x) + zeros({2, 3}) + zeros({4}), Error);
    x.zero_grad();
  }
  check_balance(before);
}
