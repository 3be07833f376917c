// Takes one training step with a model, an optimizer and an elementwise operator of its own.
#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/cadena.hpp>

#include <cmath>

namespace cd = cadena;

struct Model {
  cd::nn::Linear hidden{2, 4};
  cd::nn::Linear output{4, 1};
};

int main() {
  const auto mish =
      cd::elementwise("consumer_mish", [](auto x) { return x * tanh(log1p(exp(x))); });

  Model model;
  cd::optim::Adam optimizer(cd::nn::parameters(model), {.lr = 1e-2});
  const cd::Tensor inputs = cd::tensor({{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}});
  const cd::Tensor targets = cd::tensor({{0.0}, {1.0}, {1.0}, {0.0}});

  const auto loss = [&] {
    const cd::Tensor error = model.output(mish(model.hidden(inputs))) - targets;
    return cd::mean(error * error);
  };
  const float before = loss().item<float>();
  for (int step = 0; step < 100; ++step) {
    optimizer.zero_grad();
    loss().backward();
    optimizer.step();
  }
  const float after = loss().item<float>();
  fmt::print("loss {} -> {}\n", before, after);
  return std::isfinite(after) && after < before ? 0 : 1;
}
