#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include "test.hpp"

#include <boost/math/differentiation/finite_difference.hpp>

#include <algorithm>
#include <cmath>

// The tester is tested: correct functions of many kinds pass. Wrong ones are in
// test_gradcheck_faults.cpp.

using namespace cadena;

namespace {

Tensor line(const std::vector<double>& values) {
  return from_vector(values, {static_cast<std::int64_t>(values.size())});
}

/// Reports that fail to pass are printed.
void check_passes(const GradcheckReport& report) {
  INFO(report.text());
  CHECK(report.passed());
}

constexpr GradcheckOptions second_order{.order = 2};

template <class F> void check(F&& f, const std::vector<Tensor>& inputs) {
  check_passes(gradcheck(f, inputs, second_order));
}

std::int64_t count(const GradcheckReport& report, GradcheckNote::Kind kind) {
  return std::ranges::count_if(report.notes,
                               [&](const GradcheckNote& note) { return note.kind == kind; });
}

}  // namespace

TEST_CASE("gradcheck succeeds where fixed steps fail") {
  using boost::math::differentiation::finite_difference_derivative;

  CHECK(std::isnan(finite_difference_derivative([](double x) { return std::log(x); }, 0.005)));
  check([](auto in) { return log(in[0]); }, {line({0.005, 1, 1e-8, 1e-300})});

  const double slope =
      finite_difference_derivative([](double x) { return std::sin(1000 * x); }, 0.5);
  CHECK(std::abs(slope - 1000 * std::cos(500.0)) > 600);
  check([](auto in) { return sin(1000.0 * in[0]); }, {line({0.5, 1, 0.3, -20})});

  CHECK(std::abs(finite_difference_derivative([](double x) { return std::fmax(x, 0); }, 1e-3) - 1) >
        0.25);
  const GradcheckReport report =
      gradcheck([](auto in) { return relu(in[0]); }, {line({1e-3, -1e-3, 1e-9, 1})}, second_order);
  check_passes(report);
  CHECK(report.kinks == 0);
}

TEST_CASE("gradcheck tells kinks, and accepts what lies between the slopes") {
  GradcheckReport report = gradcheck([](auto in) { return relu(in[0]); }, {line({0, 1})});
  check_passes(report);
  CHECK(report.kinks >= 1);
  REQUIRE(count(report, GradcheckNote::Kind::kink) >= 1);
  CHECK(report.notes[0].left == 0);
  CHECK(report.notes[0].right == 1);
  CHECK(report.text().find("kink") != std::string::npos);

  report = gradcheck([](auto in) { return abs(in[0]); }, {line({0})}, {.allow_kinks = false});
  CHECK(report.verdict == Verdict::failed);

  check([](auto in) { return abs(in[0]); }, {line({-5e-324, 0, 5e-324})});
  check([](auto in) { return maximum(in[0], in[1]); }, {line({1, 2, 3}), line({1, 3, 2})});
  check([](auto in) { return clamp(in[0], -1, 1); },
        {line({-1, std::nextafter(1.0, 0.0), 1, std::nextafter(1.0, 2.0), 0})});
}

TEST_CASE("gradcheck reports jumps, edges, and places without a derivative") {
  GradcheckReport report = gradcheck([](auto in) { return floor(in[0]); }, {line({2, 2.5})});
  check_passes(report);
  CHECK(count(report, GradcheckNote::Kind::jump) >= 1);

  report = gradcheck([](auto in) { return sqrt(in[0]); }, {line({0, 4})});
  check_passes(report);
  CHECK(count(report, GradcheckNote::Kind::infinite) >= 1);
  CHECK(report.singular >= 1);

  report = gradcheck([](auto in) { return log(in[0]); }, {line({0, -1, 4})});
  CHECK(report.verdict == Verdict::inconclusive);
  CHECK(count(report, GradcheckNote::Kind::not_finite) >= 2);

  report = gradcheck([](auto in) { return sqrt(in[0]) * in[0]; }, {line({1e-12, 4})});
  check_passes(report);
}

TEST_CASE("gradcheck passes correct functions of every scale") {
  check([](auto in) { return exp(in[0]); }, {line({-745, -700, 0, 1e-30, 700})});
  check([](auto in) { return 1e30 * in[0] * in[0]; }, {line({1e-30, -2e-30})});
  check([](auto in) { return sqrt(in[0]); }, {line({1e30, 2e30})});
  check([](auto in) { return in[0] * in[0]; }, {line({1e30, 2e-30, 1, 0})});
  check([](auto in) { return square(in[0] - mean(in[0])); }, {line({1e8, 1e8 + 1, 1e8 - 2})});
  check([](auto in) { return tanh(in[0]) + sigmoid(in[0]); }, {line({15, 18, -18, 40, -40, 1000})});
  check([](auto in) { return in[0] + 1e10; }, {line({1, 2})});
  check([](auto in) { return (in[0] + 1e6) - 1e6; }, {line({1, 2})});
  check([](auto in) { return exp(sin(in[0] * in[1])) / (1.0 + square(in[1])); },
        {sample_values({2, 3}, -2, 2, 1), sample_values({3}, -2, 2, 2)});
}

TEST_CASE("gradcheck passes large inputs and outputs by random directions") {
  check([](auto in) { return sum(square(in[0])); }, {sample_values({100000}, -2, 2, 1)});
  check([](auto in) { return relu(in[0]) * in[1]; },
        {sample_values({50, 40}, -1, 1, 2), sample_values({40}, -1, 1, 3)});
  // Zeros in many places, as in pictures: all directions meet kinks.
  const Tensor picture = relu(sample_values({30, 30}, -1, 1, 4));
  const GradcheckReport report =
      gradcheck([](auto in) { return relu(in[0]) * 3.0; }, {picture}, second_order);
  check_passes(report);
  CHECK(report.kinks > 0);
  CHECK(report.inputs[0].directions > 0);
}

TEST_CASE("gradcheck widens inputs, keeps their strides and leaves integers alone") {
  const Tensor x = sample_values({3, 4}, -1, 1, 1);
  std::vector<bool> strided;
  Dtype seen = Dtype::int64;
  const auto f = [&](const std::vector<Tensor>& in) {
    strided.push_back(!in[0].is_contiguous());
    seen = in[0].dtype();
    CHECK(in[1].dtype() == Dtype::int64);
    return exp(in[0]) * in[1];
  };
  const Tensor indices = tensor({{1}, {2}, {3}, {4}});
  const GradcheckReport report = gradcheck(f, {transpose(x.to(float32)), indices}, {.order = 2});
  check_passes(report);
  CHECK(strided[0]);
  CHECK(seen == Dtype::float64);
  CHECK(report.inputs[0].strided);
  CHECK(report.inputs[0].dtype == Dtype::float32);
  CHECK_FALSE(report.inputs[1].checked);

  check([](auto in) { return sin(in[0]) * in[1]; },
        {expand(sample_values({4}, -1, 1, 2), {3, 4}),
         expand(sample_values({3, 1}, -1, 1, 3), {3, 4})});
}

TEST_CASE("gradcheck reports float32 in the graph") {
  const GradcheckReport report =
      gradcheck([](auto in) { return sin(in[0]).to(float32) * in[0].to(float32); },
                {sample_values({3, 4}, -2, 2, 1)}, second_order);
  check_passes(report);
  REQUIRE_FALSE(report.warnings.empty());
  CHECK(report.warnings[0].find("float32") != std::string::npos);
}

TEST_CASE("gradcheck of several outputs, of none with a gradient, and of no elements") {
  check(
      [](auto in) {
        return std::vector<Tensor>{sin(in[0]), in[0] * in[1], in[1] < 0.5};
      },
      {line({1, 2}), line({0.25, 4})});
  check([](auto in) { return in[0].detach() * 0.0; }, {line({1, 2})});
  check([](auto in) { return in[0]; }, {zeros({0, 3}, {.dtype = float64})});
  check([](auto in) { return matmul(in[0], in[1]); },
        {zeros({0, 3}, {.dtype = float64}), sample_values({3, 2}, -1, 1, 1)});
}

TEST_CASE("gradcheck of cells") {
  const Cell weight(line({1, 2, 3}), true), untrained(line({1, 1, 1}));
  const auto f = [&](auto in) { return tanh(in[0] * weight.value() + untrained.value()); };
  const GradcheckReport report = gradcheck_cells(f, {{"weight", weight}, {"untrained", untrained}},
                                                 {line({0.5, -1, 2})}, second_order);
  check_passes(report);
  REQUIRE(report.inputs.size() == 3);
  CHECK(report.inputs[1].name == "weight");
  CHECK(report.inputs[1].elements == 6);
  CHECK_FALSE(report.inputs[2].checked);
  CHECK(weight.value().to_vector<double>() == std::vector<double>{1, 2, 3});
  CHECK_FALSE(weight.grad().defined());

  const GradcheckReport cut =
      gradcheck_cells([&](auto in) { return in[0] * weight.value().detach(); },
                      {{"weight", weight}}, {line({1, 2, 3})});
  REQUIRE(cut.verdict == Verdict::failed);
  CHECK(cut.failures[0].input == "weight");
  CHECK_FALSE(cut.failures[0].reached);
}

TEST_CASE("gradcheck is deterministic, prints and writes JSON") {
  const auto f = [](auto in) { return relu(in[0]) * in[1]; };
  const std::vector<Tensor> inputs{sample_values({20, 20}, -1, 1, 1), line({0})};
  const GradcheckReport first = gradcheck(f, inputs, {.order = 2, .seed = 5});
  CHECK(first.text() == gradcheck(f, inputs, {.order = 2, .seed = 5}).text());
  CHECK(first.to_json() == gradcheck(f, inputs, {.order = 2, .seed = 5}).to_json());
  CHECK(first.to_json() != gradcheck(f, inputs, {.order = 2, .seed = 6}).to_json());
  CHECK(fmt::format("{}", first).find("gradcheck passed (order 2)") == 0);
  CHECK(first.to_json().find("\"verdict\":\"passed\"") != std::string::npos);
}

TEST_CASE("gradcheck passes on what f throws") {
  CHECK_THROWS_AS(gradcheck([](auto in) { return in[0] + in[1]; }, {line({1, 2}), line({1, 2, 3})}),
                  Error);
}
