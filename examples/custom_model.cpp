// A model is a plain struct. This one has a residual block of its own, a vector of blocks, dropout
// and a skip connection; nothing is registered anywhere.

#include <cadena/cadena.hpp>

namespace cd = cadena;
using cd::Tensor;

struct Block {
  cd::nn::Linear up, down;
  cd::nn::Dropout dropout{.p = 0.1};
  explicit Block(std::int64_t width) : up(width, 2 * width), down(2 * width, width) {}
  Tensor operator()(const Tensor& x) const { return x + dropout(down(cd::gelu(up(x)))); }

  // A class with a constructor says what its fields are; one that is forgotten does not compile.
  static auto fields() { return cd::fields<&Block::up, &Block::down, &Block::dropout>{}; }
};

struct Model {
  cd::nn::Linear input{2, 16};
  std::vector<Block> blocks{Block(16), Block(16)};
  cd::nn::Linear output{16, 3};

  Tensor operator()(Tensor x) const {
    x = input(x);
    for (const Block& block : blocks) {
      x = block(x);
    }
    return output(x);
  }
};

double accuracy(const Model& model, const cd::data::TensorDataset& data) {
  const cd::NoGrad no_grad;
  return cd::mean(cd::argmax(model(data.inputs()), -1) == data.targets()).item();
}

int main() {
  cd::manual_seed(0);
  Model model;
  fmt::print("{}\n", cd::nn::summary(model));

  const auto data = cd::data::spirals({.arms = 3, .samples_per_arm = 200});
  cd::data::Loader loader(data, {.batch_size = 64, .shuffle = true});
  cd::optim::Adam optimizer(cd::nn::parameters(model), {.lr = 3e-3});
  for (int epoch = 0; epoch < 60; ++epoch) {
    for (const auto& [inputs, targets] : loader) {
      optimizer.zero_grad();
      cd::nn::cross_entropy(model(inputs), targets).backward();
      optimizer.step();
    }
  }

  cd::nn::eval(model);  // dropout does nothing from here on
  Model copy = cd::nn::clone(model);
  copy.output.bias.assign(cd::zeros({3}));  // a copy has its own parameters
  const double result = accuracy(model, data);
  fmt::print("accuracy {:.3f}\n", result);
  return result > 0.9 ? 0 : 1;
}
