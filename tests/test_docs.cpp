// The C++ of README.md and docs/*.md stands here or in a source of the project, word for word
// (check_docs.sh compares), so that it compiles and does what the text says. So do the text that
// docs/compile.md shows, the tables of docs/numerics.md and the subgradients of docs/operators.md.

#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/cadena.hpp>

#include "test.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

namespace cd = cadena;
using cd::Tensor;

namespace {

struct Mlp {
  cd::nn::Linear hidden{784, 128};
  cd::nn::Linear output{128, 10};
  Tensor operator()(const Tensor& images) const { return output(cd::relu(hidden(images))); }
};

std::string page_of(const std::string& path) {
  std::ifstream stream(std::filesystem::path(CADENA_SOURCE_DIR) / path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

struct Affine {
  cd::Parameter scale, shift;
  explicit Affine(std::int64_t width) : scale(cd::ones({width})), shift(cd::zeros({width})) {}
  Tensor operator()(const Tensor& x) const { return x * scale + shift; }
  static auto fields() { return cd::fields<&Affine::scale, &Affine::shift>{}; }
};

struct Centering {
  cd::Buffer center{cd::zeros({4})};
  cd::nn::Mode mode;
  double rate = 0.1;
  Tensor operator()(const Tensor& x) const {
    if (mode.training()) {
      const cd::NoGrad no_grad;
      center.assign(center + rate * (cd::mean(x, {0}) - center));
    }
    return x - center;
  }
};

struct Watched {
  cd::nn::Hooked<cd::nn::Linear> hidden{784, 128};
  cd::nn::Linear output{128, 10};
  Tensor operator()(const Tensor& images) const { return output(cd::relu(hidden(images))); }
};

struct Autoencoder {
  cd::nn::Linear encoder{8, 3};
  cd::Parameter bias{cd::zeros({8})};
  Tensor operator()(const Tensor& x) const {
    return cd::matmul(cd::tanh(encoder(x)), encoder.weight) + bias;  // [n, 3] x [3, 8]
  }
};

struct Twins {
  std::shared_ptr<cd::nn::Linear> left = std::make_shared<cd::nn::Linear>(4, 4);
  std::shared_ptr<cd::nn::Linear> right = left;  // the same layer under a second name
  Tensor operator()(const Tensor& x) const { return (*right)(cd::tanh((*left)(x))); }
};

const auto pinball =
    cd::elementwise("pinball", [](auto x) { return where(x >= 0.0, 0.9 * x, -0.1 * x); });

auto scaled_tanh(double scale) {
  return cd::elementwise("scaled_tanh", [scale](auto x) { return tanh(scale * x); });
}

std::string temporary_file(const char* name) {
  return (std::filesystem::temp_directory_path() / name).string();
}

}  // namespace

TEST_CASE("README: gradients") {
  Tensor x = cd::tensor({{1.0, 2.0}, {3.0, 4.0}}, {.dtype = cd::float64, .requires_grad = true});
  auto f = [](const Tensor& t) { return cd::sum(t * t + cd::sin(t)); };
  f(x).backward();  // x.grad() is 2x + cos x
  Tensor first = cd::grad(f(x), {x}, {.create_graph = true})[0];
  Tensor second = cd::grad(cd::sum(first), {x})[0];  // 2 - sin x
  Tensor hessian = cd::hessian(f, x);                // [2, 2, 2, 2]

  CHECK(x.grad().to_vector<double>() == first.to_vector<double>());
  CHECK(second[0][0].item() == Approx(2 - std::sin(1.0)));
  CHECK(hessian.shape() == cd::Shape{2, 2, 2, 2});
  CHECK(hessian[0][0][0][0].item() == Approx(2 - std::sin(1.0)));
}

TEST_CASE("compile: a layer norm of operators") {
  const auto f = cd::compile([](const Tensor& x) {
    Tensor centered = x - cd::mean(x, {-1}, true);
    Tensor y = centered * cd::rsqrt(cd::mean(centered * centered, {-1}, true) + 1e-5);
    return cd::grad(cd::sum(y * y * y), {x})[0];
  });
  const Tensor x = cd::randn({4096, 1024}, {.requires_grad = true});
  f(x);
  CHECK(f.graph().outputs.size() == 1);
  const std::string page = page_of("docs/compile.md");
  CHECK(page.find(f.explain()) != std::string::npos);
}

TEST_CASE("compile: a training step") {
  cd::manual_seed(1);
  Mlp model;
  cd::optim::Adam optimizer(cd::nn::parameters(model));
  auto step = [&](const Tensor& images, const Tensor& labels) {
    Tensor loss = cd::nn::cross_entropy(model(images), labels);
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    return loss.detach();
  };
  auto compiled_step = cd::compile(step);  // forward, backward and update: one program
  const Tensor images = cd::rand({8, 784}), labels = cd::randint(0, 10, {8});
  const double first = compiled_step(images, labels).item();
  for (int i = 0; i < 20; ++i) {
    compiled_step(images, labels);
  }
  CHECK(compiled_step(images, labels).item() < 0.5 * first);
  CHECK(compiled_step.stats().captures == 2);
}

TEST_CASE("adding-an-operator: a lambda with a condition, and one with a number") {
  const Tensor x = cd::tensor({-3.0, -1.0, 0.25, 1.0, 2.0}, {.dtype = cd::float64});
  CHECK(pinball(x)[0].item() == Approx(0.3));
  CHECK(pinball(x)[4].item() == Approx(1.8));
  CHECK(scaled_tanh(2)(x)[2].item() == Approx(std::tanh(0.5)));
  const auto report = cd::gradcheck([](auto in) { return pinball(in[0]); }, {x}, {.order = 2});
  CHECK(report.passed());
  const auto f = scaled_tanh(0.5);
  CHECK(cd::gradcheck([&](auto in) { return f(in[0]); }, {x}, {.order = 2}).passed());
}

TEST_CASE("custom-models: names, dtype, mode") {
  Mlp model;
  for (const auto& [name, cell] : cd::nn::named_parameters(model)) {
    fmt::print("{} {}\n", name, cell.value().shape());
  }
  std::vector<std::string> names;
  for (const auto& [name, cell] : cd::nn::named_parameters(model)) {
    names.push_back(name);
  }
  CHECK(names ==
        std::vector<std::string>{"hidden.weight", "hidden.bias", "output.weight", "output.bias"});

  Centering centering;
  const Tensor x = cd::ones({5, 4});
  CHECK(centering(x)[0][0].item() == Approx(0.9));
  cd::nn::eval(centering);
  CHECK(centering(x)[0][0].item() == Approx(0.9));
  CHECK(cd::nn::parameters(centering).empty());
  CHECK(cd::nn::buffers(centering).size() == 1);
  CHECK(Affine(3)(cd::ones({2, 3})).shape() == cd::Shape{2, 3});
}

TEST_CASE("custom-models: initialising, copying, assigning") {
  Mlp model;
  cd::nn::kaiming_normal(model.hidden.weight, {.fan = cd::nn::Fan::in});
  cd::nn::zeros(model.hidden.bias);

  Mlp copy = model;                          // parameters of its own, with the same values
  copy.hidden.bias.assign(cd::ones({128}));  // the model keeps its zeros
  CHECK(cd::sum(model.hidden.bias).item() == 0);
  CHECK(cd::sum(copy.hidden.bias).item() == 128);

  Mlp precise = cd::nn::clone(model);
  cd::nn::to(precise, cd::float64);
  CHECK(precise.hidden.weight.dtype() == cd::float64);
  CHECK(model.hidden.weight.dtype() == cd::float32);
}

TEST_CASE("custom-models: saving and loading") {
  const std::string path = temporary_file("cadena_test_docs.safetensors");
  Mlp model, other;
  cd::io::save_safetensors(path, model);
  cd::io::load_safetensors(path, other);  // an Error lists every name, shape and dtype that differs
  CHECK(cd::sum(other.output.weight.value() != model.output.weight.value()).item() == 0);

  // Only what the file has: the report says what was left out on either side.
  struct Deeper {
    cd::nn::Linear hidden{784, 128};
    cd::nn::Linear middle{128, 128};
    cd::nn::Linear output{128, 10};
  } deeper;
  const cd::io::LoadReport report = cd::io::load_safetensors(path, deeper, {.strict = false});
  CHECK(report.missing == std::vector<std::string>{"middle.weight", "middle.bias"});
  CHECK(report.unexpected.empty());
  std::filesystem::remove(path);
}

TEST_CASE("custom-models: tied weights") {
  Autoencoder model;
  CHECK(cd::nn::parameters(model).size() == 3);
  CHECK(model(cd::ones({2, 8})).shape() == cd::Shape{2, 8});

  Twins twins;
  CHECK(cd::nn::parameters(twins).size() == 2);
  CHECK(cd::nn::state(twins)[0].name == "left.weight");
  CHECK(cd::nn::state(twins)[0].other_names == std::vector<std::string>{"right.weight"});
  const Twins copied = cd::nn::clone(twins);
  const bool still_tied = copied.left == copied.right;  // true
  const bool shared = copied.left == twins.left;        // false
  CHECK(still_tied);
  CHECK_FALSE(shared);
}

TEST_CASE("README: data of your own") {
  const std::vector<float> values(100 * 3, 0.5F);
  const std::vector<std::int64_t> labels(100, 1);
  Tensor inputs = cd::from_vector(values, {100, 3});  // a copy; from_span takes any span
  cd::data::TensorDataset data(inputs, cd::from_vector(labels, {100}));
  CHECK(data.size() == 100);

  auto* pixels = new float[600];
  Tensor frame = cd::adopt<float>(pixels, {20, 30}, [](float* p) { delete[] p; });  // no copy
  CHECK(frame.shape() == cd::Shape{20, 30});
}

TEST_CASE("custom-models: the best model, and training on") {
  Mlp model;
  const Tensor images = cd::rand({4, 784}), labels = cd::tensor({1, 2, 3, 4});
  cd::optim::SGD optimizer(cd::nn::parameters(model), {.lr = 0.5});
  const auto train_one_epoch = [&] {
    optimizer.zero_grad();
    cd::nn::cross_entropy(model(images), labels).backward();
    optimizer.step();
  };
  int epochs = 0;
  const auto validation_loss = [&] { return std::abs(++epochs - 4) + 1.0; };
  Mlp best = model;
  double lowest = std::numeric_limits<double>::infinity();
  int waited = 0;
  for (int epoch = 0; epoch < 100 && waited < 5; ++epoch) {
    train_one_epoch();
    const double loss = validation_loss();
    waited = loss < lowest ? 0 : waited + 1;
    if (loss < lowest) {
      lowest = loss;
      best = model;
    }
  }
  model = best;
  CHECK(epochs == 9);
  const double before = cd::nn::cross_entropy(model(images), labels).item();
  CHECK(cd::nn::cross_entropy(best(images), labels).item() == before);
  train_one_epoch();
  CHECK(cd::nn::cross_entropy(model(images), labels).item() != before);
  CHECK(cd::nn::cross_entropy(best(images), labels).item() == before);
}

TEST_CASE("custom-models: freezing, and an optimizer's state in a file") {
  const std::string state = temporary_file("cadena_test_optimizer.safetensors");
  Mlp model;
  const Tensor images = cd::rand({4, 784}), labels = cd::tensor({1, 2, 3, 4});
  cd::optim::Adam optimizer(cd::nn::parameters(model.output));
  const Tensor features = cd::relu(model.hidden(images)).detach();
  const Tensor logits = model.output(features);
  cd::nn::cross_entropy(logits, labels).backward();
  optimizer.step();
  CHECK_FALSE(model.hidden.weight.grad().defined());

  cd::optim::Adam resumed(cd::nn::parameters(model.output));
  cd::io::save_safetensors(state, optimizer.named_state());
  cd::io::load_safetensors(state, resumed.named_state());
  CHECK(resumed.steps() == 1);
  std::filesystem::remove(state);
}

TEST_CASE("custom-models: frozen parameters, hooks, clipping") {
  Watched model;
  const Tensor images = cd::rand({4, 784}), labels = cd::tensor({1, 2, 3, 4});
  double largest = 0;
  const cd::nn::LayerHook hook =
      model.hidden.hook([&](std::span<const Tensor> inputs, const Tensor& output) {
        largest = cd::amax(cd::abs(output)).item();
        CHECK(inputs[0].shape() == cd::Shape{4, 784});
      });
  const cd::nn::LayerHook clipped =
      model.hidden.hook([](auto, const Tensor& output) { return cd::clamp(output, -1, 1); });
  double steepest = 0;
  cd::HookHandle of_gradient;
  const cd::nn::LayerHook watched = model.hidden.hook([&](auto, const Tensor& output) {
    if (output.requires_grad()) {  // not under NoGrad, say
      of_gradient = cd::register_hook(output, [&](const Tensor& gradient) {
        steepest = cd::amax(cd::abs(gradient)).item();
        return Tensor();
      });
    }
  });
  cd::nn::cross_entropy(model(images), labels).backward();
  CHECK(largest > 0);
  CHECK(steepest > 0);
  const Tensor norm = cd::optim::clip_grad_norm(cd::nn::parameters(model), 1.0);
  cd::optim::clip_grad_value(cd::nn::parameters(model), 0.1);
  CHECK(norm.item() > 0);
  CHECK(cd::amax(cd::abs(model.output.weight.grad())).item() <= 0.1F);

  for (const cd::Cell& cell : cd::nn::parameters(model.hidden)) {
    cell.requires_grad(false);
  }
  cd::nn::cross_entropy(model(images), labels).backward();
  CHECK_FALSE(model.hidden->weight.grad().defined());
}

TEST_CASE("custom-models: parameter groups") {
  Mlp model;
  cd::optim::SGD optimizer({{cd::nn::parameters(model.hidden), {.lr = 0.1, .momentum = 0.9}},
                            {cd::nn::parameters(model.output), {.lr = 0.01}}});
  optimizer.set_lr(0, 0.05);
  CHECK(optimizer.lr(0) == 0.05);
  CHECK(optimizer.lr(1) == 0.01);
}

TEST_CASE("gradient-checking: a function, kinks, results") {
  const Tensor x = cd::randn({3, 4}), y = cd::randn({4});
  const cd::GradcheckReport report =
      cd::gradcheck([](auto in) { return cd::sin(in[0]) * in[1]; }, {x, y}, {.order = 2});
  fmt::print("{}\n", report);
  CHECK(report.passed());
  CHECK(report.to_json().find("\"verdict\":\"passed\"") != std::string::npos);

  const Tensor at_kink = cd::tensor({-1.0, 0.0, 2.0});
  const auto relu = [](auto in) { return cd::relu(in[0]); };
  CHECK(cd::gradcheck(relu, {at_kink}).kinks > 0);
  CHECK_FALSE(cd::gradcheck(relu, {at_kink}, {.allow_kinks = false}).passed());

  const auto one_sided = [](auto in) { return cd::sum(cd::sqrt(in[0])); };
  CHECK(cd::gradcheck(one_sided, {cd::tensor({0.0, 1.0})}).singular > 0);
}

TEST_CASE("finding-errors: infinities that are meant") {
  const Tensor scores = cd::tensor({1.0, 2.0}), mask = cd::tensor({1.0, 0.0});
  const cd::AnomalyMode anomaly({.allowed = {"log"}});
  const Tensor weights = cd::softmax(scores + cd::log(mask), -1);  // the mask is 0 or 1
  CHECK(weights.to_vector<double>() == std::vector<double>{1, 0});
}

TEST_CASE("numerics: promotion as the table says") {
  const Tensor f32 = cd::ones({2}), f64 = f32.to(cd::float64), i64 = cd::arange(2);
  const Tensor scalar32 = cd::ones({}), scalar64 = scalar32.to(cd::float64);
  const auto dtype = [](const Tensor& x) { return x.dtype(); };
  CHECK(dtype(f32 + f64) == cd::float64);
  CHECK(dtype(i64 + f32) == cd::float32);
  CHECK(dtype(f32 + 2.5) == cd::float32);
  CHECK(dtype(f32 + scalar64) == cd::float32);
  CHECK(dtype(f64 + scalar32) == cd::float64);
  CHECK(dtype(i64 + 2) == cd::int64);
  CHECK(dtype(i64 + 2.5) == cd::float32);
  CHECK(dtype(i64 + scalar64) == cd::float64);
  CHECK(dtype(i64 / i64) == cd::float32);
  CHECK(dtype(cd::sum(i64)) == cd::int64);
  CHECK(dtype(cd::sum(i64 > 0)) == cd::int64);
  CHECK(dtype(cd::mean(i64)) == cd::float32);
  CHECK_THROWS_AS(i64.to(cd::uint8) + i64.to(cd::uint8), cd::Error);
  CHECK_THROWS_AS(cd::matmul(f32, f64), cd::Error);
  CHECK(cd::promotion_table().find("float64") != std::string::npos);
}

namespace {

/// The gradient of sum(f(x)) at the values.
template <class F> std::vector<double> slopes(F f, const std::vector<double>& values) {
  const Tensor x = cd::from_vector(values, {std::ssize(values)}, {.requires_grad = true});
  return cd::grad(cd::sum(f(x)), {x})[0].template to_vector<double>();
}

using Values = std::vector<double>;

}  // namespace

TEST_CASE("operators: subgradients as the page says") {
  CHECK(slopes([](auto x) { return cd::relu(x); }, {0}) == Values{0});
  CHECK(slopes([](auto x) { return cd::leaky_relu(x, 0.2); }, {0}) == Values{0.2});
  CHECK(slopes([](auto x) { return cd::elu(x, 0.7); }, {0}) == Values{0.7});
  CHECK(slopes([](auto x) { return cd::selu(x); }, {0})[0] ==
        Approx(1.0507 * 1.6733).epsilon(1e-4));
  CHECK(slopes([](auto x) { return cd::hardtanh(x); }, {-1, 0, 1}) == Values{0, 1, 0});
  CHECK(slopes([](auto x) { return cd::hardswish(x); }, {-3, 3}) == Values{0, 1});
  CHECK(slopes([](auto y) { return cd::atan2(y, 0.0); }, {0}) == Values{0});
  CHECK(slopes([](auto x) { return cd::atan2(0.0, x); }, {0}) == Values{0});
  CHECK(slopes([](auto x) { return cd::abs(x); }, {0}) == Values{0});
  CHECK(slopes([](auto x) { return cd::sign(x); }, {0, 1}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::floor(x); }, {1, 1.5}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::ceil(x); }, {1, 1.5}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::round(x); }, {1, 1.5}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::trunc(x); }, {1, 1.5}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::fmod(x, 3.0); }, {6}) == Values{1});
  CHECK(slopes([](auto y) { return cd::fmod(6.0, y); }, {3}) == Values{-2});
  CHECK(slopes([](auto y) { return cd::remainder(-6.0, y); }, {3}) == Values{2});
  CHECK(slopes([](auto x) { return cd::nan_to_num(x); }, {std::nan(""), HUGE_VAL}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::max(x, 0).values; }, {3, 3, 1}) == Values{1, 0, 0});
  CHECK(slopes([](auto x) { return cd::min(x, 0).values; }, {3, 1, 1}) == Values{0, 1, 0});
  CHECK(slopes([](auto x) { return cd::std(x); }, {2, 2}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::clamp(x, -1, 2); }, {-2, -1, 2, 3}) == Values{0, 1, 1, 0});
  CHECK(slopes([](auto x) { return cd::maximum(x, 1.0); }, {0, 1, 2}) == Values{0, 0.5, 1});
  CHECK(slopes([](auto x) { return cd::minimum(x, 1.0); }, {0, 1, 2}) == Values{1, 0.5, 0});
  CHECK(slopes([](auto x) { return cd::amax(x); }, {3, 3, 1}) == Values{0.5, 0.5, 0});
  CHECK(slopes([](auto x) { return cd::amin(x); }, {3, 1, 1, 1, 1}) ==
        Values{0, 0.25, 0.25, 0.25, 0.25});
  CHECK(slopes([](auto x) { return cd::where(x > 0.0, x, 2.0 * x); }, {0}) == Values{2});
  CHECK(slopes([](auto x) { return cd::norm(x); }, {0, 0}) == Values{0, 0});
  CHECK(slopes([](auto x) { return cd::norm(x, 1); }, {0, -2}) == Values{0, -1});
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(slopes([=](auto x) { return cd::norm(x, infinity); }, {2, -2}) == Values{0.5, -0.5});
  CHECK(slopes([](auto x) { return cd::sqrt(x); }, {0}) == Values{infinity});
  CHECK(slopes([](auto x) { return cd::pow(x, 2.0); }, {0}) == Values{0});
  CHECK(slopes([](auto x) { return cd::pow(x, 1.0); }, {0}) == Values{1});
  CHECK(slopes([](auto x) { return cd::pow(x, 0.0); }, {0}) == Values{0});
  CHECK(slopes([](auto y) { return cd::pow(0.0, y); }, {2}) == Values{0});
  CHECK(std::isnan(slopes([](auto y) { return cd::pow(-2.0, y); }, {2})[0]));
  CHECK(slopes([=](auto x) { return cd::logsumexp(x); }, {-infinity, -infinity}) == Values{0, 0});
}

TEST_CASE("numerics: nothing overflows on the way, as the text says") {
  const auto at = [](double x) { return cd::tensor(x, {.dtype = cd::float64}); };
  CHECK(cd::softplus(at(1000)).item() == 1000);
  CHECK(cd::softplus(at(-1000)).item() == 0);
  CHECK(cd::sigmoid(at(-1000)).item() == 0);
  CHECK(cd::logsumexp(cd::full({4}, 1e4)).item() == Approx(1e4 + std::log(4.0)));
  CHECK(cd::norm(cd::full({4}, 1e30)).item() == Approx(2e30));
  CHECK(cd::norm(cd::full({4}, 1e-30)).item() == Approx(2e-30));
  const Tensor logits = cd::tensor({{1e4, -1e4}});
  CHECK(cd::cross_entropy(logits, cd::tensor({0})).item() == 0);
  CHECK(cd::cross_entropy(logits, cd::tensor({1})).item() == Approx(2e4));
  const Tensor sure = cd::tensor({0.0, 1.0});
  CHECK(std::isfinite(cd::nn::binary_cross_entropy(sure, 1.0 - sure).item()));
}
