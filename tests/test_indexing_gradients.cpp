#include "test.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <cmath>

using namespace cadena;

namespace {

using Function = std::function<Tensor(const std::vector<Tensor>&)>;

std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }

std::vector<Tensor> leaves(const std::vector<Tensor>& inputs) {
  std::vector<Tensor> result;
  for (const Tensor& input : inputs) {
    result.push_back(input.requires_grad_leaf());
  }
  return result;
}

std::vector<Tensor> moved(const std::vector<Tensor>& x, const std::vector<Tensor>& direction,
                          double h) {
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < x.size(); ++i) {
    result.push_back((x[i] + h * direction[i]).detach());
  }
  return result;
}

/// The derivative of sum(w·y⁴), y = f(x), along random directions, `order` times.
Tensor directional(const Function& f, const std::vector<Tensor>& x,
                   const std::vector<std::vector<Tensor>>& directions, std::size_t order) {
  const Tensor y = f(x);
  const Tensor y2 = y * y;
  Tensor result = sum(y2 * y2 * sample_values(y.shape(), 0.5, 1.5, 77));
  for (std::size_t k = 0; k < order; ++k) {
    const std::vector<Tensor> gradients = grad(result, x, {.create_graph = true});
    result = sum(gradients[0] * directions[k][0]);
    for (std::size_t i = 1; i < x.size(); ++i) {
      result = result + sum(gradients[i] * directions[k][i]);
    }
  }
  return result;
}

/// Compares derivatives of orders 1 to 3 with central differences of the order below.
void check_derivatives(const Function& f, const std::vector<Tensor>& inputs) {
  std::vector<std::vector<Tensor>> directions(3);
  for (std::size_t k = 0; k < 3; ++k) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      directions[k].push_back(sample_values(inputs[i].shape(), -1, 1, 100 + 10 * k + i));
    }
  }
  constexpr double h = 1e-4;
  for (std::size_t order = 1; order <= 3; ++order) {
    const double exact = directional(f, leaves(inputs), directions, order).item();
    const auto below = [&](double step) {
      return directional(f, leaves(moved(inputs, directions[order - 1], step)), directions,
                         order - 1)
          .item();
    };
    const double numeric = (below(h) - below(-h)) / (2 * h);
    INFO("order " << order << ": " << exact << " against " << numeric);
    CHECK(std::abs(exact - numeric) <= 1e-5 * (1 + std::abs(numeric)));
  }
}

/// Compares every element of the first derivatives with central differences.
void check_gradient(const Function& f, const std::vector<Tensor>& inputs) {
  const std::vector<Tensor> x = leaves(inputs);
  const auto loss = [&](const std::vector<Tensor>& at) {
    const Tensor y = f(at);
    return sum(y * y * sample_values(y.shape(), 0.5, 1.5, 78));
  };
  const std::vector<Tensor> exact = grad(loss(x), x, {.allow_unused = true});
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::vector<double> flat = values(inputs[i]);
    for (std::size_t e = 0; e < flat.size(); ++e) {
      const auto at = [&](double step) {
        std::vector<double> changed = flat;
        changed[e] += step;
        std::vector<Tensor> all = inputs;
        all[i] = from_vector(changed, inputs[i].shape());
        return loss(all).item();
      };
      const double numeric = (at(1e-4) - at(-1e-4)) / 2e-4;
      INFO("input " << i << " element " << e);
      REQUIRE(exact[i].defined());
      CHECK(std::abs(values(exact[i])[e] - numeric) < 1e-7);
    }
  }
  check_derivatives(f, inputs);
}

}  // namespace

TEST_CASE("derivatives of slices") {
  const Tensor x = sample_values({4, 5}, -1, 1, 1);
  check_gradient([](const auto& in) { return slice(in[0], 1, -3, {}, 2); }, {x});
  check_gradient([](const auto& in) { return slice(transpose(in[0]), 0, 1, 4); }, {x});
  check_gradient([](const auto& in) { return select(in[0], 1, -1); }, {x});
  check_gradient([](const auto& in) { return in[0][2][3] * in[0][0]; }, {x});
  check_gradient([](const auto& in) { return pad(in[0], {{1, 0}, {2, 1}}, 0.5); }, {x});
  check_gradient([](const auto& in) { return pad(transpose(in[0]), {{0, 2}, {0, 0}}); }, {x});
  check_gradient([](const auto& in) { return slice(in[0], 0, 3, 2); }, {x});
}

TEST_CASE("derivatives of gather and its kin") {
  const Tensor x = sample_values({3, 4}, -1, 1, 2), source = sample_values({4, 4}, -1, 1, 3);
  const Tensor rows = tensor({2, 0, 2, 2}), grid = tensor({{2, 0, 1, 1}, {0, 0, 2, 1}});
  check_gradient([&](const auto& in) { return index_select(in[0], 0, rows); }, {x});
  check_gradient([&](const auto& in) { return index_select(transpose(in[0]), 1, rows); }, {x});
  check_gradient([&](const auto& in) { return index_add(in[0], 0, rows, in[1]); }, {x, source});
  check_gradient([&](const auto& in) { return gather(in[0], 0, grid); }, {x});
  check_gradient([&](const auto& in) { return gather(in[0], 1, slice(grid, 1, 1, 3)); }, {x});
  check_gradient([&](const auto& in) { return scatter_add(in[0], 0, grid, in[1]); }, {x, source});
  check_gradient([&](const auto& in) { return scatter_add(in[0], 1, grid, transpose(in[1])); },
                 {x, source});
  check_gradient([](const auto& in) { return gather(in[0], 0, tensor(0)); },
                 {sample_values({}, -1, 1, 4)});
}

TEST_CASE("derivatives of joins") {
  const Tensor x = sample_values({2, 3}, -1, 1, 5), y = sample_values({4, 3}, -1, 1, 6);
  const Tensor z = sample_values({2, 3}, -1, 1, 7);
  check_gradient([](const auto& in) { return cat({in[0], in[1], in[0]}); }, {x, y});
  check_gradient(
      [](const auto& in) {
        return cat({transpose(in[0]), transpose(in[1])}, 1);
      },
      {x, y});
  check_gradient([](const auto& in) { return stack({in[0], in[1] * in[0]}, 1); }, {x, z});
  check_gradient([](const auto& in) { return stack({in[0][0][1], in[0][1][2]}, 0); }, {x});
  check_gradient(
      [](const auto& in) {
        const std::vector<Tensor> parts = split(in[0], {1, 2, 1});
        return parts[0] * parts[1];
      },
      {y});
  check_gradient(
      [](const auto& in) {
        const std::vector<Tensor> columns = unbind(in[0], 1);
        return columns[0] * columns[2];
      },
      {y});
}

TEST_CASE("gradients keep the dtype of each input") {
  const Tensor a = ones({2}, {.requires_grad = true});
  const Tensor b = ones({3}, {.dtype = float64, .requires_grad = true});
  sum(cat({a, b, arange(2)})).backward();
  CHECK(a.grad().dtype() == float32);
  CHECK(b.grad().dtype() == float64);
  CHECK(b.grad().shape() == Shape{3});
}

TEST_CASE("a million tensors are joined and taken apart, and differentiated twice") {
  constexpr std::int64_t count = 1000000;
  const Tensor x = ones({count}, {.dtype = float64, .requires_grad = true});
  const std::vector<Tensor> parts = unbind(x);
  REQUIRE(parts.size() == static_cast<std::size_t>(count));
  const Tensor joined = cat({stack(parts), cat(split(x, 1))});
  const Tensor first = grad(sum(joined * joined * joined), {x}, {.create_graph = true})[0];
  CHECK(first[count - 1].item() == 6);
  const Tensor second = grad(sum(first), {x})[0];
  CHECK(second.shape() == x.shape());
  CHECK(second[123456].item() == 12);
}

TEST_CASE("samples of the indexing operators run and are differentiable") {
  OpList list;
  ops::list_slices(list);
  ops::list_gather(list);
  ops::list_joins(list);
  CHECK(list.entries().size() == 13);
  for (const OperatorEntry& entry : list.entries()) {
    REQUIRE(!entry.samples.empty());
    for (const Sample& sample : entry.samples) {
      INFO(entry.doc.name << ": " << sample.what);
      std::vector<Tensor> differentiable;
      for (const Tensor& input : sample.inputs) {
        if (is_floating(input.dtype())) {
          differentiable.push_back(input);
        }
      }
      check_gradient(
          [&](const std::vector<Tensor>& in) {
            std::vector<Tensor> all = sample.inputs;
            std::size_t next = 0;
            for (Tensor& input : all) {
              if (is_floating(input.dtype())) {
                input = in[next++];
              }
            }
            return sample.call(all);
          },
          differentiable);
    }
  }
}
