// What an eager training step costs: the rows of the foundation's budget.

#include <cadena/cadena.hpp>

#include <benchmark/benchmark.h>

namespace cd = cadena;
using cd::Tensor;

namespace {

/// Forward and backward through a chain of scalar operators; the time is per operator.
void scalar_chain(benchmark::State& state) {
  constexpr int pairs = 1000;
  const Tensor a = cd::full({}, 0.5, {.requires_grad = true});
  for (auto _ : state) {
    a.zero_grad();
    Tensor y = a;
    for (int i = 0; i < pairs; ++i) {
      y = y * a + a;
    }
    y.backward();
  }
  state.counters["per_operator"] = benchmark::Counter(
      2 * pairs, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(scalar_chain)->Unit(benchmark::kMicrosecond);

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

/// One Adam step of a multilayer perceptron on fixed data.
void adam_step(benchmark::State& state, std::int64_t batch, std::vector<std::int64_t> widths) {
  cd::manual_seed(0);
  const Mlp model(widths);
  const Tensor inputs = cd::randn({batch, widths.front()});
  const Tensor labels = cd::randint(0, widths.back(), {batch});
  cd::optim::Adam optimizer(cd::nn::parameters(model), {.lr = 1e-4});
  for (auto _ : state) {
    const Tensor loss = cd::nn::cross_entropy(model(inputs), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
}
using Widths = std::vector<std::int64_t>;
BENCHMARK_CAPTURE(adam_step, mlp_2_8_2_batch_4, 4, Widths{2, 8, 2})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(adam_step, mlp_784_128_10_batch_32, 32, Widths{784, 128, 10})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(adam_step, mlp_784_512_512_10_batch_128, 128, Widths{784, 512, 512, 10})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(adam_step, mlp_1024x4_batch_256, 256, Widths{1024, 1024, 1024, 1024, 1024})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

/// One Adam update of ten million parameters.
void adam_update(benchmark::State& state) {
  const cd::Parameter parameter(cd::randn({10'000'000}));
  cd::optim::Adam optimizer({parameter.cell()}, {.lr = 1e-4});
  cd::sum(parameter * 0.01).backward();
  for (auto _ : state) {
    optimizer.step();
  }
}
BENCHMARK(adam_update)->Unit(benchmark::kMicrosecond)->UseRealTime();

/// Softmax and cross-entropy with the gradient of the logits.
void cross_entropy(benchmark::State& state) {
  const Tensor logits = cd::randn({8192, 1024}, {.requires_grad = true});
  const Tensor labels = cd::randint(0, 1024, {8192});
  for (auto _ : state) {
    logits.zero_grad();
    cd::nn::cross_entropy(logits, labels).backward();
  }
}
BENCHMARK(cross_entropy)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace
