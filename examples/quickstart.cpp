// A model in twenty lines: the one of README.md.

#include <cadena/cadena.hpp>

namespace cd = cadena;
using cd::Tensor;

struct Mlp {  // a plain struct is a model: parameters are hidden.weight, hidden.bias, ...
  cd::nn::Linear hidden{2, 64};
  cd::nn::Linear output{64, 3};
  Tensor operator()(const Tensor& x) const { return output(cd::relu(hidden(x))); }
};

int main() {
  Mlp model;
  const auto data = cd::data::spirals({.arms = 3});  // points [1500, 2], labels [1500]
  cd::data::Loader loader(data, {.batch_size = 64, .shuffle = true});
  cd::optim::Adam optimizer(cd::nn::parameters(model), {.lr = 1e-2});
  for (int epoch = 0; epoch < 40; ++epoch) {
    for (const auto& [inputs, targets] : loader) {
      optimizer.zero_grad();
      cd::nn::cross_entropy(model(inputs), targets).backward();
      optimizer.step();
    }
  }
  const cd::NoGrad no_grad;
  const Tensor right = cd::argmax(model(data.inputs()), -1) == data.targets();
  fmt::print("accuracy {:.3f}\n", cd::mean(right).item());
}
