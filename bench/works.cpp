#include "works.hpp"

#include <cadena/cadena.hpp>

#include "run.hpp"

#include <functional>
#include <memory>

namespace cd = cadena;
using cd::Tensor;

namespace bench {
namespace {

bool compiled_steps = false;

/// A function of tensors as it is, or compiled.
using Step = std::function<Tensor(const std::vector<Tensor>&)>;
template <class F> Step step_of(const F& f) {
  return compiled_steps ? Step(cd::compile(f)) : Step(f);
}

Tensor random(const cd::Shape& shape, std::uint64_t seed, bool requires_grad = false,
              double scale = 1) {
  return cd::from_vector(numbers(cd::numel(shape), seed, scale), shape,
                         {.requires_grad = requires_grad});
}

Fingerprint of(const Tensor& x) { return fingerprint(x.to_vector<float>()); }

/// y = y * a + a, again and again: a node for each operator.
Tensor chain(const Tensor& a, int nodes) {
  Tensor y = a;
  for (int i = 0; i < nodes; i += 2) {
    y = y * a + a;
  }
  return y;
}

/// A chain built, differentiated and destroyed; the time of `count` of its nodes.
Work differentiate_chain(int nodes, double count) {
  const Tensor a = cd::full({}, 0.5, {.requires_grad = true});
  const Step step = step_of([nodes](const std::vector<Tensor>& in) {
    in[0].zero_grad();
    const Tensor y = chain(in[0], nodes);
    y.backward();
    return y.detach();
  });
  return {.step = [=] { step({a}); },
          .result = [=] { return std::vector{of(a.grad())}; },
          .count = count};
}

Work memory_of_nodes() {
  return {.figure = [] {
    const Tensor a = cd::full({}, 0.5, {.requires_grad = true});
    chain(a, short_chain).backward();
    const double before = process_bytes("VmRSS");
    const Tensor y = chain(a, long_chain);
    return (process_bytes("VmRSS") - before) / long_chain;
  }};
}

struct Mlp {
  std::vector<cd::nn::Linear> layers;
  explicit Mlp(const std::vector<std::int64_t>& widths) {
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      layers.emplace_back(widths[i], widths[i + 1]);
    }
  }
  Tensor operator()(Tensor x) const {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      x = layers[i](x);
      if (i + 1 < layers.size()) {
        x = cd::relu(x);
      }
    }
    return x;
  }
  static auto fields() { return cd::fields<&Mlp::layers>{}; }
};

Mlp initialised(const Perceptron& perceptron) {
  Mlp model(perceptron.widths);
  const auto cells = cd::nn::parameters(model);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i].assign(
        random(cells[i].value().shape(), initial_seed(i), false, initial_scale(perceptron, i)));
  }
  return model;
}

Work train(const Perceptron& perceptron) {
  struct State {
    Mlp model;
    cd::optim::Adam optimizer;
    Tensor loss;
    std::vector<Tensor> batch;
    Step step;
    explicit State(const Perceptron& p)
        : model(initialised(p)),
          optimizer(cd::nn::parameters(model), {.lr = learning_rate}),
          batch{random({p.batch, p.widths.front()}, 1),
                cd::from_vector(indices(p.batch, p.widths.back(), 2), {p.batch})},
          step(step_of([this](const std::vector<Tensor>& in) {
            const Tensor found = cd::nn::cross_entropy(model(in[0]), in[1]);
            optimizer.zero_grad();
            found.backward();
            optimizer.step();
            return found.detach();
          })) {}
  };
  const auto state = std::make_shared<State>(perceptron);
  return {.step = [=] { state->loss = state->step(state->batch); },
          .result =
              [=] {
                std::vector prints{of(state->loss)};
                const auto cells = cd::nn::parameters(state->model);
                for (std::size_t i = 0; i < cells.size(); ++i) {
                  prints.push_back(movement(cells[i].value().to_vector<float>(), initial_seed(i),
                                            initial_scale(perceptron, i)));
                }
                return prints;
              }};
}

Work update_by_adam() {
  const auto parameter = std::make_shared<cd::Parameter>(random({adam_parameters}, 1));
  const auto optimizer = std::make_shared<cd::optim::Adam>(
      std::vector<cd::Cell>{parameter->cell()}, cd::optim::AdamOptions{.lr = learning_rate});
  cd::sum(*parameter * random({adam_parameters}, 2)).backward();
  const Step step = step_of([optimizer](const std::vector<Tensor>& in) {
    optimizer->step();
    return in[0];
  });
  const std::vector<Tensor> nothing{cd::zeros({})};
  return {
      .step = [=] { step(nothing); },
      .result =
          [parameter] { return std::vector{movement(parameter->value().to_vector<float>(), 1)}; }};
}

/// Forward and backward of a loss of the first tensor, and of others.
template <class Loss> Work differentiate(const std::vector<Tensor>& inputs, const Loss& loss) {
  const auto last = std::make_shared<Tensor>();
  const Tensor x = inputs[0];
  const Step step = step_of([loss](const std::vector<Tensor>& in) {
    in[0].zero_grad();
    const Tensor found = loss(in);
    found.backward();
    return found.detach();
  });
  return {.step = [=] { *last = step(inputs); },
          .result =
              [=] {
                return std::vector{of(*last), of(x.grad())};
              }};
}

Work cross_entropy() {
  const Tensor labels = cd::from_vector(indices(samples, classes, 2), {samples});
  return differentiate(
      {random({samples, classes}, 1, true), labels},
      [](const std::vector<Tensor>& in) { return cd::nn::cross_entropy(in[0], in[1]); });
}

Work elementwise_chain() {
  return differentiate({random({elementwise_elements}, 1, true)}, [](const auto& in) {
    const Tensor& x = in[0];
    return cd::sum(cd::tanh(2 * x + 1) * cd::sigmoid(x) + cd::exp(-cd::exp(x * x)));
  });
}

/// As in a formula: each operator by itself.
Tensor layer_norm_of_operators(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor centered = x - cd::mean(x, {-1}, true);
  const Tensor variance = cd::mean(centered * centered, {-1}, true);
  return centered * cd::rsqrt(variance + norm_epsilon) * weight + bias;
}

Work differentiate_layer_norm(bool of_operators) {
  const std::vector<Tensor> inputs{
      random({norm_rows, norm_features}, 1, true), random({norm_features}, 2, true),
      random({norm_features}, 3, true), random({norm_rows, norm_features}, 4)};
  const auto y = std::make_shared<Tensor>();
  const Step step = step_of([of_operators](const std::vector<Tensor>& in) {
    for (std::size_t i = 0; i < 3; ++i) {
      in[i].zero_grad();
    }
    const Tensor found = of_operators
                             ? layer_norm_of_operators(in[0], in[1], in[2])
                             : cd::layer_norm(in[0], {norm_features}, in[1], in[2], norm_epsilon);
    found.backward(in[3]);
    return found.detach();
  });
  return {.step = [=] { *y = step(inputs); },
          .result =
              [=] {
                return std::vector{of(*y), of(inputs[0].grad()), of(inputs[1].grad()),
                                   of(inputs[2].grad())};
              }};
}

/// What a function without gradient gives.
template <class Function> Work compute(const Function& f) {
  const auto y = std::make_shared<Tensor>();
  return {.step = [=] { *y = f(); }, .result = [=] { return std::vector{of(*y)}; }};
}

Work batched_products() {
  const cd::Shape shape{products, product_size, product_size};
  return compute([a = random(shape, 1), b = random(shape, 2)] { return cd::matmul(a, b); });
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
      last = cd::matmul(a[i], b[i]);
    }
    return last;
  });
}

Work reduce(const cd::Axes& axes) {
  return compute(
      [x = random({reduced[0], reduced[1], reduced[2]}, 1), axes] { return cd::sum(x, axes); });
}

Work gather_and_scatter() {
  const cd::Shape shape{gather_rows, gather_columns};
  const Tensor chosen = cd::from_vector(indices(cd::numel(shape), gather_rows, 2), shape);
  return compute([x = random(shape, 1), zero = cd::zeros(shape), chosen] {
    return cd::scatter_add(zero, 0, chosen, cd::gather(x, 0, chosen));
  });
}

}  // namespace

void set_compiled(bool compiled) { compiled_steps = compiled; }

std::vector<Row> rows() {
  std::vector<Row> all{
      {"scalar_operator", [] { return differentiate_chain(short_chain, short_chain); }}};
  for (const Perceptron& perceptron : perceptrons) {
    all.push_back({perceptron.row, [perceptron] { return train(perceptron); }});
  }
  all.insert(all.end(), {{"adam_10m", update_by_adam},
                         {"cross_entropy", cross_entropy},
                         {"elementwise_chain", elementwise_chain},
                         {"layer_norm", [] { return differentiate_layer_norm(false); }},
                         {"layer_norm_operators", [] { return differentiate_layer_norm(true); }},
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

}  // namespace bench
