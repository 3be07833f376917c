// The smallest problem that one neuron cannot solve: exclusive or, learned by a network with one
// hidden layer.

#include <cadena/cadena.hpp>

namespace cd = cadena;
using cd::Tensor;

struct Network {
  cd::nn::Linear hidden{2, 8};
  cd::nn::Linear output{8, 1};
  Tensor operator()(const Tensor& x) const { return output(cd::tanh(hidden(x))); }
};

int main() {
  cd::manual_seed(1);
  const Tensor inputs = cd::tensor({{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}});
  const Tensor targets = cd::tensor({{0.0}, {1.0}, {1.0}, {0.0}});

  Network network;
  cd::optim::Adam optimizer(cd::nn::parameters(network), {.lr = 0.05});
  for (int step = 0; step <= 500; ++step) {
    const Tensor loss = cd::nn::binary_cross_entropy_with_logits(network(inputs), targets);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    if (step % 100 == 0) {
      fmt::print("step {:3}  loss {:.4f}\n", step, loss.item());
    }
  }

  const cd::NoGrad no_grad;
  const Tensor probabilities = cd::sigmoid(network(inputs));
  fmt::print("{}\n", probabilities);
  const bool learned = cd::sum((probabilities > 0.5) != (targets > 0.5)).item() == 0;
  fmt::print("{}\n", learned ? "learned exclusive or" : "did not learn exclusive or");
  return learned ? 0 : 1;
}
