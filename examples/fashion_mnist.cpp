// Trains a multilayer perceptron on Fashion-MNIST (or on spirals, without any data), saves it, and
// prints its accuracy on the test images.

#include "progress.hpp"

#include <cadena/cadena.hpp>

#include <boost/program_options.hpp>

#include <fmt/ranges.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <system_error>

namespace cd = cadena;
namespace po = boost::program_options;
using cd::Tensor;

namespace {

struct Options {
  std::string data, save, optimizer;
  std::vector<std::int64_t> hidden;
  std::int64_t epochs = 0, batch_size = 0, seed = 0;
  std::optional<int> threads;
  std::optional<double> lr;
  double dropout = 0;
  bool eager = false;
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
  std::string unit;  // what a sample is called
};

Task load(const std::string& data) {
  if (data == "spiral") {
    return {cd::data::spirals({.arms = 3, .samples_per_arm = 1000, .seed = 1}),
            cd::data::spirals({.arms = 3, .samples_per_arm = 300, .seed = 2}),
            {"first arm", "second arm", "third arm"},
            "points"};
  }
  cd::data::FashionMnist images = cd::data::load_fashion_mnist(data);
  const auto& names = cd::data::fashion_mnist_classes;
  return {std::move(images.train), std::move(images.test), {names.begin(), names.end()}, "images"};
}

std::unique_ptr<cd::optim::Optimizer> make_optimizer(const Options& options, const Mlp& model) {
  const std::vector<cd::Cell> parameters = cd::nn::parameters(model);
  const auto lr = [&](double usual) { return options.lr.value_or(usual); };
  if (options.optimizer == "adam") {
    return std::make_unique<cd::optim::Adam>(parameters, cd::optim::AdamOptions{.lr = lr(1e-3)});
  }
  if (options.optimizer == "sgd") {
    return std::make_unique<cd::optim::SGD>(
        parameters, cd::optim::SGDOptions{.lr = lr(0.05), .momentum = 0.9, .nesterov = true});
  }
  if (options.optimizer == "rmsprop") {
    return std::make_unique<cd::optim::RMSprop>(parameters,
                                                cd::optim::RMSpropOptions{.lr = lr(1e-3)});
  }
  return std::make_unique<cd::optim::Adagrad>(parameters,
                                              cd::optim::AdagradOptions{.lr = lr(0.01)});
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

struct Step {
  Tensor loss, hits;
};

void train(Mlp& model, const Task& task, const Options& options) {
  const auto optimizer = make_optimizer(options, model);
  cd::data::Loader loader(task.train, {.batch_size = options.batch_size,
                                       .shuffle = true,
                                       .seed = static_cast<std::uint64_t>(options.seed)});
  const auto training_step = [&](const Tensor& inputs, const Tensor& targets) {
    const Tensor logits = model(inputs);
    const Tensor loss = cd::nn::cross_entropy(logits, targets);
    optimizer->zero_grad();
    loss.backward();
    optimizer->step();
    return Step{loss.detach(), cd::sum(cd::argmax(logits.detach(), -1) == targets)};
  };
  const auto compiled_step = cd::compile(training_step);
  const double lr = optimizer->lr();
  Progress progress(options.epochs, task.train.size(), task.unit);
  const auto all_steps = static_cast<double>(options.epochs * loader.size());
  std::int64_t step = 0;
  for (std::int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (const auto& [inputs, targets] : loader) {
      // The rate falls linearly to a twentieth, which is worth about half a point of accuracy.
      optimizer->set_lr(lr * (1 - 0.95 * static_cast<double>(step++) / all_steps));
      const auto [loss, hits] =
          options.eager ? training_step(inputs, targets) : compiled_step(inputs, targets);
      progress.batch(targets.numel(), loss.item(), hits.item<std::int64_t>());
    }
    progress.epoch_ends(evaluate(model, task.test, task.classes.size()).accuracy());
  }
}

/// Error unless it holds: what the option takes, and what it was given.
template <class Value>
void expect(bool holds, const char* option, const char* expected, const Value& given) {
  if (!holds) {
    cd::fail("{}: expected {}, got {}", option, expected, given);
  }
}

/// Error if the trained model could not be saved there, before the time for training is spent.
void check_save(const std::string& path) {
  namespace fs = std::filesystem;
  const fs::path parent = fs::path(path).parent_path();
  const fs::path directory = parent.empty() ? fs::path(".") : parent;
  std::error_code ignored;
  expect(!fs::is_directory(path, ignored), "--save", "a file, not a directory", path);
  if (access(directory.c_str(), W_OK | X_OK) != 0) {
    cd::fail("--save: no file can be written in {}: {}", directory.string(),
             std::generic_category().message(errno));
  }
}

void check(const Options& options) {
  const auto& o = options;
  expect(o.epochs >= 1, "--epochs", "at least 1", o.epochs);
  expect(o.batch_size >= 0, "--batch-size", "at least 1, or 0 for all samples", o.batch_size);
  expect(o.seed >= 0, "--seed", "at least 0", o.seed);
  expect(o.dropout >= 0 && o.dropout < 1, "--dropout", "a rate in [0, 1)", o.dropout);
  for (const std::int64_t width : o.hidden) {
    expect(width >= 1, "--hidden", "widths of at least 1", width);
  }
  constexpr const char* names[] = {"adam", "sgd", "rmsprop", "adagrad"};
  expect(std::count(std::begin(names), std::end(names), o.optimizer) > 0, "--optimizer",
         "adam, sgd, rmsprop or adagrad", o.optimizer);
  if (o.lr) {
    expect(*o.lr > 0 && std::isfinite(*o.lr), "--lr", "a finite number above 0", *o.lr);
  }
  if (o.threads) {
    expect(*o.threads >= 1, "--threads", "at least 1", *o.threads);
  }
  if (!o.save.empty()) {
    check_save(o.save);
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
  add("lr", po::value<double>(), "learning rate at first; by default one that suits the optimizer");
  add("hidden", po::value(&options.hidden)->multitoken()->default_value({256, 128}, "256 128"),
      "widths of the hidden layers");
  add("dropout", po::value(&options.dropout)->default_value(0.1, "0.1"), "rate of dropout");
  add("seed", po::value(&options.seed)->default_value(0), "of weights, order and dropout");
  add("threads", po::value<int>(), "number of threads; by default all");
  add("eager", po::bool_switch(&options.eager),
      "run training steps operator by operator instead of as one compiled program");
  add("save", po::value(&options.save)->default_value("fashion_mnist.safetensors"),
      "file for the trained model; --save \"\" saves none");
  const po::parsed_options parsed = po::parse_command_line(argc, argv, description);
  for (const po::option& option : parsed.options) {
    expect(option.position_key < 0, "arguments", "options such as --epochs 3",
           fmt::format("{}", fmt::join(option.original_tokens, " ")));
  }
  po::variables_map values;
  po::store(parsed, values);
  if (values.count("help") != 0) {
    std::cout << description;
    std::exit(0);
  }
  po::notify(values);
  if (values.count("lr") != 0) {
    options.lr = values["lr"].as<double>();
  }
  if (values.count("threads") != 0) {
    options.threads = values["threads"].as<int>();
  }
  check(options);
  return options;
}

/// Saves the model; what went wrong, if anything did.
std::string save(const Mlp& model, const std::string& path) {
  try {
    cd::io::save_safetensors(path, model);
    fmt::print("\nmodel saved to {}\n", path);
    return {};
  } catch (const cd::Error& error) {
    return error.what();
  }
}

/// Trains, saves and prints the accuracy; gives the program's status.
int run(const Options& options) {
  if (options.threads) {
    cd::set_threads(*options.threads);
  }
  cd::manual_seed(static_cast<std::uint64_t>(options.seed));
  const Task task = load(options.data);
  Mlp model(task.train.inputs().size(1), options.hidden,
            static_cast<std::int64_t>(task.classes.size()), options.dropout);
  fmt::print("{}\n{} training samples, {} test samples, {} threads\n\n", cd::nn::summary(model),
             task.train.size(), task.test.size(), cd::threads());

  train(model, task, options);

  const std::string not_saved = options.save.empty() ? "" : save(model, options.save);
  const Score score = evaluate(model, task.test, task.classes.size());
  fmt::print("\n{:<12} {:>8}\n", "class", "accuracy");
  for (std::size_t i = 0; i < task.classes.size(); ++i) {
    fmt::print("{:<12} {:>8.4f}\n", task.classes[i],
               static_cast<double>(score.right[i]) / static_cast<double>(score.total[i]));
  }
  fmt::print("test accuracy: {:.4f}\n", score.accuracy());
  if (not_saved.empty()) {
    return 0;
  }
  std::fflush(stdout);
  std::cerr << "error: the model is not saved: " << not_saved << "\n";
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(parse(argc, argv));
  } catch (const std::exception& error) {
    std::cerr << "error: " << error.what() << "\n";
    return 1;
  }
}
