#include <cadena/autograd/graph/call_stack.hpp>
#include <cadena/cadena.hpp>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
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

/// x + 1, of which what a user may add throws.
struct Talkative {
  int number = 0;
  static constexpr cd::Doc doc{"talkative", "x + 1"};
  cd::Types infer(std::span<const cd::Type> in) const { return {in[0]}; }
  void run(cd::Inputs in, cd::Outputs out) const {
    for (std::int64_t i = 0; i < in[0].numel(); ++i) {
      out[0].data<float>()[i] = in[0].data<float>()[i] + 1;
    }
  }
  std::string attributes() const { throw std::runtime_error("no attributes today"); }
  double flop(std::span<const cd::Type>) const { throw std::runtime_error("no flop today"); }
  bool operator==(const Talkative&) const = default;
};

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
  check_error([&] { loss.backward(); }, {"derivative of sqrt", "no AnomalyMode saw the call"});
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
    // A number that is infinite was stated by the user; what follows may pass it on.
    const AnomalyMode mode;
    CHECK(masked()[1].item() == 0);
    const Tensor filled = cd::masked_fill(x, !mask, -infinity);
    CHECK(cd::softmax(filled * 2.0, 0)[1].item() == 0);
    cd::sum(cd::square(cd::softmax(filled, 0))).backward();
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

TEST_CASE("infinities that pass do not hide those that an operator makes") {
  const Tensor x = cd::tensor({1.0, 1000.0, 0.0}), mask = cd::tensor({true, false, false});
  const auto check = [&](const AnomalyMode&) {
    const Tensor filled = cd::masked_fill(x, mask, infinity);  // inf, 1000, 0
    CHECK(error_of([&] { filled * 2.0; }).empty());
    CHECK(error_of([&] { cd::sum(filled); }).empty());
    CHECK(error_of([&] { cd::cumsum(filled, 0); }).empty());
    check_error([&] { cd::exp(filled); }, {"exp gave an infinity", "2 infinite", "first at [1]"});
    check_error([&] { cd::log(filled); }, {"log gave an infinity", "first at [2]: -inf"});
    check_error([&] { 1.0 / filled; }, {"divide gave an infinity", "first at [2]: inf"});
    check_error(
        [&] {
          cd::sum(filled * 1e36 * cd::tensor({{1.0, 1e2, 1.0}, {0.5, 0.1, 1.0}}), {1});
        },
        {"gave an infinity"});
    const Tensor rows = cd::tensor({{3e38, 3e38}, {1.0, 2.0}});
    const Tensor second = cd::tensor({{false, false}, {true, false}});
    const Tensor mixed = cd::masked_fill(rows, second, infinity);
    check_error([&] { cd::sum(mixed, {1}); }, {"sum", "2 infinite of 2, the first at [0]: inf"});
    const Tensor root = cd::masked_fill(x, mask, infinity).detach().requires_grad_leaf();
    const Tensor roots = cd::sum(cd::sqrt(root));
    check_error([&] { roots.backward(); }, {"derivative of sqrt", "the first at [2]: inf"});
  };
  check(AnomalyMode());
  check(AnomalyMode({.allowed = {"masked_fill"}}));
  // Before one was meant, an infinity from elsewhere is an error.
  const AnomalyMode mode;
  check_error(
      [] {
        cd::exp(cd::tensor({1.0, infinity}));
      },
      {"exp gave an infinity", "an optimizer"});
}

TEST_CASE("observers end in any order") {
  const Tensor zero = cd::zeros({1});
  std::optional<AnomalyMode> mode;
  std::optional<cd::Profiler> profiler, last;
  mode.emplace();
  profiler.emplace();
  last.emplace();
  mode.reset();  // not the last that began
  CHECK(error_of([&] { cd::log(zero); }).empty());
  CHECK(profiler->report().rows.size() == 1);
  CHECK(last->report().rows.size() == 1);
  profiler.reset();
  cd::log(zero);
  CHECK(last->report().rows.at(0).count == 2);
  last.reset();
  CHECK(error_of([&] { cd::log(zero); }).empty());

  auto outer = std::make_unique<AnomalyMode>();
  auto inner = std::make_unique<AnomalyMode>(cd::AnomalyOptions{.nan = true, .infinity = false});
  outer.reset();
  CHECK(error_of([&] { cd::log(zero); }).empty());
  CHECK_FALSE(error_of([&] { cd::sqrt(zero - 1.0); }).empty());
  outer = std::make_unique<AnomalyMode>();
  inner.reset();
  CHECK_FALSE(error_of([&] { cd::log(zero); }).empty());
  outer.reset();
  CHECK(error_of([&] { cd::sqrt(zero - 1.0); }).empty());
}

TEST_CASE("what an operator's attributes or flop throw is not an operator's error") {
  const Tensor x = cd::tensor({1.0});
  const cd::Profiler outer;
  const AnomalyMode mode;
  const cd::Profiler profiler;
  const auto row_of = [](const cd::Profiler& seeing) {  // others may have taken longer
    for (const cd::ProfilerRow& row : seeing.report().rows) {
      if (row.name == "talkative") {
        return row;
      }
    }
    return cd::ProfilerRow{};
  };
  CHECK(cd::bind(Talkative{1}, x).item() == 2);
  CHECK(row_of(outer).count == 1);
  CHECK(row_of(profiler).count == 1);
  CHECK(row_of(profiler).flop < 0);
  CHECK(has(profiler.chrome_trace(), "no attributes today"));
  check_error([&] { cd::bind(Talkative{1}, cd::full({1}, infinity).contiguous()); },
              {"AnomalyMode: talkative", "no attributes today", "gave an infinity"});
  CHECK(row_of(profiler).count == 1);  // one that gave an error does not count
  CHECK(row_of(outer).count == 1);
}

TEST_CASE("gradcheck is not for the mode: its differences step over borders") {
  const Tensor x = cd::tensor({0.0, 1.0});
  const auto f = [](auto in) { return cd::sum(cd::sqrt(in[0])); };
  const cd::GradcheckReport alone = cd::gradcheck(f, {x});
  const AnomalyMode mode;
  const cd::GradcheckReport watched = cd::gradcheck(f, {x});
  CHECK(watched.singular == alone.singular);
  CHECK(watched.verdict == alone.verdict);
  CHECK(watched.problems.empty());
  CHECK_FALSE(error_of([] { cd::log(cd::zeros({1})); }).empty());
}

TEST_CASE("where a checkpoint was called is told") {
  const Tensor x = cd::tensor({0.0}, {.requires_grad = true});
  const AnomalyMode mode;
  const auto f = [](std::span<const Tensor> in) { return loss_with_sqrt(in[0]); };
  const Tensor y = cd::checkpoint(f, {x});
  const std::string text = error_of([&] { y.backward(); });
  INFO(text);
  CHECK(has(text, "as part of the derivative of checkpoint, called at"));
  CHECK_FALSE(has(text, "not known"));
}

TEST_CASE("gradients of a leaf that are added up") {
  const Tensor x = cd::tensor({1.0}, {.requires_grad = true});
  const AnomalyMode mode({.nan = true, .infinity = false});
  (x * infinity).backward(cd::ones({1}));
  check_error([&] { (x * -infinity).backward(cd::ones({1})); },
              {"add gave NaN", "in backward, where gradients of a leaf are added up"});
}

TEST_CASE("each call is told with its line, or its program and the place in it") {
  std::istringstream lines(cd::detail::CallStack::here().text(""));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    INFO(line);
    const std::size_t colon = line.rfind(':');
    CHECK((has(line, "+0x") || (has(line, " at ") && colon + 1 < line.size() &&
                                std::isdigit(static_cast<unsigned char>(line[colon + 1])))));
  }
  CHECK(count > 2);
}
