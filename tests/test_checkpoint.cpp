// checkpoint: the gradients of the plain function, with less memory.

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;
using Function = std::function<Tensor(std::span<const Tensor>)>;

constexpr TensorOptions wide{.dtype = float64};

Tensor variable(const Nested& numbers) {
  return tensor(numbers, {.dtype = float64, .requires_grad = true});
}

}  // namespace

TEST_CASE("a checkpoint has the value and the gradients of its function") {
  const Tensor x = variable({0.3, -0.8}), y = variable({1.5, 2.5}), constant = tensor({2, 3});
  const Function f = [](std::span<const Tensor> in) {
    return sum(exp(in[0]) * tanh(in[1]) * in[2].to(float64));
  };
  const Tensor plain = f(std::vector{x, y, constant});
  const Tensor kept = checkpoint(f, {x, y, constant});
  CHECK(kept.item() == plain.item());
  CHECK(kept.requires_grad());
  const std::vector<Tensor> expected = grad(plain, {x, y}), found = grad(kept, {x, y});
  CHECK(values(found[0]) == values(expected[0]));
  CHECK(values(found[1]) == values(expected[1]));
  checkpoint(f, {x, y, constant}).backward();
  CHECK(values(x.grad()) == values(expected[0]));
  {
    const NoGrad guard;
    CHECK_FALSE(checkpoint(f, {x, y, constant}).requires_grad());
  }
  CHECK_FALSE(checkpoint(f, {x.detach(), y.detach(), constant}).requires_grad());
  CHECK_THROWS_AS(checkpoint(f, {x, Tensor(), constant}), Error);
  CHECK_THROWS_AS(checkpoint([](std::span<const Tensor>) { return Tensor(); }, {x}), Error);
}

TEST_CASE("what a checkpointed function captures gets its gradient, once") {
  const Parameter weight(tensor({{1.0, 2.0}, {3.0, 4.0}}, wide));
  const Tensor x = variable({0.5, -1.0});
  const Function f = [&](std::span<const Tensor> in) { return sum(tanh(matmul(weight, in[0]))); };
  f(std::vector{x}).backward();
  const Values expected = values(weight.grad()), for_x = values(x.grad());
  weight.zero_grad();
  x.zero_grad();
  checkpoint(f, {x}).backward();
  CHECK(values(weight.grad()) == expected);
  CHECK(values(x.grad()) == for_x);
  // Without any input that wants a gradient.
  weight.zero_grad();
  checkpoint(f, {x.detach()}).backward();
  CHECK(values(weight.grad()) == expected);
}

TEST_CASE("captured tensors that depend on each other or on an input are not counted twice") {
  const Tensor a = variable({0.5});
  const Tensor b = exp(a);
  const Function f = [&](std::span<const Tensor> in) { return sum(a * b * in[0]); };
  const double e = std::exp(0.5);
  // a·eᵃ·b with b = eᵃ: the derivative is e^(2a)·(1 + 2a).
  const double expected = e * e * 2;
  CHECK(grad(f(std::vector{b}), {a}, {.retain_graph = true})[0].item() == Approx(expected));
  CHECK(grad(checkpoint(f, {b}), {a}, {.retain_graph = true})[0].item() == Approx(expected));
  const Tensor first = grad(checkpoint(f, {b}), {a}, {.create_graph = true})[0];
  CHECK(first.item() == Approx(expected));
  CHECK(grad(sum(first), {a})[0].item() == Approx(e * e * 4 * (1 + 0.5)));
}

TEST_CASE("a hook on a captured tensor is called once") {
  const Tensor a = variable({2.0});
  int calls = 0;
  const HookHandle hook = register_hook(a, [&](const Tensor& g) {
    ++calls;
    return g * 10.0;
  });
  checkpoint([&](std::span<const Tensor> in) { return sum(a * in[0]); }, {tensor({3.0}, wide)})
      .backward();
  CHECK(calls == 1);
  CHECK(a.grad().item() == 30);
}

TEST_CASE("functions that return an input, a captured tensor or a part of it") {
  const Tensor x = variable({1.0, 2.0});
  const Tensor up = tensor({10.0, 20.0}, wide);
  checkpoint([](std::span<const Tensor> in) { return in[0]; }, {x}).backward(up);
  CHECK(values(x.grad()) == Values{10, 20});
  x.zero_grad();
  checkpoint([&](std::span<const Tensor>) { return x; }, {}).backward(up);
  CHECK(values(x.grad()) == Values{10, 20});
  x.zero_grad();
  const Tensor square = reshape(x, {1, 2});
  checkpoint([&](std::span<const Tensor> in) { return transpose(square) * in[0]; }, {x})
      .backward(ones({2, 2}, wide));
  CHECK(values(x.grad()) == Values{3 + 3, 3 + 3});
}

TEST_CASE("dropout inside drops the same in the second run and leaves the generator alone") {
  const Tensor x = ones({1000}, {.dtype = float64, .requires_grad = true});
  const Function f = [](std::span<const Tensor> in) { return dropout(in[0] * 3.0, 0.5); };
  manual_seed(11);
  const Tensor y = checkpoint(f, {x});
  const GeneratorState after = default_generator().state();
  sum(y).backward();
  CHECK(default_generator().state() == after);
  CHECK(values(x.grad()) == values(y));  // 6 where kept, 0 where dropped
  manual_seed(11);
  CHECK(values(f(std::vector{x})) == values(y));
  CHECK(default_generator().state() == after);
}

TEST_CASE("checkpoints nest") {
  const Parameter scale(tensor({0.7}, wide));
  const Function inner = [&](std::span<const Tensor> in) { return tanh(in[0] * scale); };
  const Function outer = [&](std::span<const Tensor> in) {
    const Tensor once = checkpoint(inner, {in[0]});
    return sum(checkpoint(inner, {once * in[0]}) * scale);
  };
  const Function plain = [&](std::span<const Tensor> in) {
    const Tensor once = inner(std::vector{in[0]});
    return sum(inner(std::vector{once * in[0]}) * scale);
  };
  const Tensor x = variable({0.3, 1.1});
  plain(std::vector{x}).backward();
  const Values for_x = values(x.grad()), for_scale = values(scale.grad());
  x.zero_grad();
  scale.zero_grad();
  checkpoint(outer, {x}).backward();
  CHECK(values(x.grad()) == for_x);
  CHECK(scale.grad().item() == Approx(for_scale[0]));
}

TEST_CASE("second derivatives through a checkpoint") {
  const Parameter weight(tensor({0.9, -0.4}, wide));
  const Function f = [&](std::span<const Tensor> in) { return sum(tanh(in[0] * weight) * in[0]); };
  const auto second = [&](const Tensor& x, bool keep) {
    const Tensor value = keep ? checkpoint(f, {x}) : f(std::vector{x});
    const Tensor slope = grad(value, {x}, {.create_graph = true})[0];
    std::vector<Values> found;
    for (const Tensor& g : grad(sum(slope * slope), {x, weight})) {
      found.push_back(values(g));
    }
    return found;
  };
  const Tensor x = variable({0.3, 1.1});
  const auto expected = second(x, false), found = second(x, true);
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(found[k][i] == Approx(expected[k][i]));
    }
  }
  const TensorFunction scalar = [&](const Tensor& at) { return checkpoint(f, {at}); };
  const TensorFunction plain = [&](const Tensor& at) { return f(std::vector{at}); };
  const Values h = values(hessian(plain, x.detach())), got = values(hessian(scalar, x.detach()));
  for (std::size_t i = 0; i < h.size(); ++i) {
    CHECK(got[i] == Approx(h[i]).margin(1e-14));
  }
}

TEST_CASE("a derivative may be taken inside of a checkpointed function") {
  // A penalty on the slope, as physics-informed losses have it.
  const Parameter weight(tensor({0.9}, wide));
  const Function f = [&](std::span<const Tensor> in) {
    const Tensor at = in[0] * 1.0;
    const EnableGrad enable;
    const Tensor inside = at.requires_grad() ? at : at.requires_grad_leaf();
    const Tensor slope = grad(sum(tanh(inside * weight)), {inside}, {.create_graph = true})[0];
    return sum(slope * slope);
  };
  const Tensor x = variable({0.3, 1.1});
  const Tensor value = f(std::vector{x});
  const std::vector<Tensor> expected = grad(value, {x, weight});
  const std::vector<Tensor> found = grad(checkpoint(f, {x}), {x, weight});
  for (std::size_t k = 0; k < 2; ++k) {
    for (std::size_t i = 0; i < values(expected[k]).size(); ++i) {
      CHECK(values(found[k])[i] == Approx(values(expected[k])[i]));
    }
  }
}

TEST_CASE("a checkpoint needs less memory") {
  const Tensor x = ones({1 << 16}, {.requires_grad = true});  // 256 KiB
  const Function segment = [](std::span<const Tensor> in) {
    Tensor y = in[0];
    for (int i = 0; i < 16; ++i) {
      y = sin(y) * y;
    }
    return y;
  };
  const auto peak = [&](bool keep) {
    reset_memory_peak();
    const std::int64_t base = memory_stats().bytes_peak;
    Tensor y = x;
    for (int i = 0; i < 8; ++i) {
      y = keep ? checkpoint(segment, {y}) : segment(std::vector{y});
    }
    sum(y).backward();
    return memory_stats().bytes_peak - base;
  };
  const std::int64_t plain = peak(false);
  const Values expected = values(x.grad());
  x.zero_grad();
  const std::int64_t light = peak(true);
  CHECK(values(x.grad()) == expected);
  CHECK(light < plain / 3);
}
