// backward and grad: what they give, what they refuse, and when gradients reach leaves.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

Tensor variable(const Nested& numbers) {
  return tensor(numbers, {.dtype = float64, .requires_grad = true});
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

/// x, with a vjp that throws or answers in a wrong way.
struct Bad {
  enum Fault { throws, wrong_shape, wrong_dtype, wrong_count, reads_unkept, reads_beyond } fault;
  static constexpr Doc doc{"bad", "x"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    std::copy_n(in[0].data<double>(), in[0].numel(), out[0].data<double>());
  }
  Gradients vjp(const Backward& b) const {
    switch (fault) {
      case throws:
        throw std::runtime_error("broken vjp");
      case wrong_shape:
        return {ones({7}, {.dtype = float64})};
      case wrong_dtype:
        return {b.grad().to(float32)};
      case wrong_count:
        return {b.grad(), b.grad()};
      case reads_unkept:
        return {b.in(0)};
      default:
        return {b.in(1)};
    }
  }
  bool operator==(const Bad&) const = default;
};

/// An operator without a vjp.
struct Opaque {
  static constexpr Doc doc{"opaque", "x"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    std::copy_n(in[0].data<double>(), in[0].numel(), out[0].data<double>());
  }
  bool operator==(const Opaque&) const = default;
};

}  // namespace

TEST_CASE("backward gathers in leaves, again and again") {
  const Tensor x = variable({1, 2}), y = variable({3, 4});
  sum(x * y).backward();
  CHECK(values(x.grad()) == Values{3, 4});
  CHECK(values(y.grad()) == Values{1, 2});
  sum(x * 10.0).backward();
  CHECK(values(x.grad()) == Values{13, 14});
  CHECK(values(y.grad()) == Values{1, 2});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
  const Tensor leaf = variable(3.0);
  leaf.backward();
  CHECK(leaf.grad().item() == 1);
}

TEST_CASE("a gradient is contiguous and never part of a graph") {
  const Tensor x = variable({{1, 2}, {3, 4}});
  sum(x).backward();  // an expanded one inside
  CHECK(x.grad().data<double>().size() == 4);
  CHECK_FALSE(x.grad().requires_grad());
  const Tensor upstream = variable({{1, 2}, {3, 4}});
  transpose(x).backward(upstream);
  CHECK(values(x.grad()) == Values{2, 4, 3, 5});
  CHECK_FALSE(x.grad().requires_grad());
  const Tensor fresh = variable({{1, 2}, {3, 4}});
  (fresh * 1.0).backward(upstream);
  CHECK_FALSE(fresh.grad().requires_grad());
}

TEST_CASE("the upstream gradient has the shape and dtype of the output") {
  const Tensor x = variable({1, 2});
  const Tensor y = x * x;
  CHECK(contains(error_of([&] { y.backward(); }), "an output of shape [2] needs an upstream"));
  CHECK(contains(error_of([&] { grad(y, {x}); }), "grad: an output of shape [2]"));
  CHECK(contains(error_of([&] { y.backward(ones({3}, {.dtype = float64})); }), "float64 [3]"));
  CHECK(contains(error_of([&] { y.backward(ones({2})); }), "float32 [2], the output float64 [2]"));
  const Tensor both[] = {y, y};
  const Tensor one[] = {ones({2}, {.dtype = float64})};
  CHECK(contains(error_of([&] { backward(both, one); }), "1 upstream gradients for 2 outputs"));
  CHECK(contains(error_of([&] { tensor(1.0).backward(); }), "does not depend on any tensor"));
  CHECK_FALSE(x.grad().defined());
  y.backward(tensor({10.0, 1.0}, {.dtype = float64}));
  CHECK(values(x.grad()) == Values{20, 4});
  (x * reshape(x, {2})).backward(ones({2}, {.dtype = float64}));
  CHECK(values(reshape(variable({5.0}), {1, 1})) == Values{5});
  reshape(sum(x), {1, 1}).backward();  // one element is enough
}

TEST_CASE("a second backward through a released graph is refused") {
  const Tensor x = variable({1, 2});
  const Tensor loss = sum(exp(x) * x);
  loss.backward({.retain_graph = true});
  const Values once = values(x.grad());
  loss.backward();
  CHECK(values(x.grad())[1] == 2 * once[1]);
  const std::string text = error_of([&] { loss.backward(); });
  CHECK(contains(text, "released by an earlier backward"));
  CHECK(contains(text, "retain_graph"));
  CHECK(values(x.grad())[1] == 2 * once[1]);
  const Tensor other = sum(exp(x));
  grad(other, {x}, {.retain_graph = true});
  grad(other, {x}, {.create_graph = true});  // keeps values as well
  grad(other, {x});
  CHECK_THROWS_AS(grad(other, {x}), Error);
}

TEST_CASE("grad leaves leaves alone and says what is unused") {
  const Tensor x = variable({1, 2}), y = variable({1, 2});
  const Tensor loss = sum(x * x);
  CHECK(contains(error_of([&] {
                   grad(loss, {x, y}, {.retain_graph = true});
                 }),
                 "do not depend on input 1"));
  const std::vector<Tensor> found =
      grad(loss, {x, y, x}, {.retain_graph = true, .allow_unused = true});
  CHECK(values(found[0]) == Values{2, 4});
  CHECK_FALSE(found[1].defined());
  CHECK(values(found[2]) == Values{2, 4});
  CHECK_FALSE(x.grad().defined());
  CHECK(grad(loss, {}).empty());
  CHECK(contains(error_of([&] {
                   grad(loss, {tensor({1, 2})});
                 }),
                 "input 0 (shape [2], int64) does not require a gradient"));
  CHECK_THROWS_AS(grad(loss, {x.detach()}), Error);
  CHECK_THROWS_AS(tensor({1, 2}).requires_grad_leaf(), Error);
}

TEST_CASE("grad with respect to what lies inside a graph") {
  const Tensor x = variable({2.0});
  const Tensor middle = x * x;
  const Tensor loss = sum(middle * middle * x);
  const std::vector<Tensor> found = grad(loss, {middle, x, loss}, {.retain_graph = true});
  CHECK(found[0].item() == 16);      // 2·m·x
  CHECK(found[1].item() == 5 * 16);  // of x⁵
  CHECK(found[2].item() == 1);
  const Tensor outputs[] = {middle, loss};
  const Tensor inputs[] = {middle};
  const Tensor upstream[] = {tensor({100.0}, {.dtype = float64}), Tensor()};
  CHECK(grad(outputs, inputs, upstream)[0].item() == 116);
}

TEST_CASE("create_graph gives gradients that are differentiable") {
  const Tensor x = variable({0.5});
  const Tensor first = grad(sum(x * x * x), {x}, {.create_graph = true})[0];
  CHECK(first.requires_grad());
  const Tensor second = grad(sum(first), {x}, {.create_graph = true})[0];
  CHECK(second.item() == Approx(3));
  CHECK(grad(sum(second), {x})[0].item() == Approx(6));
  CHECK_FALSE(grad(sum(x * x), {x})[0].requires_grad());
}

TEST_CASE("detach and NoGrad end a graph") {
  const Tensor x = variable({1, 2});
  sum(x * x.detach()).backward();
  CHECK(values(x.grad()) == Values{1, 2});
  {
    const NoGrad guard;
    CHECK_FALSE((x * x).requires_grad());
    CHECK(x.requires_grad());
    {
      const EnableGrad again;
      CHECK((x * x).requires_grad());
    }
    CHECK_FALSE((x * x).requires_grad());
    std::thread([&] { CHECK((x * x).requires_grad()); }).join();
  }
  CHECK((x * x).requires_grad());
  try {
    const NoGrad guard;
    throw 1;
  } catch (int) {
  }
  CHECK((x * x).requires_grad());
}

TEST_CASE("parallel_for carries NoGrad over and lets nothing out") {
  const int before = threads();
  set_threads(4);
  const Tensor x = variable({1.0});
  std::atomic<int> recorded{0};
  {
    const NoGrad guard;
    parallel_for(64, 1, [&](std::int64_t, std::int64_t) { recorded += (x * x).requires_grad(); });
    CHECK(recorded == 0);
  }
  parallel_for(64, 1, [&](std::int64_t begin, std::int64_t) {
    if (begin % 2 == 0) {
      const NoGrad guard;
      recorded += 100 * (x * x).requires_grad();
    } else {
      recorded += (x * x).requires_grad();
    }
  });
  CHECK(recorded == 32);
  set_threads(before);
}

TEST_CASE("graphs that share a leaf are walked by several threads") {
  const Tensor x = variable({1.0, 2.0});
  std::vector<std::thread> pool;
  for (int t = 0; t < 4; ++t) {
    pool.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        sum(x * 1.0).backward();
      }
    });
  }
  for (std::thread& thread : pool) {
    thread.join();
  }
  CHECK(values(x.grad()) == Values{800, 800});
}

TEST_CASE("gradients of leaves gather inside of loops while others gather beside them") {
  const int before = threads();
  set_threads(2);
  std::atomic<bool> done{false};
  std::thread beside([&] {
    const Tensor big = ones({1 << 18}).requires_grad_leaf();
    const Tensor upstream = ones({1 << 18});
    while (!done) {
      (big * 2.0).backward(upstream);
    }
  });
  for (int i = 0; i < 200; ++i) {
    parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
      const Tensor x = variable({1.0});
      (x * x).backward();
      (x * x).backward();
    });
  }
  done = true;
  beside.join();
  set_threads(before);
}

TEST_CASE("only leaves have a gradient to ask for") {
  const Tensor x = variable({1.0, 2.0});
  const Tensor y = x * x;
  CHECK(error_of([&] { y.grad(); }).find("an operator made") != std::string::npos);
  CHECK_FALSE(tensor({1.0}).grad().defined());
  const Tensor number = tensor(2.0, {.dtype = float64, .requires_grad = true});
  number.backward(Tensor(3.0));
  CHECK(number.grad().item() == 3);
  CHECK_FALSE(number.grad().is_number());
}

TEST_CASE("hooks see the whole gradient, may replace it, and go with their handle") {
  const Tensor x = variable({1, 2});
  const Tensor y = x * 2.0;
  std::vector<Values> seen;
  {
    const HookHandle look = register_hook(y, [&](const Tensor& g) {
      seen.push_back(values(g));
      return Tensor();
    });
    sum(y * 3.0 + y * y).backward({.retain_graph = true});
    CHECK(seen == std::vector<Values>{{7, 11}});  // once, complete: 3 + 2y
    CHECK(values(x.grad()) == Values{14, 22});
    x.zero_grad();
    const HookHandle replace = register_hook(y, [](const Tensor& g) { return g * 10.0; });
    const HookHandle leaf = register_hook(x, [](const Tensor& g) { return g + 1.0; });
    sum(y).backward({.retain_graph = true});
    CHECK(values(x.grad()) == Values{21, 21});
    CHECK(seen.size() == 2);
    CHECK(values(grad(sum(y), {x}, {.retain_graph = true})[0]) == Values{21, 21});
  }
  x.zero_grad();
  sum(y).backward();
  CHECK(values(x.grad()) == Values{2, 2});
  CHECK(seen.size() == 3);
}

TEST_CASE("handles of hooks move and outlive their tensor") {
  int calls = 0;
  const auto count = [&](const Tensor&) {
    ++calls;
    return Tensor();
  };
  const Tensor x = variable({1.0});
  HookHandle first = register_hook(x, count);
  HookHandle second = std::move(first);
  sum(x).backward();
  CHECK(calls == 1);
  second = register_hook(x, count);  // the first one is removed
  sum(x).backward();
  CHECK(calls == 2);
  second.remove();
  second.remove();
  sum(x).backward();
  CHECK(calls == 2);
  HookHandle late;
  {
    const Tensor gone = variable({1.0});
    late = register_hook(gone * 2.0, count);
  }
  late.remove();
  CHECK(contains(error_of([&] { (void)register_hook(tensor({1.0}), count); }), "no gradient"));
  CHECK(contains(error_of([&] { (void)register_hook(x, nullptr); }), "empty"));
}

TEST_CASE("a hook that gives a wrong shape or throws leaves gradients as they were") {
  const Tensor x = variable({1, 2}), y = variable({3, 4});
  sum(x * y).backward();
  const Tensor z = x * 2.0;
  {
    const HookHandle wrong = register_hook(z, [](const Tensor&) { return ones({3}); });
    const std::string text = error_of([&] { sum(z * y).backward(); });
    CHECK(contains(text, "returned float32 [3], expected float64 [2]"));
  }
  const Tensor again = x * 2.0;
  const HookHandle bad =
      register_hook(again, [](const Tensor&) -> Tensor { throw std::runtime_error("hook"); });
  CHECK_THROWS_AS(sum(again * y).backward(), std::runtime_error);
  CHECK(values(x.grad()) == Values{3, 4});
  CHECK(values(y.grad()) == Values{1, 2});
}

TEST_CASE("an exception in a vjp changes no gradient") {
  const Tensor x = variable({1, 2}), y = variable({3, 4});
  sum(x * y).backward();
  const auto fails = [&](Bad::Fault fault) {
    // The gradient of y is complete before the broken operator is reached.
    return error_of([&] { sum(bind(Bad{fault}, x * 2.0) * y).backward(); });
  };
  CHECK_THROWS_AS(sum(bind(Bad{Bad::throws}, x * 2.0) * y).backward(), std::runtime_error);
  CHECK(contains(fails(Bad::wrong_shape), "bad: gradient of input 0 is float64 [7], expected"));
  CHECK(contains(fails(Bad::wrong_dtype), "float32 [2], expected float64 [2]"));
  CHECK(contains(fails(Bad::wrong_count), "2 gradients for 1 inputs"));
  CHECK(contains(fails(Bad::reads_unkept), "input 0, which the operator does not keep"));
  CHECK(contains(fails(Bad::reads_beyond), "vjp reads input 1 of 1"));
  CHECK(contains(error_of([&] { sum(bind(Opaque{}, x)).backward(); }), "opaque: the operator has"));
  CHECK(values(x.grad()) == Values{3, 4});
  CHECK(values(y.grad()) == Values{1, 2});
  sum(x).backward();  // grad mode and all else are as before
  CHECK(values(x.grad()) == Values{4, 5});
}

TEST_CASE("integer results carry no gradient") {
  const Tensor x = variable({1.5, 2.5});
  CHECK_FALSE(x.to(int64).requires_grad());
  CHECK_FALSE(argmax(x).requires_grad());
  CHECK_THROWS_AS(sum(x.to(int64)).backward(), Error);
  const Tensor narrow = x.to(float32);
  CHECK(narrow.requires_grad());
  sum(narrow * 2.0).backward();
  CHECK(x.grad().dtype() == float64);
  CHECK(values(x.grad()) == Values{2, 2});
}
