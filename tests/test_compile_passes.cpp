// What passes make of a function, on the text of its program.

#include "support.hpp"

#include <cadena/autograd/compile/compile.hpp>
#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/nn/nn.hpp>
#include <cadena/optim/adam.hpp>

#include "sweep.hpp"

using namespace cadena;
using namespace support;
using sweep::same_bits;

namespace {

/// What runs, in its order: names of operators, with what is in a group.
std::string text_of(const Graph& graph) {
  std::string text;
  for (const Graph::Node& node : graph.nodes) {
    if (!node.is_leaf) {
      text += (text.empty() ? "" : " ") + node.name;
      if (node.name == "group") {
        text += fmt::format("({})", node.attributes);
      }
    }
  }
  return text;
}

template <class F, class... Arguments> std::string program(F f, const Arguments&... arguments) {
  const auto compiled = compile(f);
  const Tensor expected = f(arguments...), found = compiled(arguments...);
  CHECK(same_bits(expected.detach(), found.detach()));
  return text_of(compiled.graph());
}

Tensor table() { return sample_values({6, 5}, -1, 1, 1); }
Tensor matrix() { return sample_values({4, 4}, -1, 1, 2); }

}  // namespace

TEST_CASE("passes: what nobody reads is left out, what is the same is computed once") {
  CHECK(program(
            [](const Tensor& a) {
              matmul(a, transpose(a));
              return cumsum(a, -1);
            },
            table()) == "cumsum");
  CHECK(program([](const Tensor& a) { return matmul(cumsum(a, -1), cumsum(a, -1)); }, matrix()) ==
        "cumsum matmul");
  CHECK(text_of(trace([](const Tensor& a) { return cumsum(a, -1) + cumsum(a, -1); }, table())) ==
        "cumsum cumsum add");
}

TEST_CASE("passes: elementwise operators run as one group") {
  CHECK(program(
            [](const Tensor& a) {
              const Tensor left = exp(a), right = sin(a);
              return tanh(left * right);
            },
            table()) == "group(exp sin multiply tanh)");
  // Another shape in between, and back: the same elements in the same order.
  CHECK(program([](const Tensor& a) { return tanh(reshape(exp(a), {-1})); }, table()) ==
        "group(exp tanh)");
  // A broadcast operand is laid out inside.
  CHECK(program([](const Tensor& a, const Tensor& b) { return tanh(a + b); }, table(), table()) ==
        "group(add tanh)");
  CHECK(program([](const Tensor& a) { return tanh(exp(a)).to(float32); }, table()) ==
        "group(exp tanh) convert");  // float32 flushes subnormal results, float64 does not
}

TEST_CASE("passes: what an operator outside waits for does not wait for it") {
  CHECK(program(
            [](const Tensor& a) {
              const Tensor y = sin(a);
              return tanh(y + matmul(y, y));
            },
            matrix()) == "sin matmul group(add tanh)");
  // Two sides that meet: one group. One side goes through a product: two.
  CHECK(program(
            [](const Tensor& a) {
              const Tensor left = exp(a), right = sin(left);
              return left + right;
            },
            matrix()) == "group(exp sin add)");
  CHECK(program(
            [](const Tensor& a) {
              const Tensor left = exp(a), right = sin(matmul(a, a));
              return left + right;
            },
            matrix()) == "matmul group(exp sin add)");
}

TEST_CASE("passes: operators on rows run with their neighbours, tile by tile") {
  const auto normal = [](const Tensor& a) {
    const Tensor centered = a - mean(a, {-1}, true);
    return centered * rsqrt(mean(centered * centered, {-1}, true) + 1e-5);
  };
  CHECK(program(normal, table()) ==
        "group(sum divide repeat subtract multiply sum divide add rsqrt repeat multiply)");
  CHECK(program([](const Tensor& a) { return softmax(a * 2, -1) + 1; }, table()) ==
        "group(multiply softmax add)");
  CHECK(program([](const Tensor& a) { return softmax(a * 2, 0) + 1; }, table()) ==
        "multiply permute contiguous softmax permute add");  // not along rows
  const auto compiled = compile([&](const Tensor& a) { return grad(sum(normal(a)), {a})[0]; });
  compiled(table().requires_grad_leaf());
  CHECK(text_of(compiled.graph()).starts_with("group("));
  CHECK(text_of(compiled.graph()).find(") ") == std::string::npos);  // with its gradient: one group
}

TEST_CASE("a group of many pieces, and of rows of any length") {
  for (const std::int64_t columns : {1, 2, 16, 17, 100, 1024, 5000, 20000}) {
    for (const std::int64_t rows : {1, 2, 63, 1000}) {
      CAPTURE(rows, columns);
      if (rows * columns > 3000000) {
        continue;
      }
      const Tensor a = sample_values({rows, columns}, -2, 2, 3).to(float32).requires_grad_leaf();
      const Tensor bias = sample_values({columns}, -2, 2, 4).to(float32);
      const auto f = [&](const Tensor& given) {
        const Tensor y = exp(given + bias);
        return grad(sum(y / sum(y, {-1}, true) * amax(given, {-1}, true)), {given})[0];
      };
      CHECK(same_bits(f(a), compile(f)(a)));
    }
  }
}

TEST_CASE("a replay allocates nothing beyond what the caller keeps") {
  manual_seed(1);
  const nn::Linear first(8, 16), second(16, 3);
  std::vector<Cell> parameters = nn::parameters(first);
  for (const Cell& cell : nn::parameters(second)) {
    parameters.push_back(cell);
  }
  optim::Adam optimizer(parameters);
  const auto step = compile([&](const Tensor& a, const Tensor& labels) {
    const Tensor loss = nn::cross_entropy(second(tanh(first(a))), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.detach();
  });
  const Tensor a = sample_values({512, 8}, -1, 1, 5).to(float32),
               labels = zeros({512}, {.dtype = int64});
  for (int i = 0; i < 3; ++i) {
    step(a, labels);
  }
  const std::int64_t before = memory_stats().bytes_in_use;
  reset_memory_peak();
  for (int i = 0; i < 10; ++i) {
    step(a, labels);
  }
  CHECK(memory_stats().bytes_in_use == before);
  // Gradients are replaced while the old ones still are there.
  std::int64_t gradients = 0;
  for (const Cell& cell : parameters) {
    gradients += cell.grad().numel() * 4;
  }
  CHECK(memory_stats().bytes_peak <= before + gradients + 4096);
}

TEST_CASE("explain says what runs together, what does not and why, and where memory goes") {
  const auto compiled = compile([](const Tensor& a) {
    const Tensor y = tanh(exp(a));
    return matmul(y, y) + matmul(y, cumsum(y, -1));
  });
  compiled(matrix());
  const std::string text = compiled.explain();
  INFO(text);
  for (const char* part :
       {"6 operators captured", "1 of them groups, of 2 steps", "group of 2 over 16 rows: exp tanh",
        "works on its operands as a whole", "MFLOP", "memory:", "at the peak", "made by group"}) {
    INFO(part);
    CHECK(text.find(part) != std::string::npos);
  }
  check_error([] { compile([](const Tensor& a) { return a; }).explain(); }, {"not been called"});
}

TEST_CASE("a formula's numbers are one constant each, however often they are written") {
  const auto compiled = compile([](const Tensor& a) { return (a * 2 + 1) * (a * 2 + 1) * 2.5; });
  compiled(table());
  std::size_t constants = 0;
  for (const Graph::Node& node : compiled.graph().nodes) {
    constants += node.name == "constant" ? 1 : 0;
  }
  CHECK(constants == 3);
  const Tensor one = tensor(2.0, {.requires_grad = true}),
               other = one.detach().requires_grad_leaf();
  compile([&](const Tensor& a) { return sum(a * one * other * other); })(table()).backward();
  CHECK(one.grad().item() * 2 == other.grad().item());
  CHECK(text_of(compiled.graph()) == "group(multiply add multiply multiply)");
}
