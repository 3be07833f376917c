// Bilinear, Identity, ParameterList, normalisations as layers.

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

TEST_CASE("Bilinear of no examples or no outputs has gradients of 0") {
  const nn::Bilinear layer(2, 3, 2), bare(2, 3, 2, {.bias = false}), none(2, 3, 0);
  for (const nn::Bilinear* one : {&layer, &bare}) {
    const Tensor x = zeros({0, 2}).requires_grad_leaf();
    sum((*one)(x, zeros({0, 3}))).backward();
    CHECK(values(one->weight.grad()) == Values(12, 0));
    CHECK(x.grad().shape() == Shape{0, 2});
  }
  const Tensor x = ones({4, 2}).requires_grad_leaf();
  const Tensor y = none(x, ones({4, 3}));
  CHECK(y.shape() == Shape{4, 0});
  sum(y).backward();
  CHECK(values(x.grad()) == Values(8, 0));
}

TEST_CASE("normalisations refuse what they cannot normalise over") {
  check_error([] { nn::LayerNorm(Shape{}); }, {"LayerNorm", "one dimension or more", "[]"});
  check_error([] { nn::LayerNorm({2, -3}); }, {"LayerNorm", "[2, -3]"});
  check_error([] { nn::LayerNorm(4, {.epsilon = -1}); }, {"LayerNorm", "epsilon", "-1"});
  check_error([] { nn::RMSNorm(Shape{}); }, {"RMSNorm", "[]"});
  check_error([] { nn::RMSNorm(4, {.epsilon = -1}); }, {"RMSNorm", "epsilon", "-1"});
  check_error([] { nn::GroupNorm(2, 4, {.epsilon = -1}); }, {"GroupNorm", "epsilon", "-1"});
  check_error([] { nn::BatchNorm(4, {.epsilon = std::nan("")}); }, {"BatchNorm", "epsilon", "nan"});
}
