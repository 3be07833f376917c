// Bilinear, Identity, ParameterList, normalisations as layers, hooks on layers, initialisers.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/io/safetensors.hpp>
#include <cadena/nn/gradcheck.hpp>
#include <cadena/nn/nn.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace cadena;
using namespace support;

namespace {

struct Model {
  nn::Hooked<nn::Linear> hidden{3, 4};
  nn::LayerNorm layer{Shape{4}};
  nn::RMSNorm rms{Shape{4}};
  nn::GroupNorm group{2, 4};
  nn::BatchNorm batch{4};
  nn::ParameterList scales{ones({4}), ones({1})};
  nn::Identity nothing;
  nn::Bilinear pairs{4, 4, 2};
  Tensor operator()(const Tensor& x) const {
    const Tensor y = group(rms(layer(nothing(hidden(x)))));
    return pairs(batch(y), y * scales[0] + scales[1]);
  }
};

std::vector<std::string> names(const std::vector<NamedCell>& cells) {
  std::vector<std::string> all;
  for (const NamedCell& named : cells) all.push_back(named.name);
  return all;
}

}  // namespace

TEST_CASE("the layers' parameters have PyTorch's names") {
  const Model model;
  CHECK(names(nn::named_parameters(model)) ==
        std::vector<std::string>{"hidden.weight", "hidden.bias", "layer.weight", "layer.bias",
                                 "rms.weight", "group.weight", "group.bias", "batch.weight",
                                 "batch.bias", "scales.0", "scales.1", "pairs.weight",
                                 "pairs.bias"});
  CHECK(names(nn::named_buffers(model)) == std::vector<std::string>{"batch.running_mean",
                                                                    "batch.running_var",
                                                                    "batch.num_batches_tracked"});
  CHECK(nn::parameters(nn::LayerNorm(4, {.affine = false})).empty());
  CHECK(nn::parameters(nn::LayerNorm({2, 3}, {.bias = false})).size() == 1);
  CHECK(nn::buffers(nn::BatchNorm(4, {.track_running_stats = false})).empty());
}

TEST_CASE("the layers have right gradients, in training and evaluation") {
  Model model;
  const Tensor x = sample_values({5, 3}, -2, 2, 1);
  for (bool training : {true, false}) {
    nn::train(model, training);
    const GradcheckReport report =
        nn::gradcheck(model, [](const Model& m, const auto& in) { return m(in[0]); }, {x});
    INFO(report.text());
    CHECK(report.passed());
  }
}

TEST_CASE("a BatchNorm without channels gives an empty result") {
  const nn::BatchNorm none(0);
  CHECK(none(zeros({4, 0})).shape() == Shape{4, 0});
}

TEST_CASE("the layers are cloned and saved") {
  Model model;
  const Tensor x = sample_values({5, 3}, -2, 2, 1).to(float32);
  model(x);
  const Model copy = nn::clone(model);
  CHECK(values(copy.batch.running_mean) == values(model.batch.running_mean));
  model(x);
  CHECK(values(copy.batch.running_mean) != values(model.batch.running_mean));
  CHECK(copy.batch.num_batches_tracked.value().item<std::int64_t>() == 1);
  const std::string path = (std::filesystem::temp_directory_path() / "layers.safetensors").string();
  io::save_safetensors(path, model);
  Model other;
  io::load_safetensors(path, other);
  nn::eval(model);
  nn::eval(other);
  CHECK(values(other(x)) == values(model(x)));
  std::filesystem::remove(path);
}

TEST_CASE("Bilinear is x W z + b") {
  nn::Bilinear layer(2, 3, 2);
  layer.weight.assign(
      tensor({{{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, {{1.0, 0.0, 0.0}, {0.0, 0.0, 1.0}}}));
  layer.bias.assign(tensor({0.5, -1.0}));
  const Tensor x = tensor({{1.0, 2.0}}), z = tensor({{1.0, 0.0, -1.0}});
  // [9, 12, 15] z + 0.5; 1·1 + 2·(-1) - 1
  CHECK(values(layer(x, z)) == Values{-5.5, -2});
  CHECK(layer(ones({4, 5, 2}), ones({4, 5, 3})).shape() == Shape{4, 5, 2});
  CHECK(layer(ones({2}), ones({3})).shape() == Shape{2});
  CHECK(layer(ones({0, 2}), ones({0, 3})).shape() == Shape{0, 2});
  check_error([&] { layer(ones({4, 2}), ones({5, 3})); }, {"Bilinear", "[4, 2]", "[5, 3]"});
  check_error([&] { nn::Bilinear(-1, 2, 3); }, {"Bilinear", "-1"});
  const auto f = [](const nn::Bilinear& m, const auto& in) { return m(in[0], in[1]); };
  const GradcheckReport report =
      nn::gradcheck(layer, f, {sample_values({4, 2}, -1, 1, 1), sample_values({4, 3}, -1, 1, 2)});
  INFO(report.text());
  CHECK(report.passed());
}

TEST_CASE("a ParameterList grows and tells what it has not") {
  nn::ParameterList list;
  CHECK(list.size() == 0);
  list.push_back(ones({2}));
  CHECK(nn::named_parameters(list)[0].name == "0");
  CHECK(std::distance(list.begin(), list.end()) == 1);
  check_error([&] { list[1]; }, {"ParameterList", "index 1", "[0, 1)"});
}

TEST_CASE("a hook sees a layer's inputs and output while its handle lives") {
  Model model;
  const Tensor x = ones({5, 3});
  int calls = 0;
  Tensor seen;
  {
    const nn::LayerHook hook =
        model.hidden.hook([&](std::span<const Tensor> inputs, const Tensor& output) {
          ++calls;
          CHECK(inputs.size() == 1);
          CHECK(values(inputs[0]) == values(x));
          seen = output;
        });
    const Model copy = model;  // a copy is not watched
    copy(x);
    CHECK(calls == 0);
    model(x);
    CHECK(calls == 1);
    CHECK(values(seen) == values(model.hidden.layer(x)));
    model = nn::clone(model);
    model(x);
    CHECK(calls == 2);  // an assignment leaves the hooks of the place
  }
  model(x);
  CHECK(calls == 2);
}

TEST_CASE("a hook may replace the output, and gradients flow through what it gives") {
  nn::Hooked<nn::Linear> layer(2, 1);
  layer->weight.assign(tensor({{1.0, 2.0}}));
  layer->bias.assign(tensor({0.0}));
  nn::LayerHook doubled = layer.hook([](auto, const Tensor& output) { return 2 * output; });
  const nn::LayerHook shifted = layer.hook([](auto, const Tensor& output) { return output + 1; });
  const Tensor x = tensor({{1.0, 1.0}});
  CHECK(layer(x).item() == 7);  // in the order in which they were set
  layer(x).backward();
  CHECK(values(layer->weight.grad()) == Values{2, 2});
  doubled.remove();
  CHECK(layer(x).item() == 4);
  nn::LayerHook moved;
  {
    nn::Hooked<nn::Linear> gone(2, 1);
    moved = gone.hook([](auto, const Tensor&) {});
  }
  moved.remove();  // may outlive its layer
  // A hook that removes itself.
  int calls = 0;
  nn::LayerHook once;
  once = layer.hook([&](auto, const Tensor&) { ++calls, once.remove(); });
  layer(x);
  layer(x);
  CHECK(calls == 1);
}

TEST_CASE("hooks are for layers of several inputs and of any kind") {
  nn::Hooked<nn::Bilinear> pairs(2, 2, 1);
  std::size_t inputs = 0;
  const nn::LayerHook hook = pairs.hook([&](auto given, const Tensor&) { inputs = given.size(); });
  pairs(ones({3, 2}), ones({3, 2}));
  CHECK(inputs == 2);
  const nn::Hooked<nn::Relu> relu;
  CHECK(relu(tensor({-1.0, 2.0}))[1].item() == 2);
  CHECK(names(nn::named_parameters(nn::Sequential{nn::Hooked<nn::Linear>(2, 2)})) ==
        std::vector<std::string>{"0.weight", "0.bias"});
}

TEST_CASE("initialisers by LeCun, and truncated normal") {
  const Parameter weight(zeros({200, 300}));
  const auto spread = [&] {
    const Values v = values(weight);
    double square = 0, largest = 0;
    for (double x : v) square += x * x, largest = std::max(largest, std::abs(x));
    return std::pair{std::sqrt(square / static_cast<double>(v.size())), largest};
  };
  nn::lecun_normal(weight);
  CHECK(spread().first == Approx(1 / std::sqrt(300.0)).epsilon(0.02));
  nn::lecun_uniform(weight);
  CHECK(spread().first == Approx(1 / std::sqrt(300.0)).epsilon(0.02));
  CHECK(spread().second <= std::sqrt(3.0 / 300));
  nn::truncated_normal(weight);
  // A standard normal within ±2 has the variance 1 - 4 φ(2) / (Φ(2) - Φ(-2)) = 0.77374.
  CHECK(spread().first == Approx(std::sqrt(0.77374)).epsilon(0.02));
  CHECK(spread().second <= 2);
  CHECK(spread().second > 1.99);
  // Far out the density falls like e^(-8 (x - 8)): the mean is 8.1214 (φ(8) / (1 - Φ(8))).
  for (double sign : {1.0, -1.0}) {
    nn::truncated_normal(weight, 0, 1, sign > 0 ? 8 : -20, sign > 0 ? 20 : -8);
    const Values v = values(weight);
    double total = 0;
    for (double x : v) total += sign * x;
    CHECK(total / static_cast<double>(v.size()) == Approx(8.1214).epsilon(1e-3));
    CHECK(*std::min_element(v.begin(), v.end()) >= (sign > 0 ? 8 : -20));
  }
  check_error([&] { nn::truncated_normal(weight, 0, 1, 2, 2); },
              {"truncated_normal", "low < high"});
}

TEST_CASE("initialisers: identity, sparse, gains") {
  const Parameter weight(ones({2, 3}));
  nn::identity(weight);
  CHECK(values(weight) == Values{1, 0, 0, 0, 1, 0});
  check_error([] { nn::identity(Parameter(ones({2}))); }, {"identity", "[2]"});
  const Parameter matrix(zeros({10, 50}));
  nn::sparse(matrix, 0.25, 2);
  const Values v = values(matrix);
  bool alike = true;
  for (std::size_t column = 0; column < 50; ++column) {
    int none = 0;
    for (std::size_t row = 0; row < 10; ++row) {
      none += v[row * 50 + column] == 0 ? 1 : 0;
      alike = alike && (v[row * 50 + column] == 0) == (v[row * 50] == 0);
    }
    CHECK(none == 3);
  }
  CHECK_FALSE(alike);
  check_error([&] { nn::sparse(matrix, 1.5); }, {"sparse", "1.5"});
  CHECK(nn::calculate_gain("tanh") == Approx(5.0 / 3));
  CHECK(nn::calculate_gain("relu") == Approx(std::sqrt(2.0)));
  CHECK(nn::calculate_gain("leaky_relu", 0.2) == Approx(std::sqrt(2 / 1.04)));
  CHECK(nn::calculate_gain("leaky_relu") == Approx(std::sqrt(2 / 1.0001)));
  CHECK(nn::calculate_gain("selu") == 0.75);
  CHECK(nn::calculate_gain("linear") == 1);
  check_error([] { nn::calculate_gain("swish"); }, {"calculate_gain", "swish", "leaky_relu"});
}
