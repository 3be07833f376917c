#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/nn/dropout.hpp>
#include <cadena/nn/gradcheck.hpp>
#include <cadena/nn/linear.hpp>

#include "test.hpp"

#include <cmath>
#include <limits>

// A check that compared nothing does not pass, and one of something that is no function says so.

using namespace cadena;

namespace {

using TensorList = std::vector<Tensor>;

Tensor line(const std::vector<double>& values) {
  return from_vector(values, {static_cast<std::int64_t>(values.size())});
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// x with three times its gradient.
struct Tripled {
  static constexpr Doc doc{"tripled", "x"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    for (std::int64_t i = 0; i < in[0].numel(); ++i) {
      out[0].data<double>()[i] = in[0].data<double>()[i];
    }
  }
  Gradients vjp(const Backward& b) const { return {b.grad() * 3.0}; }
  bool operator==(const Tripled&) const = default;
};

template <class F> void check_not_compared(F&& f, const Tensor& x, const std::string& why) {
  const GradcheckReport report = gradcheck(f, {x});
  INFO(report.text());
  CHECK(report.verdict == Verdict::inconclusive);
  REQUIRE_FALSE(report.gaps.empty());
  CHECK(contains(report.text(), "not compared: " + why));
  CHECK(contains(report.to_json(), why));
}

struct Dropping {
  nn::Linear linear{3, 3};
  nn::Dropout dropout;
  Tensor operator()(const Tensor& x) const { return dropout(linear(x)); }
};

}  // namespace

TEST_CASE("gradcheck refuses options that would check nothing") {
  const auto f = [](const TensorList& in) { return in[0] * in[0]; };
  const Tensor x = sample_values({400}, -1, 1, 1);
  const auto refused = [&](const GradcheckOptions& options, const std::string& name) {
    try {
      gradcheck(f, {x}, options);
      FAIL("accepted");
    } catch (const Error& error) {
      CHECK(contains(error.what(), name));
    }
  };
  refused({.order = 3}, "order");
  refused({.max_elements = 0}, "max_elements");
  refused({.max_elements = -1}, "max_elements");
  refused({.directions = -1}, "directions");
  refused({.sampled_elements = -8}, "sampled_elements");
  refused({.directions = 0, .sampled_elements = 0}, "directions or sampled_elements");
  refused({.tolerance = -1e-8}, "tolerance");
  refused({.tolerance = std::numeric_limits<double>::quiet_NaN()}, "tolerance");
  refused({.tolerance = std::numeric_limits<double>::infinity()}, "tolerance");
  refused({.max_failures = 0}, "max_failures");
  CHECK(gradcheck(f, {x}, {.directions = 0, .sampled_elements = 1}).passed());
  CHECK(gradcheck(f, {x}, {.directions = 1, .sampled_elements = 0}).passed());
}

TEST_CASE("gradcheck refuses functions with nothing to check") {
  const auto twice = [](const TensorList& in) { return in[0] * 2; };
  CHECK_THROWS_AS(gradcheck(twice, {tensor({1, 2})}), Error);
  CHECK_THROWS_AS(gradcheck([](const TensorList&) { return line({1}); }, {}), Error);
  const auto below = [](const TensorList& in) { return in[0] < 1.0; };
  CHECK_THROWS_AS(gradcheck(below, {line({1, 2})}), Error);
  const Cell fixed(line({1, 2}));
  const auto f = [&](const TensorList&) { return fixed.value() * 2.0; };
  CHECK_THROWS_AS(gradcheck_cells(f, {{"fixed", fixed}}, {}), Error);
}

TEST_CASE("gradcheck that could compare nothing is inconclusive") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  check_not_compared([](const TensorList& in) { return in[0] * nan; }, line({1, 2, 3}),
                     "3 of 3 elements of the outputs are infinite or NaN");
  check_not_compared([](const TensorList& in) { return log(-abs(in[0])); },
                     sample_values({12}, -1, 1, 1),
                     "12 of 12 elements of the outputs are infinite or NaN");
  check_not_compared([](const TensorList& in) { return log(bind(Tripled{}, in[0])); },
                     line({-1, -2}), "2 of 2 elements of the outputs are infinite or NaN");
  check_not_compared([](const TensorList& in) { return log(in[0]); }, line({0, 4}),
                     "1 of 2 elements of the outputs are infinite or NaN");
  check_not_compared([](const TensorList& in) { return sqrt(in[0]); }, line({0}),
                     "order 1: no gradient of input 0 was compared");
}

TEST_CASE("gradcheck does not pass on differences that are all rounding") {
  // The gradient is half of what it should be.
  const auto report_at = [](double offset) {
    return gradcheck([=](const TensorList& in) { return in[0] * in[0].detach() + offset; },
                     {line({-0.254, 0.7})});
  };
  CHECK(report_at(1e6).verdict == Verdict::failed);
  for (const double offset : {1e13, 1e15, 1e20}) {
    const GradcheckReport report = report_at(offset);
    INFO(report.text());
    CHECK_FALSE(report.passed());
  }
  CHECK(report_at(1e15).unresolved == 2);
  // Beside derivatives that are known, or changes that are, tiny ones may drown.
  CHECK(gradcheck([](const TensorList& in) { return tanh(in[0]); }, {line({1, 15, 20, 40})})
            .passed());
  CHECK(gradcheck([](const TensorList& in) { return square(in[0]); }, {line({5e-324})}).passed());
}

TEST_CASE("gradcheck of what is random fails at once and says why") {
  const double p = GENERATE(0.1, 0.5, 0.9);
  const std::int64_t size = GENERATE(1, 2, 4);
  const GeneratorState before = default_generator().state();
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    manual_seed(seed);
    const GradcheckReport report =
        gradcheck([=](const TensorList& in) { return dropout(in[0], p); },
                  {sample_values({size}, 1, 2, seed)});
    INFO(report.text());
    CHECK(report.verdict == Verdict::failed);
    CHECK(report.failures.empty());
    REQUIRE(report.problems.size() == 1);
    CHECK(contains(report.problems[0], "two calls with the same inputs give different values"));
    CHECK(contains(report.problems[0], "nn::eval(model)"));
    CHECK_FALSE(contains(report.text(), "no operator is wrong"));
    CHECK(report.evaluations < 200);
    CHECK(default_generator().state() == GeneratorState{seed, 0});
  }
  default_generator().set_state(before);
}

TEST_CASE("gradcheck notices a function that keeps a state") {
  double calls = 0;
  GradcheckReport report =
      gradcheck([&](const TensorList& in) { return in[0] * (calls += 1); }, {line({1, 2})});
  REQUIRE(report.verdict == Verdict::failed);
  CHECK(contains(report.problems[0], "different values"));

  int count = 0;  // later than the first calls
  report = gradcheck([&](const TensorList& in) { return in[0] * (++count < 20 ? 1.0 : 2.0); },
                     {line({1, 2, 3, 4})});
  REQUIRE(report.verdict == Verdict::failed);
  CHECK(report.failures.empty());
  CHECK(contains(report.problems[0], "different values"));
}

TEST_CASE("gradcheck leaves the generators of a model as they were") {
  Dropping model;
  model.dropout.generator = Generator(3);
  const auto f = [](const Dropping& m, const TensorList& in) { return m(in[0]); };
  const Tensor x = sample_values({2, 3}, -1, 1, 1);
  CHECK(nn::gradcheck(model, f, {x}).verdict == Verdict::failed);
  CHECK(model.dropout.generator.state() == GeneratorState{3, 0});
  nn::eval(model);
  CHECK(nn::gradcheck(model, f, {x}).passed());
}

TEST_CASE("gradcheck puts cells back, whatever the function does to them") {
  const Cell weight(line({1, 2, 3}), true);
  const auto check = [&](auto&& change) {
    const auto f = [&](const TensorList& in) {
      const Tensor y = in[0] * weight.value();
      change();
      return y;
    };
    const GradcheckReport report =
        gradcheck_cells(f, {{"weight", weight}}, {line({2, 3, 4})}, {.order = 2});
    INFO(report.text());
    CHECK(report.passed());
    CHECK(weight.value().dtype() == Dtype::float64);
    CHECK(weight.requires_grad());
    CHECK(weight.value().to_vector<double>() == std::vector<double>{1, 2, 3});
  };
  check([&] { weight.reset(zeros({2})); });
  check([&] { weight.reset(weight.value().detach().to(float32)); });
  check([&] { weight.assign(zeros({3}, {.dtype = float64})); });
  const auto throws = [&](const TensorList& in) -> Tensor {
    weight.reset(zeros({2}));
    return in[0] * weight.value();
  };
  CHECK_THROWS_AS(gradcheck_cells(throws, {{"weight", weight}}, {line({2, 3, 4})}), Error);
  CHECK(weight.value().to_vector<double>() == std::vector<double>{1, 2, 3});
}

TEST_CASE("gradcheck traces NaN to the operator with an infinite derivative") {
  const auto check = [](const auto& f, const Tensor& x, const std::string& name) {
    const GradcheckReport report = gradcheck(f, {x});
    INFO(report.text());
    CHECK(report.verdict == Verdict::failed);
    REQUIRE(report.culprit);
    CHECK(report.culprit->name == name);
    CHECK(contains(report.culprit->problem, "its derivative is infinite here"));
    CHECK(contains(report.text(), "gradient  nan"));
    CHECK_FALSE(contains(report.text(), "-nan"));
    CHECK_FALSE(contains(report.to_json(), "-nan"));
  };
  check([](const TensorList& in) { return sqrt(sum(square(in[0]))); }, line({0, 0}), "sqrt");
  check([](const TensorList& in) { return pow(abs(in[0]), 1.0 / 3); }, line({0, 1}), "pow");
  // Another way from the output, and one operator behind the culprit.
  check(
      [](const TensorList& in) {
        const Tensor length = sqrt(sum(square(in[0])));
        return 2.0 * length + sum(in[0] * 3.0);
      },
      line({0, 0}), "sqrt");
}

TEST_CASE("gradcheck fails when outputs change their shape or number") {
  const auto check = [](const auto& f) {
    const GradcheckReport report = gradcheck(f, {line({1})});
    INFO(report.text());
    REQUIRE(report.verdict == Verdict::failed);
    REQUIRE_FALSE(report.problems.empty());
    CHECK(contains(report.problems[0], "outputs change their number, dtype or shape"));
  };
  check([](const TensorList& in) {
    return in[0].item<double>() > 1 ? reshape(in[0], {1, 1}) : in[0];
  });
  check([](const TensorList& in) {
    return in[0].item<double>() == 1 ? TensorList{in[0]} : TensorList{in[0], in[0]};
  });
}

TEST_CASE("gradcheck accepts the slope of one side close beside a kink") {
  const auto f = [](const TensorList& in) { return clamp(in[0], -1, 1); };
  const Tensor beside = line({1 + 1e-12, 1 - 1e-12, -1 + 1e-12, -1 - 1e-12});
  const GradcheckReport report = gradcheck(f, {beside});
  INFO(report.text());
  CHECK(report.passed());
  CHECK(report.kinks >= 4);
  CHECK_FALSE(contains(report.text(), "-0 |"));
  CHECK_FALSE(contains(report.text(), "| -0\n"));
  CHECK_FALSE(gradcheck([&](const TensorList& in) { return f({bind(Tripled{}, in[0])}); }, {beside})
                  .passed());
}

TEST_CASE("gradcheck of sums that cancel out") {
  const Tensor x = sample_values({30, 40}, -1, 1, 1);
  const auto f = [](const TensorList& in) { return sum(in[0] - mean(in[0])); };
  for (const Tensor& given : {x, transpose(x)}) {
    const GradcheckReport report = gradcheck(f, {given});
    INFO(report.text());
    CHECK(report.passed());
    CHECK_FALSE(contains(report.text(), "meet kinks"));
  }
}

TEST_CASE("gradcheck names leaves in the graph, and prints like a string") {
  const nn::Linear linear(3, 2);
  const auto f = [](const nn::Linear& m, const TensorList& in) {
    return m(in[0]) * m.bias.value().detach();
  };
  const GradcheckReport report = nn::gradcheck(linear, f, {sample_values({3, 3}, -1, 1, 1)});
  INFO(report.text());
  CHECK(contains(report.text(), "leaf {weight}"));
  CHECK(contains(report.text(), "leaf {bias}"));
  CHECK(contains(report.text(), "leaf {input 0}"));
  CHECK(fmt::format("{:.9}", report) == "gradcheck");
}
