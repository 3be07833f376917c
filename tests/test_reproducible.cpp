#include <cadena/cadena.hpp>

#include <atomic>

#include "support.hpp"

namespace cd = cadena;
using cd::assert_reproducible;
using cd::Tensor;
using support::check_error;
using support::error_of;

namespace {

/// x, with an element that tells the number of threads.
struct Planted {
  std::int64_t element;
  static constexpr cd::Doc doc{"planted", "x + threads at one element"};
  cd::Types infer(std::span<const cd::Type> in) const { return {in[0]}; }
  void run(cd::Inputs in, cd::Outputs out) const {
    const float* x = in[0].data<float>();
    float* y = out[0].data<float>();
    std::copy(x, x + in[0].numel(), y);
    y[element] += static_cast<float>(cd::threads() > 1);
  }
  cd::Gradients vjp(const cd::Backward& b) const { return {cd::bind(*this, b.grad())}; }
  bool operator==(const Planted&) const = default;
};

struct Model {
  cd::nn::Linear hidden{8, 16};
  cd::nn::Dropout dropout;
  cd::nn::Linear output{16, 3};
  Tensor operator()(const Tensor& x) const { return output(dropout(cd::tanh(hidden(x)))); }
};

}  // namespace

TEST_CASE("a training step is reproducible and leaves all as it was") {
  const support::ThreadsGuard guard;
  cd::set_threads(2);
  Model model;
  const Tensor x = cd::rand({32, 8}), labels = cd::randint(0, 3, {32});
  cd::optim::Adam optimizer(cd::nn::parameters(model), {.lr = 0.1});
  const auto step = [&] {
    optimizer.zero_grad();
    const Tensor loss = cd::nn::cross_entropy(model(x), labels);
    loss.backward();
    optimizer.step();
    return loss;
  };
  step();
  std::vector<cd::NamedCell> cells = cd::nn::named_parameters(model);
  const std::vector<cd::NamedCell> state = optimizer.named_state();
  cells.insert(cells.end(), state.begin(), state.end());
  const std::vector<double> weight = support::values(model.hidden.weight.value());
  const std::vector<double> gradient = support::values(model.hidden.weight.grad());
  const cd::GeneratorState random = cd::default_generator().state();

  const cd::ReproducibleReport report = assert_reproducible(step, cells);
  CHECK(report.runs == 4);
  CHECK(report.operators > 8);
  CHECK(report.cells == std::ssize(cells));
  CHECK(support::values(model.hidden.weight.value()) == weight);
  CHECK(support::values(model.hidden.weight.grad()) == gradient);
  CHECK(cd::default_generator().state() == random);
  CHECK(optimizer.steps() == 1);
  CHECK(cd::threads() == 2);

  // Without the optimizer's own state the step is another each time.
  check_error([&] { assert_reproducible(step, cd::nn::named_parameters(model)); },
              {"hidden.weight", "the number of threads is the same"});
}

TEST_CASE("the first operator whose bits depend on the number of threads is named") {
  const support::ThreadsGuard guard;
  const Tensor x = cd::ones({4, 5}, {.requires_grad = true});
  const auto forward = [&] {
    const Tensor y = cd::exp(x * 0.0);
    cd::sum(cd::bind(Planted{7}, y));
  };
  const std::string text = error_of([&] { assert_reproducible(forward); });
  INFO(text);
  CHECK(text.find("operator 2, planted(float32 [4, 5]), gives other bits with 1 thread and with "
                  "2\n") != std::string::npos);
  CHECK(text.find("output 0: float32 [4, 5], 1 of 20 elements differ, the first at [1, 2]: 1 with "
                  "1 thread, 2 with 2") != std::string::npos);
  const cd::Cell cell(cd::ones({4, 5}), true);
  const auto backward = [&] {
    const Tensor z = cd::where(cd::threads() > 0, cell.value(), 0.0);
    cd::sum(cd::square(z)).backward(cd::bind(Planted{0}, cd::ones({1})).contiguous()[0]);
  };
  check_error([&] { assert_reproducible(backward, std::vector{cell}); }, {"planted"});
  CHECK_FALSE(cell.grad().defined());
  CHECK_NOTHROW(assert_reproducible(forward, std::vector<cd::Cell>(), {.threads = {2, 8}}));
}

TEST_CASE("what is no operator: random numbers, cells, other state") {
  const support::ThreadsGuard guard;
  const Tensor x = cd::ones({3});
  const cd::Generator own(5);
  const auto draws = [&] { cd::exp(cd::rand({3}, {}, own)); };
  check_error([&] { assert_reproducible(draws); },
              {"assert_reproducible: not repeatable: ", "rand", "inputs differ already",
               "the number of threads is the same"});
  CHECK_NOTHROW(assert_reproducible(draws, std::vector<cd::Cell>(), {.generators = {own}}));
  CHECK(own.state().counter > 0);

  const cd::Cell cell(cd::zeros({}));
  check_error(
      [&] {
        assert_reproducible([&] { cell.assign(cd::full({}, cd::threads())); }, std::vector{cell});
      },
      {"value of cell 0 has other bits with 1 thread and with 2", "1 with 1 thread, 2 with 2"});
  CHECK(cell.value().item() == 0);

  check_error([&] { assert_reproducible([&] { cd::threads() > 4 ? cd::exp(x) : cd::sin(x); }); },
              {"operator 0 is sin or exp with 1 thread and with 8"});
  int calls = 0;
  check_error([&] { assert_reproducible([&] { calls++ > 0 ? cd::exp(x) : x; }); },
              {"operator 0 is none or exp"});
  check_error([] { assert_reproducible(nullptr); }, {"empty"});
  check_error([] { assert_reproducible([] {}); }, {"nothing to compare"});
  check_error([] { assert_reproducible([] {}, std::vector<cd::Cell>(), {.threads = {}}); },
              {"threads"});
}

TEST_CASE("operators of loops have no order and are compared as a set") {
  const support::ThreadsGuard guard;
  const auto loop = [](bool planted) {
    return [planted] {
      cd::parallel_for(32, 1, [&](std::int64_t i, std::int64_t) {
        const Tensor x = cd::full({4}, static_cast<double>(i));
        const Tensor y = cd::exp(planted && i == 20 ? cd::bind(Planted{3}, x) : cd::sin(x));
      });
    };
  };
  CHECK(assert_reproducible(loop(false)).operators == 64);
  check_error([&] { assert_reproducible(loop(true)); },
              {"planted(float32 [4])",
               "1 of 4 elements differ, the first at [3]: 20 with 1 thread, "
               "21 with"});
}

TEST_CASE("an error of the step passes, and the state is put back") {
  const support::ThreadsGuard guard;
  cd::set_threads(3);
  const cd::Cell cell(cd::zeros({}));
  check_error(
      [&] {
        assert_reproducible(
            [&] {
              cell.assign(cd::ones({}));
              cd::matmul(cd::ones({2, 3}), cd::ones({2, 3}));
            },
            std::vector{cell});
      },
      {"matmul"});
  CHECK(cell.value().item() == 0);
  CHECK(cd::threads() == 3);
}
