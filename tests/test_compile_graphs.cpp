// Thousands of random functions with their gradients: the same bits eagerly and compiled, for any
// number of threads.

#include "sweep.hpp"

#include <cadena/autograd/compile/compile.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/ops.hpp>

#include <random>
#include <vector>

using namespace cadena;
using sweep::same_bits;

namespace {

/// A function made from a seed: it chooses operators by the shapes that it meets, and so does the
/// same at each call.
struct RandomFunction {
  std::uint64_t seed;
  int operators;

  std::vector<Tensor> operator()(const std::vector<Tensor>& inputs) const {
    std::mt19937_64 engine(seed);
    std::vector<Tensor> values = inputs;
    for (int i = 0; i < operators; ++i) {
      // Rather what was made last.
      const std::size_t n = values.size();
      const std::size_t a = std::max(engine() % n, engine() % n), b = engine() % n;
      values.push_back(next(values[a], values[b], engine));
    }
    std::vector<Tensor> results{values.back(), values[engine() % values.size()]};
    Tensor loss;
    for (std::size_t i = inputs.size(); i < values.size(); i += 1 + engine() % 3) {
      if (is_floating(values[i].dtype())) {
        const Tensor part = sum(values[i].to(float64));
        loss = loss.defined() ? loss + part : part;
      }
    }
    std::vector<Tensor> leaves;
    for (const Tensor& input : inputs) {
      if (input.requires_grad()) {
        leaves.push_back(input);
      }
    }
    if (loss.defined() && loss.requires_grad()) {
      const bool second = engine() % 4 == 0;
      std::vector<Tensor> gradients =
          grad(loss, leaves, {.create_graph = second, .allow_unused = true});
      results.insert(results.end(), gradients.begin(), gradients.end());
      if (second) {
        Tensor size;
        for (const Tensor& gradient : gradients) {
          if (gradient.defined() && gradient.requires_grad()) {
            const Tensor part = sum(gradient.to(float64) * 0.5);
            size = size.defined() ? size + part : part;
          }
        }
        if (size.defined()) {
          const std::vector<Tensor> more = grad(size, leaves, {.allow_unused = true});
          results.insert(results.end(), more.begin(), more.end());
        }
      }
    }
    std::erase_if(results, [](const Tensor& result) { return !result.defined(); });
    for (Tensor& result : results) {
      result = result.detach();
    }
    return results;
  }

 private:
  static Tensor next(const Tensor& a, const Tensor& b, std::mt19937_64& engine) {
    const auto pick = static_cast<int>(engine() % 30);
    const std::int64_t axis = a.dim() == 0 ? 0 : static_cast<std::int64_t>(engine() % 8) % a.dim();
    switch (pick) {
      case 0:
        return tanh(a);
      case 1:
        return sin(a) * 0.7;
      case 2:
        return exp(-(a * a));
      case 3:
        return relu(a);
      case 4:
        return sigmoid(a) + 1.0;
      case 5:
        return sqrt(abs(a) + 0.1);
      case 6:
        return a * 0.5 - 1.0;
      case 7:
        return -a;
      case 8:
        return softplus(a);
      case 9:
        return broadcast_pair(a, b, [](const Tensor& x, const Tensor& y) { return x + y; });
      case 10:
        return broadcast_pair(a, b, [](const Tensor& x, const Tensor& y) { return x * y; });
      case 11:
        return broadcast_pair(a, b, [](const Tensor& x, const Tensor& y) { return x - y; });
      case 12:
        return broadcast_pair(a, b,
                              [](const Tensor& x, const Tensor& y) { return x / (abs(y) + 1.0); });
      case 13:
        return broadcast_pair(a, b, [](const Tensor& x, const Tensor& y) { return maximum(x, y); });
      case 14:
        return broadcast_pair(
            a, b, [](const Tensor& x, const Tensor& y) { return where(x > y, x, y * 2.0); });
      case 15:
        return a.dim() > 0 ? sum(a, {axis}) : a;
      case 16:
        return a.dim() > 0 ? mean(a, {axis}, true) : a;
      case 17:
        return a.dim() > 0 ? a - mean(a, {-1}, true) : a;
      case 18:
        return a.dim() > 0 ? softmax(a, axis) : a;
      case 19:
        return a.dim() > 1 ? transpose(a) : a;
      case 20:
        return reshape(a, {-1});
      case 21:
        return a.dim() > 0 && a.size(axis) > 1 ? slice(a, axis, 1, a.size(axis)) : a;
      case 22:
        return unsqueeze(a, axis);
      case 23:
        return a.to(a.dtype() == float32 ? float64 : float32);
      case 24:
        return sum(a) * 0.01;
      case 25:
        return a.dim() == 2 && a.numel() < 5000 ? matmul(a, transpose(a)) * 0.1 : a;
      case 26:
        return a.dim() > 0 ? cumsum(a, axis) * 0.1 : a;
      case 27:
        return a.dim() > 0 && a.numel() > 0 ? amax(a, {axis}, true) : a;
      case 28:
        return (a > 0.0).to(a.dtype()) * a;
      default:
        return a.dim() > 0 && a.dim() < 4 && a.numel() < 5000 ? flip(a, axis) : abs(a);
    }
  }

  /// f(a, b) if b's shape broadcasts to that of a.
  template <class F> static Tensor broadcast_pair(const Tensor& a, const Tensor& b, F&& f) {
    if (b.dim() > a.dim()) {
      return f(a, a);
    }
    for (std::int64_t i = 1; i <= b.dim(); ++i) {
      if (b.size(-i) != 1 && b.size(-i) != a.size(-i)) {
        return f(a, sum(b));
      }
    }
    return f(a, b);
  }
};

std::vector<Tensor> random_inputs(std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  const Shape shapes[] = {{}, {1}, {7}, {5, 3}, {4, 1}, {1, 6}, {2, 3, 4}, {16, 17}, {0, 3}, {65}};
  std::vector<Tensor> inputs;
  const std::size_t count = 1 + engine() % 3;
  for (std::size_t i = 0; i < count; ++i) {
    Shape shape = shapes[engine() % std::size(shapes)];
    if (engine() % 40 == 0) {
      shape = {300, 257};  // of several pieces
    }
    const Dtype dtype = engine() % 3 == 0 ? float64 : float32;
    Tensor input = sample_values(shape, -2, 2, engine()).to(dtype);
    if (input.dim() == 2 && engine() % 4 == 0) {
      input = transpose(input);
    }
    inputs.push_back(i == 0 || engine() % 2 == 0 ? input.requires_grad_leaf() : input);
  }
  return inputs;
}

}  // namespace

TEST_CASE("random functions have the same bits eagerly and compiled, for any number of threads") {
  const int before = threads();
  std::size_t compared = 0, instructions = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    INFO("seed " << seed);
    const std::vector<Tensor> inputs = random_inputs(seed);
    const RandomFunction f{seed, 3 + static_cast<int>(seed % 20)};
    set_threads(1);
    const std::vector<Tensor> expected = f(inputs);
    const auto compiled = compile(f);
    for (const int count : {1, 2, 8}) {
      set_threads(count);
      const std::vector<Tensor> found = compiled(inputs);
      REQUIRE(found.size() == expected.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        INFO("result " << i << " with " << count << " threads");
        const bool same = same_bits(expected[i], found[i]);
        if (!same) {
          UNSCOPED_INFO(compiled.graph().text());
        }
        REQUIRE(same);
        ++compared;
      }
    }
    CHECK(compiled.stats().captures == 1);
    instructions += compiled.graph().nodes.size();
  }
  set_threads(before);
  CHECK(compared > 20000);
  CHECK(instructions > 30000);
}
