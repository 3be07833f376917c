// The rows as libtorch does them, for scripts/bench.py.

#include <torch/torch.h>

#include "../run.hpp"

#include <memory>

using torch::Tensor;

namespace bench {
namespace {

template <class T> Tensor copy(const std::vector<T>& values, torch::IntArrayRef shape) {
  return torch::from_blob(const_cast<T*>(values.data()), shape, c10::CppTypeToScalarType<T>::value)
      .clone();
}

Tensor random(torch::IntArrayRef shape, std::uint64_t seed, bool requires_grad = false,
              double scale = 1) {
  return copy(numbers(c10::multiply_integers(shape), seed, scale), shape)
      .set_requires_grad(requires_grad);
}

std::span<const float> span_of(const Tensor& contiguous) {
  return {contiguous.data_ptr<float>(), static_cast<std::size_t>(contiguous.numel())};
}

Fingerprint of(const Tensor& x) {
  const Tensor values = x.detach().contiguous();
  return fingerprint(span_of(values));
}

void zero_grad(const Tensor& x) { x.mutable_grad().reset(); }

Tensor chain(const Tensor& a, int nodes) {
  Tensor y = a;
  for (int i = 0; i < nodes; i += 2) {
    y = y * a + a;
  }
  return y;
}

Work differentiate_chain(int nodes, double count) {
  const Tensor a = torch::full({}, 0.5, torch::requires_grad());
  return {.step =
              [=] {
                zero_grad(a);
                chain(a, nodes).backward();
              },
          .result = [=] { return std::vector{of(a.grad())}; },
          .count = count};
}

Work memory_of_nodes() {
  return {.figure = [] {
    const Tensor a = torch::full({}, 0.5, torch::requires_grad());
    chain(a, short_chain).backward();
    const double before = process_bytes("VmRSS");
    const Tensor y = chain(a, long_chain);
    return (process_bytes("VmRSS") - before) / long_chain;
  }};
}

// Of layers and functions: torch::nn::Sequential would call each by way of a type-erased module.
struct Mlp : torch::nn::Module {
  std::vector<torch::nn::Linear> layers;
  explicit Mlp(const Perceptron& p) {
    for (std::size_t i = 0; i + 1 < p.widths.size(); ++i) {
      layers.push_back(register_module("layer" + std::to_string(i),
                                       torch::nn::Linear(p.widths[i], p.widths[i + 1])));
    }
    const torch::NoGradGuard no_grad;
    const std::vector<Tensor> all = parameters();
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].copy_(random(all[i].sizes(), initial_seed(i), false, initial_scale(p, i)));
    }
  }
  Tensor forward(Tensor x) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      x = layers[i]->forward(x);
      if (i + 1 < layers.size()) {
        x = torch::relu(x);
      }
    }
    return x;
  }
};

Work train(const Perceptron& perceptron) {
  struct State {
    Mlp model;
    torch::optim::Adam optimizer;
    Tensor inputs, labels, loss;
    explicit State(const Perceptron& p)
        : model(p),
          optimizer(model.parameters(), torch::optim::AdamOptions(learning_rate)),
          inputs(random({p.batch, p.widths.front()}, 1)),
          labels(copy(indices(p.batch, p.widths.back(), 2), {p.batch})) {}
  };
  const auto state = std::make_shared<State>(perceptron);
  return {.step =
              [=] {
                state->loss = torch::nn::functional::cross_entropy(
                    state->model.forward(state->inputs), state->labels);
                state->model.zero_grad(/*set_to_none=*/true);  // faster than filling with zeros
                state->loss.backward();
                state->optimizer.step();
              },
          .result =
              [=] {
                std::vector prints{of(state->loss)};
                const std::vector<Tensor> all = state->model.parameters();
                for (std::size_t i = 0; i < all.size(); ++i) {
                  prints.push_back(
                      movement(span_of(all[i]), initial_seed(i), initial_scale(perceptron, i)));
                }
                return prints;
              }};
}

Work update_by_adam() {
  const Tensor parameter = random({adam_parameters}, 1, true);
  const auto optimizer = std::make_shared<torch::optim::Adam>(
      std::vector<Tensor>{parameter}, torch::optim::AdamOptions(learning_rate));
  (parameter * random({adam_parameters}, 2)).sum().backward();
  return {.step = [=] { optimizer->step(); },
          .result = [=] { return std::vector{movement(span_of(parameter), 1)}; }};
}

template <class Loss> Work differentiate(const Tensor& x, const Loss& loss) {
  const auto last = std::make_shared<Tensor>();
  return {.step =
              [=] {
                zero_grad(x);
                *last = loss(x);
                last->backward();
              },
          .result =
              [=] {
                return std::vector{of(*last), of(x.grad())};
              }};
}

Work cross_entropy() {
  const Tensor labels = copy(indices(samples, classes, 2), {samples});
  return differentiate(random({samples, classes}, 1, true), [=](const Tensor& x) {
    return torch::nn::functional::cross_entropy(x, labels);
  });
}

Work elementwise_chain() {
  return differentiate(random({elementwise_elements}, 1, true), [](const Tensor& x) {
    return torch::sum(torch::tanh(2 * x + 1) * torch::sigmoid(x) + torch::exp(-torch::exp(x * x)));
  });
}

Work differentiate_layer_norm() {
  const Tensor x = random({norm_rows, norm_features}, 1, true);
  const Tensor weight = random({norm_features}, 2, true);
  const Tensor bias = random({norm_features}, 3, true);
  const Tensor upstream = random({norm_rows, norm_features}, 4);
  const auto y = std::make_shared<Tensor>();
  return {.step =
              [=] {
                zero_grad(x);
                zero_grad(weight);
                zero_grad(bias);
                *y = torch::layer_norm(x, {norm_features}, weight, bias, norm_epsilon);
                y->backward(upstream);
              },
          .result =
              [=] {
                return std::vector{of(*y), of(x.grad()), of(weight.grad()), of(bias.grad())};
              }};
}

template <class Function> Work compute(const Function& f) {
  const auto y = std::make_shared<Tensor>();
  return {.step = [=] { *y = f(); }, .result = [=] { return std::vector{of(*y)}; }};
}

Work batched_products() {
  const std::array shape{products, product_size, product_size};
  return compute([a = random(shape, 1), b = random(shape, 2)] { return torch::matmul(a, b); });
}

Work single_products() {
  std::vector<Tensor> a, b;
  for (std::uint64_t i = 0; i < products; ++i) {
    a.push_back(random({product_size, product_size}, 2 * i));
    b.push_back(random({product_size, product_size}, 2 * i + 1));
  }
  return compute([=] {
    Tensor last;
    for (std::size_t i = 0; i < a.size(); ++i) {
      last = torch::matmul(a[i], b[i]);
    }
    return last;
  });
}

Work reduce(const std::vector<std::int64_t>& axes) {
  return compute([x = random(reduced, 1), axes] {
    return axes.empty() ? torch::sum(x) : torch::sum(x, axes);
  });
}

Work gather_and_scatter() {
  const std::array shape{gather_rows, gather_columns};
  const Tensor chosen = copy(indices(gather_rows * gather_columns, gather_rows, 2), shape);
  return compute([x = random(shape, 1), zero = torch::zeros(shape), chosen] {
    return zero.scatter_add(0, chosen, x.gather(0, chosen));
  });
}

std::vector<Row> rows() {
  std::vector<Row> all{
      {"scalar_operator", [] { return differentiate_chain(short_chain, short_chain); }}};
  for (const Perceptron& perceptron : perceptrons) {
    all.push_back({perceptron.row, [perceptron] { return train(perceptron); }});
  }
  all.insert(all.end(), {{"adam_10m", update_by_adam},
                         {"cross_entropy", cross_entropy},
                         {"elementwise_chain", elementwise_chain},
                         {"layer_norm", differentiate_layer_norm},
                         {"layer_norm_operators", differentiate_layer_norm},
                         {"products_batched", batched_products},
                         {"products_single", single_products},
                         {"sum_axis_0", [] { return reduce({0}); }},
                         {"sum_axis_1", [] { return reduce({1}); }},
                         {"sum_axis_2", [] { return reduce({2}); }},
                         {"sum_all", [] { return reduce({}); }},
                         {"gather_scatter", gather_and_scatter},
                         {"chain_1m", [] { return differentiate_chain(long_chain, 1); }},
                         {"node_memory", memory_of_nodes}});
  return all;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::rows(), [](const bench::Options& options) {
    at::set_num_threads(options.threads);
    at::set_num_interop_threads(1);
    at::globalContext().setFlushDenormal(!options.keep_denormals);
  });
}
