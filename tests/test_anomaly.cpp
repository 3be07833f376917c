#include <cadena/cadena.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <thread>

#include "support.hpp"

namespace cd = cadena;
using cd::AnomalyMode;
using cd::Tensor;
using support::check_error;
using support::error_of;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// Not in line: they are looked for in the calls that an Error tells.
constexpr int log_line = __LINE__ + 2;
[[gnu::noinline]] Tensor loss_with_log(const Tensor& x) {
  const Tensor y = cd::sum(cd::log(x));
  return y;
}

[[gnu::noinline]] Tensor loss_with_sqrt(const Tensor& x) {
  const Tensor y = cd::sum(cd::sqrt(x) * 2.0);
  return y;
}

bool has(const std::string& text, const std::string& word) {
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("an infinity is an error with operator, place, statistics and calls") {
  const Tensor x = cd::tensor({{1.0, 0.0, 4.0}, {2.0, 0.0, 8.0}});
  CHECK(error_of([&] { loss_with_log(x); }).empty());
  const AnomalyMode mode;
  const std::string text = error_of([&] { loss_with_log(x); });
  INFO(text);
  CHECK(text.starts_with("AnomalyMode: log gave an infinity\n"));
  CHECK(has(text,
            "output 0: float32 [2, 3], 0 NaN and 2 infinite of 6, the first at [0, 1]: -inf\n"));
  CHECK(has(text,
            "input 0: float32 [2, 3], min 0, max 8, mean 2.5, 0 NaN, 0 infinite, 2 zeros; at [0, "
            "1]: 0\n"));
  CHECK_FALSE(has(text, "bad already"));
  // The first call that is told is the user's.
  const std::size_t calls = text.find("called at\n");
  REQUIRE(calls != std::string::npos);
  const std::string first = text.substr(calls + 10, text.find('\n', calls + 10) - calls - 10);
  CHECK(has(first, "loss_with_log"));
  CHECK(has(first, fmt::format("test_anomaly.cpp:{}", log_line)));
}

TEST_CASE("a NaN that an operator was given came from elsewhere") {
  const Tensor x = cd::tensor({1.0, std::numeric_limits<double>::quiet_NaN()});
  const AnomalyMode mode;
  check_error([&] { cd::exp(x); },
              {"exp gave NaN", "input 0", "it was bad already, so it comes from elsewhere"});
  check_error([&] { cd::sum(x); }, {"sum", "bad already", "output 0: float32 [], 1 NaN"});
}

TEST_CASE("the derivative that makes an infinity is named, with where its operator was called") {
  const Tensor x = cd::tensor({4.0, 0.0}, {.dtype = cd::float64, .requires_grad = true});
  const AnomalyMode mode;
  const std::string text = error_of([&] { loss_with_sqrt(x).backward(); });
  INFO(text);
  CHECK(text.starts_with("AnomalyMode: the derivative of sqrt gave an infinity\n"));
  CHECK(has(text, "gradient of input 0 (a leaf): float64 [2], 0 NaN and 1 infinite of 2"));
  CHECK(has(text, "the first at [1]: inf"));
  CHECK(has(text, "upstream gradient 0: float64 [2], min 2, max 2"));
  CHECK(has(text, "inside of it, first: sqrt"));
  const std::size_t made = text.find("sqrt was called at\n"),
                    backward = text.find("backward was called at\n");
  REQUIRE(made != std::string::npos);
  REQUIRE(backward != std::string::npos);
  CHECK(text.find("loss_with_sqrt") > made);
  CHECK(text.find("loss_with_sqrt") < backward);
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("an operator that was called before the mode was on has no calls to tell") {
  const Tensor x = cd::tensor({0.0}, {.requires_grad = true});
  const Tensor loss = loss_with_sqrt(x);
  const AnomalyMode mode;
  check_error([&] { loss.backward(); }, {"derivative of sqrt", "no AnomalyMode was on"});
}

TEST_CASE("calls outlive the mode that noted them, and those of second derivatives lead back") {
  const Tensor x = cd::tensor({0.0}, {.dtype = cd::float64, .requires_grad = true});
  Tensor loss, first;
  {
    const AnomalyMode mode;
    loss = cd::sum(cd::pow(x, 1.5));
    first = cd::grad(loss, {x}, {.create_graph = true})[0];
  }
  const AnomalyMode mode;
  // (d/dx)^2 x^1.5 = 0.75 / sqrt(x)
  const std::string text = error_of([&] { cd::grad(cd::sum(first), {x}); });
  INFO(text);
  CHECK(has(text, "AnomalyMode: the derivative of pow"));
  CHECK(has(text, "as part of the derivative of pow, called at"));
}

TEST_CASE("a bad upstream gradient is told apart") {
  const Tensor x = cd::tensor({1.0}, {.requires_grad = true});
  const AnomalyMode mode;
  const Tensor y = cd::exp(x);
  check_error([&] { y.backward(cd::tensor({infinity})); },
              {"derivative of exp", "upstream gradient 0", "it was bad already"});
}

TEST_CASE("gradients that are added up to NaN") {
  const Tensor x = cd::tensor({1.0}, {.requires_grad = true});
  const AnomalyMode mode({.nan = true, .infinity = false});
  const Tensor y = cd::exp(x);
  const std::vector<Tensor> outputs{y * infinity, y * -infinity};
  check_error([&] { cd::backward(outputs, {}); }, {"add gave NaN", "in backward"});
}

TEST_CASE("infinities that are meant") {
  const Tensor mask = cd::tensor({true, false, true});
  const Tensor x = cd::tensor({1.0, 2.0, 3.0}, {.requires_grad = true});
  const auto masked = [&] { return cd::softmax(cd::where(mask, x, -infinity), 0); };
  {
    const AnomalyMode mode;
    check_error([&] { masked(); }, {"where gave an infinity", "input 2", "bad already"});
  }
  {
    const AnomalyMode mode({.allowed = {"where"}});
    CHECK(masked()[1].item() == 0);
    cd::sum(cd::square(masked())).backward();
    CHECK(std::isfinite(cd::sum(x.grad()).item()));
    // What was made elsewhere, or from nothing that was infinite, is an error still.
    CHECK_FALSE(error_of([] { cd::log(cd::zeros({1})); }).empty());
    CHECK_FALSE(error_of([&] { masked() * cd::where(mask, x, -infinity) * 0.0; }).empty());
  }
  const AnomalyMode mode({.infinity = false});
  CHECK(masked()[1].item() == 0);
  CHECK(std::isinf(cd::log(cd::zeros({})).item()));
  CHECK_FALSE(error_of([] { cd::sqrt(cd::full({}, -1.0)); }).empty());
}

TEST_CASE("the innermost mode counts, for its thread and the loops it starts") {
  const Tensor zero = cd::zeros({});
  const AnomalyMode outer;
  {
    const AnomalyMode inner({.nan = false, .infinity = false});
    CHECK(error_of([&] { cd::log(zero); }).empty());
  }
  CHECK_FALSE(error_of([&] { cd::log(zero); }).empty());
  std::string other = "not run";
  std::thread([&] { other = error_of([&] { cd::log(zero); }); }).join();
  CHECK(other.empty());
  const support::ThreadsGuard guard;
  cd::set_threads(4);
  check_error([&] { cd::parallel_for(16, 1, [&](auto, auto) { cd::log(zero); }); },
              {"log gave an infinity"});
}

TEST_CASE("several threads differentiate under modes of their own") {
  const support::ThreadsGuard guard;
  const Tensor x = cd::tensor({0.0, 1.0}, {.requires_grad = true});
  std::vector<std::string> texts(4);
  std::vector<std::thread> threads;
  for (std::string& text : texts) {
    threads.emplace_back([&] {
      const AnomalyMode mode;
      text = error_of([&] { loss_with_sqrt(x).backward(); });
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  for (const std::string& text : texts) {
    CHECK(has(text, "derivative of sqrt"));
  }
}

TEST_CASE("large and strided results are looked at as a whole") {
  std::vector<float> values(300'000, 1.0F);
  values.back() = 0;
  const Tensor x = cd::from_vector(values, {3, 100'000});
  const AnomalyMode mode;
  check_error([&] { cd::log(x); }, {"1 infinite of 300000, the first at [2, 99999]: -inf"});
  check_error([&] { cd::log(cd::transpose(x)); }, {"the first at [99999, 2]: -inf"});
  CHECK(error_of([&] { cd::log(cd::zeros({0, 3})); }).empty());
}

TEST_CASE("hooks, checkpoints and profilers go together with the mode") {
  const Tensor x = cd::tensor({4.0, 0.0}, {.requires_grad = true});
  const cd::Profiler profiler;
  const AnomalyMode mode;
  const auto f = [](std::span<const Tensor> in) { return cd::sum(cd::sqrt(in[0])); };
  check_error([&] { cd::checkpoint(f, {x}).backward(); }, {"derivative of sqrt"});
  check_error([&] { cd::log(x); }, {"log"});
  const Tensor y = cd::exp(x);
  const auto handle = cd::register_hook(y, [](const Tensor& g) { return cd::log(g - 1.0); });
  check_error([&] { cd::sum(y).backward(); },
              {"log gave an infinity", "in backward, where gradients at exp"});
  const cd::ProfilerReport report = profiler.report();
  CHECK(std::ranges::none_of(report.rows, [](const auto& row) { return row.name == "log"; }));
  CHECK(std::ranges::any_of(report.rows, [](const auto& row) { return row.name == "exp"; }));
}
