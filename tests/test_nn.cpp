// Models as values, layers.

#include "support.hpp"

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/nn/gradcheck.hpp>
#include <cadena/nn/nn.hpp>
#include <cadena/optim/sgd.hpp>

#include <cmath>

namespace cd = cadena;
using support::error_of;
namespace nn = cadena::nn;
using cd::Tensor;

namespace {

struct Mlp {
  nn::Linear hidden{3, 4};
  nn::Dropout dropout{0.5};
  nn::Linear output{4, 2};
  Tensor operator()(const Tensor& x) const { return output(dropout(cd::tanh(hidden(x)))); }
};

/// An encoder and a decoder that share one layer.
struct Tied {
  std::shared_ptr<nn::Linear> encoder = std::make_shared<nn::Linear>(3, 3);
  std::shared_ptr<nn::Linear> decoder = encoder;
  Tensor operator()(const Tensor& x) const { return (*decoder)(cd::tanh((*encoder)(x))); }
};

std::vector<double> values(const Tensor& x) { return x.to_vector<double>(); }

struct Moments {
  double mean = 0, deviation = 0, low = 0, high = 0;
};
Moments moments(const Tensor& x) {
  const std::vector<double> all = values(x);
  Moments result{0, 0, all[0], all[0]};
  for (double value : all) {
    result.mean += value / static_cast<double>(all.size());
    result.low = std::min(result.low, value);
    result.high = std::max(result.high, value);
  }
  for (double value : all) {
    result.deviation += (value - result.mean) * (value - result.mean);
  }
  result.deviation = std::sqrt(result.deviation / static_cast<double>(all.size()));
  return result;
}

}  // namespace

TEST_CASE("a linear layer is x W^T + b") {
  nn::Linear layer(2, 3);
  CHECK(layer.weight.shape() == cd::Shape{3, 2});
  CHECK(layer.bias.shape() == cd::Shape{3});
  layer.weight.assign(cd::tensor({{1.0, 2.0}, {3.0, 4.0}, {5.0, 6.0}}));
  layer.bias.assign(cd::tensor({0.5, 0.25, -1.0}));
  const Tensor y = layer(cd::tensor({{1.0, -1.0}, {2.0, 0.0}}));
  CHECK(values(y) == std::vector<double>{-0.5, -0.75, -2, 2.5, 6.25, 9});
  cd::sum(y).backward();
  CHECK(values(layer.weight.grad()) == std::vector<double>{3, -1, 3, -1, 3, -1});
  CHECK(values(layer.bias.grad()) == std::vector<double>{2, 2, 2});

  const nn::Linear bare(2, 3, {.bias = false, .dtype = cd::float64});
  CHECK_FALSE(bare.bias.defined());
  CHECK(nn::parameters(bare).size() == 1);
  CHECK(bare(cd::zeros({5, 7, 2}, {.dtype = cd::float64})).shape() == cd::Shape{5, 7, 3});
  CHECK(error_of([] { nn::Linear(-1, 2); }).find("got -1 and 2") != std::string::npos);
  CHECK(error_of([] { nn::Linear(3, 2, {.dtype = cd::int64}); }).find("Linear: expected float") ==
        0);
  CHECK_NOTHROW(nn::Linear(0, 2)(cd::zeros({4, 0})));
}

TEST_CASE("a model's initial values come from the generator") {
  cd::manual_seed(3);
  const nn::Linear first(100, 200);
  cd::manual_seed(3);
  const nn::Linear again(100, 200);
  const nn::Linear other(100, 200);
  CHECK(values(first.weight) == values(again.weight));
  CHECK(values(first.weight) != values(other.weight));
  const Moments m = moments(first.weight);
  CHECK(m.low >= -0.1);
  CHECK(m.high <= 0.1);
  CHECK(m.low < -0.099);
  CHECK(m.high > 0.099);
  const nn::Linear own(4, 4, {.generator = cd::Generator(5)});
  const nn::Linear same(4, 4, {.generator = cd::Generator(5)});
  CHECK(values(own.weight) == values(same.weight));
}

TEST_CASE("copies of a model are independent, moved models keep their cells") {
  Mlp model;
  const std::vector<double> before = values(model.hidden.weight);
  Mlp copy = model;
  copy.hidden.weight.assign(cd::zeros({4, 3}));
  CHECK(values(model.hidden.weight) == before);
  const std::vector<cd::Cell> cells = nn::parameters(model);
  for (const cd::Cell& mine : nn::parameters(copy)) {
    CHECK(std::find(cells.begin(), cells.end(), mine) == cells.end());
  }
  Mlp assigned;
  assigned = model;
  model.output.bias.assign(cd::ones({2}));
  CHECK(values(assigned.output.bias) != values(model.output.bias));

  const Mlp moved = std::move(model);
  CHECK(nn::parameters(moved) == cells);
  cells[0].assign(cd::ones({4, 3}));
  CHECK(moved.hidden.weight.value().to_vector<float>()[0] == 1);
  std::vector<Mlp> many(1);
  const std::vector<cd::Cell> first = nn::parameters(many[0]);
  many.resize(9);  // moves what is there
  CHECK(nn::parameters(many[0]) == first);
}

TEST_CASE("a copy has no gradient of the original") {
  Mlp model;
  nn::eval(model);
  cd::sum(model(cd::ones({2, 3}))).backward();
  REQUIRE(model.hidden.weight.grad().defined());
  const Mlp copy = model;
  CHECK_FALSE(copy.hidden.weight.grad().defined());
  nn::zero_grad(model);
  CHECK_FALSE(model.hidden.weight.grad().defined());
}

TEST_CASE("a forward pass without a backward one leaves nothing behind") {
  Mlp model;
  const Tensor x = cd::ones({2, 3});
  cd::sum(cd::exp(model(x))).item();  // makes what lives as long as the program
  const std::int64_t before = cd::memory_stats().blocks_in_use;
  for (int i = 0; i < 10; ++i) {
    cd::sum(cd::exp(model(x))).item();
  }
  CHECK(cd::memory_stats().blocks_in_use == before);
}

TEST_CASE("a tied parameter is listed once and stays tied in a clone") {
  Tied model;
  REQUIRE(nn::named_parameters(model).size() == 2);
  CHECK(nn::named_parameters(model)[0].name == "encoder.weight");
  const std::vector<nn::StateEntry> entries = nn::state(model);
  CHECK(entries[0].other_names == std::vector<std::string>{"decoder.weight"});

  const Tied shared = model;  // pointers are copied as pointers are
  CHECK(shared.encoder == model.encoder);
  const Tied own = nn::clone(model);
  CHECK(own.encoder != model.encoder);
  CHECK(own.encoder == own.decoder);
  CHECK(nn::parameters(own).size() == 2);
  CHECK_FALSE(nn::parameters(own)[0] == nn::parameters(model)[0]);
  CHECK(values(own.encoder->weight) == values(model.encoder->weight));

  cd::sum(model(cd::ones({1, 3}))).backward();
  CHECK(model.encoder->weight.grad().defined());
  CHECK_FALSE(own.encoder->weight.grad().defined());
}

TEST_CASE("a clone reaches through pointers in pointers") {
  struct Nested {
    std::vector<std::shared_ptr<Tied>> parts;
    std::shared_ptr<Tied> again;
  };
  Nested model;
  model.parts = {std::make_shared<Tied>(), std::make_shared<Tied>()};
  model.again = model.parts[1];
  const Nested own = nn::clone(model);
  CHECK(own.parts[1] == own.again);
  CHECK(own.parts[0] != model.parts[0]);
  CHECK(own.parts[0]->encoder == own.parts[0]->decoder);
  CHECK(own.parts[0]->encoder != model.parts[0]->encoder);
  CHECK(own.again->encoder != model.again->encoder);
  CHECK(nn::parameters(own).size() == 4);
}

TEST_CASE("a clone has generators of its own, with the same state") {
  struct Model {
    nn::Dropout first{.generator = cd::Generator(7)};
    std::shared_ptr<nn::Dropout> second;
    nn::Dropout usual;
    std::shared_ptr<nn::Dropout> again;
  };
  Model model;
  model.second = std::make_shared<nn::Dropout>(model.first);
  model.again = model.second;
  const Tensor x = cd::ones({50});
  model.first(x);
  const Model own = nn::clone(model);
  CHECK_FALSE(own.first.generator == model.first.generator);
  CHECK(own.first.generator.state() == model.first.generator.state());
  CHECK(own.first.generator == own.second->generator);  // shared before, shared after
  CHECK(own.first.generator == own.again->generator);
  CHECK(own.usual.generator == cd::default_generator());
  CHECK(values(own.first(x)) == values(model.first(x)));

  const Model copy = model;  // copies of a generator share its state
  CHECK(copy.first.generator == model.first.generator);
}

TEST_CASE("training goes on after a model was put back to its best") {
  Mlp model;
  nn::eval(model);
  const Tensor x = cd::tensor({{0.5, -1.0, 2.0}, {1.5, 0.25, -0.75}}), y = cd::tensor({0, 1});
  const auto loss = [&] { return nn::cross_entropy(model(x), y); };
  cd::optim::SGD optimizer(nn::parameters(model), {.lr = 0.1});
  const auto train = [&](int steps) {
    for (int i = 0; i < steps; ++i) {
      optimizer.zero_grad();
      loss().backward();
      optimizer.step();
    }
  };
  train(3);
  const Mlp best = model;
  const double at_best = loss().item();
  train(3);
  CHECK(loss().item() < at_best);
  const std::vector<cd::Cell> cells = nn::parameters(model);
  model = best;
  CHECK(nn::parameters(model) == cells);
  CHECK(loss().item() == at_best);
  train(1);
  CHECK(loss().item() < at_best);
  model = nn::clone(best);
  CHECK(loss().item() == at_best);
  train(1);
  CHECK(loss().item() < at_best);
  CHECK(values(best.output.bias) != values(model.output.bias));

  struct Deep {
    std::vector<nn::Linear> layers;
  };
  Deep deep{{nn::Linear(2, 3), nn::Linear(3, 2)}};
  const Deep kept = deep;
  const std::vector<cd::Cell> places = nn::parameters(deep);
  deep = kept;  // layer by layer
  CHECK(nn::parameters(deep) == places);
}

TEST_CASE("train and eval set dropout") {
  Mlp model;
  CHECK(model.dropout.mode.training());
  nn::eval(model);
  CHECK_FALSE(model.dropout.mode.training());
  const Tensor x = cd::ones({1, 1000});
  CHECK(values(model.dropout(x)) == values(x));
  nn::train(model);
  const Moments m = moments(model.dropout(x));
  CHECK(m.low == 0);
  CHECK(m.high == 2);
  CHECK(m.mean == Approx(1).margin(0.2));
  nn::Sequential layers{nn::Linear(2, 2), nn::Dropout{0.25}};
  nn::eval(layers);
  CHECK_FALSE(layers.get<1>().mode.training());
}

TEST_CASE("a model is moved to another dtype") {
  struct Model {
    nn::Linear layer{2, 2};
    cd::Buffer steps{cd::tensor(3)};
    cd::Buffer mean{cd::ones({2})};
  };
  Model model;
  const std::vector<double> before = values(model.layer.weight);
  nn::to(model, cd::float64);
  CHECK(model.layer.weight.dtype() == cd::float64);
  CHECK(model.mean.dtype() == cd::float64);
  CHECK(model.steps.dtype() == cd::int64);
  CHECK(values(model.layer.weight) == before);
  CHECK(model.layer.weight.value().requires_grad());
  CHECK_FALSE(model.mean.value().requires_grad());
  CHECK(error_of([&] { nn::to(model, cd::int64); }).find("got int64") != std::string::npos);
}

TEST_CASE("a summary lists names, shapes and totals") {
  struct Model {
    nn::Linear hidden{784, 128};
    nn::Linear output{128, 10};
    cd::Buffer mean{cd::zeros({784})};
  };
  const std::string text = nn::summary(Model{});
  CHECK(text.find("hidden.weight  [128, 784]  float32  100,352\n") != std::string::npos);
  CHECK(text.find("784 (buffer)") != std::string::npos);
  CHECK(text.find("total: 101,770 trained, 784 in buffers, 400.6 KiB\n") != std::string::npos);
  Model part;
  part.hidden.weight.requires_grad(false);
  const std::string frozen = nn::summary(part);
  CHECK(frozen.find("float32  100,352 (frozen)\n") != std::string::npos);
  CHECK(frozen.find("total: 1,418 trained, 100,352 frozen, 784 in buffers,") != std::string::npos);
  CHECK(nn::summary(Tied{}).find("= encoder.weight") != std::string::npos);
  CHECK(nn::summary(nn::Relu{}).find("total: 0 trained, 0 bytes") != std::string::npos);
}

TEST_CASE("sequential applies its layers in turn and names them by position") {
  nn::Sequential model{nn::Linear(2, 8), nn::Tanh{}, nn::Linear(8, 2),
                       [](const Tensor& x) { return 2 * x; }};
  const std::vector<cadena::NamedCell> named = nn::named_parameters(model);
  REQUIRE(named.size() == 4);
  CHECK(named[0].name == "0.weight");
  CHECK(named[3].name == "2.bias");
  const Tensor x = cd::tensor({{1.0, 2.0}});
  const Tensor expected = 2 * model.get<2>()(cd::tanh(model.get<0>()(x)));
  CHECK(values(model(x)) == values(expected));
  struct Holder {
    decltype(model) body;
  };
  CHECK(nn::named_parameters(Holder{model})[2].name == "body.2.weight");
  const nn::Sequential<nn::Relu, nn::Flatten> plain;
  CHECK(plain(cd::ones({2, 3, 4})).shape() == cd::Shape{2, 12});
  const std::string text = error_of([&] { model(cd::ones({1, 3})); });
  INFO(text);
  CHECK(text.find("Sequential: layer 0 (cadena::nn::Linear): ") == 0);
  CHECK(text.find("[1, 3]") != std::string::npos);
  const nn::Sequential single{nn::Relu{}};
  CHECK(values(single(cd::tensor({-1.0, 2.0}))) == std::vector<double>{0, 2});
}

TEST_CASE("activation layers are their functions") {
  const Tensor x = cd::tensor({{-1.5, 0.0, 2.0}});
  CHECK(values(nn::Relu{}(x)) == values(cd::relu(x)));
  CHECK(values(nn::LeakyRelu{0.1}(x)) == values(cd::leaky_relu(x, 0.1)));
  CHECK(values(nn::Elu{2}(x)) == values(cd::elu(x, 2)));
  CHECK(values(nn::Gelu{}(x)) == values(cd::gelu(x)));
  CHECK(values(nn::Silu{}(x)) == values(cd::silu(x)));
  CHECK(values(nn::Tanh{}(x)) == values(cd::tanh(x)));
  CHECK(values(nn::Sigmoid{}(x)) == values(cd::sigmoid(x)));
  CHECK(values(nn::Softplus{}(x)) == values(cd::softplus(x)));
  CHECK(values(nn::Softmax{}(x)) == values(cd::softmax(x, -1)));
  CHECK(values(nn::Softmax{0}(x)) == std::vector<double>{1, 1, 1});
  CHECK(values(nn::LogSoftmax{}(x)) == values(cd::log_softmax(x, -1)));
  CHECK(values(nn::NormalizedLogistic{}(x)) == values(cd::normalized_logistic(x, -1)));
}

TEST_CASE("gradients of a model are checked on a float64 clone") {
  Mlp model;
  nn::eval(model);
  const auto loss = [](const Mlp& m, const std::vector<Tensor>& in) {
    return nn::cross_entropy(m(in[0]), in[1]);
  };
  const Tensor x = cd::tensor({{0.5, -1.0, 2.0}, {1.5, 0.25, -0.75}});
  const cd::GradcheckReport report = nn::gradcheck(model, loss, {x, cd::tensor({0, 1})});
  INFO(report.text());
  CHECK(report.passed());
  CHECK(report.inputs.size() >= 5);  // x and four parameters at least
  CHECK(model.hidden.weight.dtype() == cd::float32);
  const auto wrong = [](const Mlp& m, const std::vector<Tensor>& in) {
    return cd::sum(m(in[0]) * m.output.bias.value().detach());
  };
  nn::ones(model.output.bias);
  CHECK_FALSE(nn::gradcheck(model, wrong, {x}).passed());
}
