// Lookups in a table: values, gradients in order, padding, the layer.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/nn/embedding.hpp>
#include <cadena/nn/module.hpp>

#include "support.hpp"

#include <algorithm>
#include <cmath>

using namespace cadena;
using support::check_error;
using support::Values;
using support::values;

TEST_CASE("embedding takes rows, their gradients add up, padding has none") {
  const Tensor table =
      tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}, {7.0, 8.0}}, {.requires_grad = true});
  const Tensor tokens = tensor({{2, 0}, {2, 3}});
  const Tensor rows = embedding(tokens, table);
  CHECK(rows.shape() == Shape{2, 2, 2});
  CHECK(values(rows) == Values{5, 6, 1, 2, 5, 6, 7, 8});
  const Tensor weights = tensor({{{1.0, 2.0}, {3.0, 4.0}}, {{5.0, 6.0}, {7.0, 8.0}}});
  CHECK(values(grad(sum(rows * weights), {table})[0]) == Values{3, 4, 0, 0, 6, 8, 7, 8});
  for (std::int64_t padding : {2, -2}) {
    const Tensor padded = embedding(tokens, table, padding);
    CHECK(values(padded) == values(rows));
    CHECK(values(grad(sum(padded * weights), {table})[0]) == Values{3, 4, 0, 0, 0, 0, 7, 8});
  }
  check_error(
      [&] {
        embedding(tensor({{0, 1}, {4, 0}}), table);
      },
      {"embedding:", "4", "[1, 0]", "[0, 4)", "axis 0", "[4, 2]"});
  check_error([&] { embedding(tensor({-1}), table); }, {"embedding:", "-1"});
  check_error([&] { embedding(tokens, table, 4); }, {"embedding:", "padding_index 4", "[4, 2]"});
  check_error([&] { embedding(tokens, tensor({1.0})); }, {"embedding:", "[1]"});
  check_error([&] { embedding(tensor({0.5}), table); }, {"embedding:", "float32", "int64"});
}

TEST_CASE("gradients of many tokens are those of a loop, with any number of threads") {
  const support::ThreadsGuard guard;
  for (std::int64_t width : {1, 3, 40}) {
    const std::int64_t rows = 1000, count = 20000, padding = 7;
    Generator generator(9);
    const Tensor g = randn({count, width}, {}, generator);
    std::vector<std::int64_t> tokens;
    for (std::int64_t k = 0; k < count; ++k) {
      tokens.push_back(k % 5 == 0 ? 3 : k * k % 997);
    }
    std::vector<double> expected(static_cast<std::size_t>(rows * width), 0.0);
    for (std::int64_t k = 0; k < count; ++k) {
      const std::int64_t row = tokens[static_cast<std::size_t>(k)];
      for (std::int64_t c = 0; c < width && row != padding; ++c) {
        expected[static_cast<std::size_t>(row * width + c)] +=
            g.data<float>()[static_cast<std::size_t>(k * width + c)];
      }
    }
    const Tensor indices = from_vector(tokens, {count});
    const Tensor table = zeros({rows, width}).requires_grad_leaf();
    std::vector<float> first;
    for (int n : {1, 2, 8}) {
      set_threads(n);
      const Tensor taken = embedding(indices, table, padding);
      const std::vector<float> sums = grad({&taken, 1}, {&table, 1}, {&g, 1})[0].to_vector<float>();
      for (std::size_t k = 0; k < sums.size(); ++k) {
        // Row 3 has 4000 addends and is rounded once.
        const double tolerance = static_cast<std::int64_t>(k) / width == 3 ? 1e-7 : 3e-6;
        if (std::abs(sums[k] - expected[k]) > tolerance * std::max(10.0, std::abs(expected[k]))) {
          FAIL("element " << k << ": " << sums[k] << " against " << expected[k]);
        }
      }
      first = first.empty() ? sums : first;
      CHECK(sums == first);
      // The same rows by another way.
      const Tensor added = index_add(zeros({rows, width}), 0, indices, g);
      CHECK(allclose(slice(added, 0, 0, 7), slice(from_vector(first, {rows, width}), 0, 0, 7), 1e-5,
                     1e-5));
      CHECK(
          allclose(slice(added, 0, 8), slice(from_vector(first, {rows, width}), 0, 8), 1e-5, 1e-5));
    }
  }
}

TEST_CASE("the layer is a table with a name, begun standard normal") {
  Generator generator(4);
  nn::Embedding layer(200, 50, {.padding_index = -1, .generator = generator});
  CHECK(layer.padding_index == 199);
  const auto named = nn::named_parameters(layer);
  REQUIRE(named.size() == 1);
  CHECK(named[0].name == "weight");
  const Tensor weight = layer.weight;
  CHECK(weight.shape() == Shape{200, 50});
  CHECK(values(select(weight, 0, 199)) == Values(50, 0.0));
  const Tensor rest = slice(weight, 0, 0, 199);
  CHECK(std::abs(mean(rest).item()) < 0.05);
  CHECK(std::abs(mean(square(rest)).item() - 1) < 0.05);
  sum(layer(tensor({{0, 199}, {0, 1}}))).backward();
  CHECK(values(sum(layer.weight.grad(), {1}))[0] == 100);
  CHECK(values(sum(layer.weight.grad(), {1}))[1] == 50);
  CHECK(values(sum(layer.weight.grad(), {1}))[199] == 0);
  check_error([] { nn::Embedding(3, -1); }, {"Embedding:", "-1"});
  check_error([] { nn::Embedding(3, 2, {.padding_index = 3}); }, {"Embedding:", "3", "[-3, 3)"});
  check_error([] { nn::Embedding(3, 2, {.dtype = int64}); }, {"Embedding:", "int64"});
}
