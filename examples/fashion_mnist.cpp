// Trains a multilayer perceptron on Fashion-MNIST (or on spirals, without any data), saves it, and
// prints its accuracy on the test images.

#include "progress.hpp"

#include <cadena/cadena.hpp>

#include <boost/program_options.hpp>

#include <algorithm>
#include <iostream>
#include <memory>

namespace cd = cadena;
namespace po = boost::program_options;
using cd::Tensor;

namespace {

struct Options {
  std::string data, save, optimizer;
  std::vector<std::int64_t> hidden;
  std::int64_t epochs = 0, batch_size = 0;
  std::uint64_t seed = 0;
  int threads = 0;
  double lr = 0, dropout = 0;
};

struct Mlp {
  std::vector<cd::nn::Linear> hidden;
  cd::nn::Dropout dropout;
  cd::nn::Linear output;

  Mlp(std::int64_t inputs, const std::vector<std::int64_t>& widths, std::int64_t classes,
      double dropout_rate)
      : dropout{.p = dropout_rate}, output(widths.empty() ? inputs : widths.back(), classes) {
    for (std::int64_t width : widths) {
      hidden.emplace_back(inputs, width);
      inputs = width;
    }
  }
  Tensor operator()(Tensor x) const {
    for (const cd::nn::Linear& layer : hidden) {
      x = dropout(cd::relu(layer(x)));
    }
    return output(x);
  }
  static auto fields() { return cd::fields<&Mlp::hidden, &Mlp::dropout, &Mlp::output>{}; }
};

struct Task {
  cd::data::TensorDataset train, test;
  std::vector<std::string> classes;
};

Task load(const std::string& data) {
  if (data == "spiral") {
    return {cd::data::spirals({.arms = 3, .samples_per_arm = 1000, .seed = 1}),
            cd::data::spirals({.arms = 3, .samples_per_arm = 300, .seed = 2}),
            {"first arm", "second arm", "third arm"}};
  }
  cd::data::FashionMnist images = cd::data::load_fashion_mnist(data);
  const auto& names = cd::data::fashion_mnist_classes;
  return {std::move(images.train), std::move(images.test), {names.begin(), names.end()}};
}

std::unique_ptr<cd::optim::Optimizer> make_optimizer(const Options& options, const Mlp& model) {
  const std::vector<cd::Cell> parameters = cd::nn::parameters(model);
  const double lr = options.lr;
  if (options.optimizer == "adam") {
    return std::make_unique<cd::optim::Adam>(parameters,
                                             cd::optim::AdamOptions{.lr = lr > 0 ? lr : 1e-3});
  }
  if (options.optimizer == "sgd") {
    return std::make_unique<cd::optim::SGD>(
        parameters,
        cd::optim::SGDOptions{.lr = lr > 0 ? lr : 0.05, .momentum = 0.9, .nesterov = true});
  }
  if (options.optimizer == "rmsprop") {
    return std::make_unique<cd::optim::RMSprop>(
        parameters, cd::optim::RMSpropOptions{.lr = lr > 0 ? lr : 1e-3});
  }
  if (options.optimizer == "adagrad") {
    return std::make_unique<cd::optim::Adagrad>(
        parameters, cd::optim::AdagradOptions{.lr = lr > 0 ? lr : 0.01});
  }
  cd::fail("--optimizer: expected adam, sgd, rmsprop or adagrad, got {}", options.optimizer);
}

/// Number of right answers of each class, and the number of samples of each.
struct Score {
  std::vector<std::int64_t> right, total;
  double accuracy() const {
    std::int64_t hits = 0, all = 0;
    for (std::size_t i = 0; i < total.size(); ++i) {
      hits += right[i];
      all += total[i];
    }
    return all == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(all);
  }
};

Score evaluate(Mlp& model, const cd::data::TensorDataset& data, std::size_t classes) {
  const cd::NoGrad no_grad;
  cd::nn::eval(model);
  Score score{std::vector<std::int64_t>(classes), std::vector<std::int64_t>(classes)};
  cd::data::Loader loader(data, {.batch_size = 1000});
  for (const auto& [inputs, targets] : loader) {
    const Tensor predictions = cd::argmax(model(inputs), -1);
    const auto predicted = predictions.data<std::int64_t>();
    const auto expected = targets.data<std::int64_t>();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto label = static_cast<std::size_t>(expected[i]);
      score.total[label] += 1;
      score.right[label] += predicted[i] == expected[i] ? 1 : 0;
    }
  }
  cd::nn::train(model);
  return score;
}

void train(Mlp& model, const Task& task, const Options& options) {
  const auto optimizer = make_optimizer(options, model);
  cd::data::Loader loader(
      task.train, {.batch_size = options.batch_size, .shuffle = true, .seed = options.seed});
  const double lr = optimizer->lr();
  Progress progress(options.epochs, task.train.size());
  const auto all_steps = static_cast<double>(options.epochs * loader.size());
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (const auto& [inputs, targets] : loader) {
      // The rate falls linearly to a twentieth, which is worth about half a point of accuracy.
      optimizer->set_lr(lr * (1 - 0.95 * static_cast<double>(step++) / all_steps));
      const Tensor logits = model(inputs);
      const Tensor loss = cd::nn::cross_entropy(logits, targets);
      optimizer->zero_grad();
      loss.backward();
      optimizer->step();
      const Tensor hits = cd::sum(cd::argmax(logits.detach(), -1) == targets);
      progress.batch(targets.numel(), loss.item(), hits.item<std::int64_t>());
    }
    progress.epoch_ends(evaluate(model, task.test, task.classes.size()).accuracy());
  }
}

Options parse(int argc, char** argv) {
  Options options;
  po::options_description description(
      "fashion_mnist: trains a multilayer perceptron and prints its accuracy on test data");
  auto add = description.add_options();
  add("help,h", "print this text");
  add("data", po::value(&options.data)->default_value(""),
      "directory with the four IDX files (gzip or plain), or `spiral` to train without data; "
      "by default the system's share/datasets/fashion-mnist");
  add("epochs", po::value(&options.epochs)->default_value(12), "passes over the training data");
  add("batch-size", po::value(&options.batch_size)->default_value(128), "samples a step; 0: all");
  add("optimizer", po::value(&options.optimizer)->default_value("adam"),
      "adam, sgd, rmsprop or adagrad");
  add("lr", po::value(&options.lr)->default_value(0, "the optimizer's"), "learning rate at first");
  add("hidden", po::value(&options.hidden)->multitoken()->default_value({256, 128}, "256 128"),
      "widths of the hidden layers");
  add("dropout", po::value(&options.dropout)->default_value(0.1, "0.1"), "rate of dropout");
  add("seed", po::value(&options.seed)->default_value(0), "of weights, order and dropout");
  add("threads", po::value(&options.threads)->default_value(0, "all"), "number of threads");
  add("save", po::value(&options.save)->default_value("fashion_mnist.safetensors"),
      "file for the trained model; empty: none");
  po::variables_map values;
  po::store(po::parse_command_line(argc, argv, description), values);
  if (values.count("help") != 0) {
    std::cout << description;
    std::exit(0);
  }
  po::notify(values);
  if (options.epochs < 1 || options.batch_size < 0) {
    cd::fail("--epochs must be at least 1 and --batch-size at least 0");
  }
  if (std::any_of(options.hidden.begin(), options.hidden.end(), [](auto w) { return w < 1; })) {
    cd::fail("--hidden: widths must be at least 1");
  }
  return options;
}

void run(const Options& options) {
  if (options.threads > 0) {
    cd::set_threads(options.threads);
  }
  cd::manual_seed(options.seed);
  const Task task = load(options.data);
  Mlp model(task.train.inputs().size(1), options.hidden,
            static_cast<std::int64_t>(task.classes.size()), options.dropout);
  fmt::print("{}\n{} training samples, {} test samples, {} threads\n\n", cd::nn::summary(model),
             task.train.size(), task.test.size(), cd::threads());

  train(model, task, options);

  if (!options.save.empty()) {
    cd::io::save_safetensors(options.save, model);
    fmt::print("\nmodel saved to {}\n", options.save);
  }
  const Score score = evaluate(model, task.test, task.classes.size());
  fmt::print("\n{:<12} {:>8}\n", "class", "accuracy");
  for (std::size_t i = 0; i < task.classes.size(); ++i) {
    fmt::print("{:<12} {:>8.4f}\n", task.classes[i],
               static_cast<double>(score.right[i]) / static_cast<double>(score.total[i]));
  }
  fmt::print("test accuracy: {:.4f}\n", score.accuracy());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(parse(argc, argv));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "fashion_mnist: " << error.what() << "\n";
    return 1;
  }
}
