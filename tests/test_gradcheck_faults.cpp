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
#include <cadena/autograd/ops/trigonometric.hpp>

#include "test.hpp"

#include <algorithm>
#include <cmath>

// The tester is tested: each operator here has one fault, and gradcheck must catch it inside of a
// larger expression and name it.

using namespace cadena;

namespace {

/// Elementwise on equal float64 shapes; the derived struct has doc, value(...) and vjp.
template <class Op> struct Scalar {
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    for (std::int64_t i = 0; i < out[0].numel(); ++i) {
      if constexpr (requires { Op::value(0.0); }) {
        out[0].data<double>()[i] = Op::value(in[0].data<double>()[i]);
      } else {
        out[0].data<double>()[i] = Op::value(in[0].data<double>()[i], in[1].data<double>()[i]);
      }
    }
  }
  bool operator==(const Scalar&) const = default;
};

struct WrongSign : Scalar<WrongSign> {
  static constexpr Doc doc{"wrong_sign", "cos x"};
  static double value(double x) { return std::cos(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * sin(b.in(0))}; }
};

struct MissingFactor : Scalar<MissingFactor> {
  static constexpr Doc doc{"missing_factor", "x^2"};
  static double value(double x) { return x * x; }
  Gradients vjp(const Backward& b) const { return {b.grad() * b.in(0)}; }
};

struct SlightlyOff : Scalar<SlightlyOff> {
  static constexpr Doc doc{"slightly_off", "sin x"};
  static double value(double x) { return std::sin(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * cos(b.in(0)) * (1 + 1e-4)}; }
};

struct SwappedOperands : Scalar<SwappedOperands> {
  static constexpr Doc doc{"swapped_operands", "x y"};
  static double value(double x, double y) { return x * y; }
  Gradients vjp(const Backward& b) const { return {b.grad() * b.in(0), b.grad() * b.in(1)}; }
};

struct OneWrongElement : Scalar<OneWrongElement> {
  static constexpr Doc doc{"one_wrong_element", "e^x"};
  static double value(double x) { return std::exp(x); }
  Gradients vjp(const Backward& b) const {
    std::vector<double> factor(static_cast<std::size_t>(b.in(0).numel()), 1);
    factor[5] = 1.01;
    return {b.grad() * exp(b.in(0)) * from_vector(factor, b.in_shape(0))};
  }
};

struct WrongForNegative : Scalar<WrongForNegative> {
  static constexpr Doc doc{"wrong_for_negative", "|x|^3"};
  static double value(double x) { return std::abs(x * x * x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * 3.0 * square(b.in(0))}; }
};

struct StaleValue : Scalar<StaleValue> {
  static constexpr Doc doc{"stale_value", "tanh x"};
  static double value(double x) { return std::tanh(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * (1.0 - square(b.in(0)))}; }
};

struct ZeroGradient : Scalar<ZeroGradient> {
  static constexpr Doc doc{"zero_gradient", "sin x"};
  static double value(double x) { return std::sin(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * 0.0}; }
};

struct NoGradient : Scalar<NoGradient> {
  static constexpr Doc doc{"no_gradient", "x y"};
  static double value(double x, double y) { return x * y; }
  Gradients vjp(const Backward& b) const { return {b.grad() * b.in(1), Tensor()}; }
};

struct KinkOnWrongSide : Scalar<KinkOnWrongSide> {
  static constexpr Doc doc{"kink_on_wrong_side", "max(x, 0)"};
  static double value(double x) { return std::fmax(x, 0); }
  Gradients vjp(const Backward& b) const { return {b.grad() * (b.in(0) < 0.0).to(float64)}; }
};

struct WrongSubgradient : Scalar<WrongSubgradient> {
  static constexpr Doc doc{"wrong_subgradient", "max(x, 0)"};
  static double value(double x) { return std::fmax(x, 0); }
  Gradients vjp(const Backward& b) const {
    const Tensor x = b.in(0);
    return {b.grad() * ((x > 0.0).to(float64) + 2.0 * (x == 0.0).to(float64))};
  }
};

/// d/dx is right; its own derivative is cut off.
struct CutSecond : Scalar<CutSecond> {
  static constexpr Doc doc{"cut_second", "sin x"};
  static double value(double x) { return std::sin(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * cos(b.in(0).detach())}; }
};

/// d/dx is right; it uses an operator whose own derivative is wrong.
struct WrongSecond : Scalar<WrongSecond> {
  static constexpr Doc doc{"wrong_second", "sin x"};
  static double value(double x) { return std::sin(x); }
  Gradients vjp(const Backward& b) const { return {b.grad() * bind(WrongSign{}, b.in(0))}; }
};

struct UpstreamTwice : Scalar<UpstreamTwice> {
  static constexpr Doc doc{"upstream_squared", "sin x"};
  static double value(double x) { return std::sin(x); }
  Gradients vjp(const Backward& b) const { return {abs(b.grad()) * cos(b.in(0))}; }
};

struct Transposed {
  static constexpr Doc doc{"transposed", "x x^T of a square x, by rows"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const std::int64_t n = in[0].size(0);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = 0; j < n; ++j) {
        out[0].data<double>()[i * n + j] = std::sin(in[0].data<double>()[j * n + i]);
      }
    }
  }
  Gradients vjp(const Backward& b) const { return {b.grad() * cos(b.in(0))}; }
  bool operator==(const Transposed&) const = default;
};

/// Adds a row to each row; the gradient of the row is not summed.
struct NotReduced {
  static constexpr Doc doc{"not_reduced", "x + row"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const std::int64_t n = in[1].numel();
    for (std::int64_t i = 0; i < in[0].numel(); ++i) {
      out[0].data<double>()[i] = in[0].data<double>()[i] + in[1].data<double>()[i % n];
    }
  }
  Gradients vjp(const Backward& b) const { return {b.grad(), b.grad()}; }
  bool operator==(const NotReduced&) const = default;
};

/// A sample variance, differentiated as if divided by n.
struct WrongCount {
  int ddof;
  static constexpr Doc doc{"wrong_count", "sum of (x - mean)^2 / (n - ddof)"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, {}}}; }
  void run(Inputs in, Outputs out) const {
    const double* x = in[0].data<double>();
    const std::int64_t n = in[0].numel();
    double mean = 0, squares = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      mean += x[i] / static_cast<double>(n);
    }
    for (std::int64_t i = 0; i < n; ++i) {
      squares += (x[i] - mean) * (x[i] - mean);
    }
    *out[0].data<double>() = squares / static_cast<double>(n - ddof);
  }
  Gradients vjp(const Backward& b) const {
    const Tensor x = b.in(0);
    return {b.grad() * 2.0 * (x - mean(x)) / static_cast<double>(x.numel())};
  }
  std::string attributes() const { return fmt::format("ddof {}", ddof); }
  bool operator==(const WrongCount&) const = default;
};

struct NoDerivative : Scalar<NoDerivative> {
  static constexpr Doc doc{"no_derivative", "sin x"};
  static double value(double x) { return std::sin(x); }
};

const Tensor matrix = sample_values({3, 3}, -1.5, 1.5, 1);
const Tensor other = sample_values({3, 3}, -1.5, 1.5, 2);

/// A larger expression around an operator of one input.
template <class Op>
GradcheckReport inside(Op op, const std::vector<Tensor>& inputs, int order = 1) {
  const auto f = [op](const std::vector<Tensor>& in) {
    const Tensor before = tanh(in[0] * 1.25) + in[0];
    return exp(sin(bind(op, before)) * 0.5);
  };
  return gradcheck(f, inputs, {.order = order});
}

/// And around one of two.
template <class Op> GradcheckReport inside_two(Op op, const std::vector<Tensor>& inputs) {
  const auto f = [op](const std::vector<Tensor>& in) {
    return exp(sin(bind(op, in[0] * 1.25, cos(in[1]))) * 0.5);
  };
  return gradcheck(f, inputs);
}

void check_located(const GradcheckReport& report, const std::string& name) {
  INFO(report.text());
  CHECK(report.verdict == Verdict::failed);
  REQUIRE(report.culprit);
  CHECK(report.culprit->name == name);
  CHECK(report.text().find("first wrong operator: ") != std::string::npos);
  CHECK(report.to_json().find("\"name\":\"" + name + "\"") != std::string::npos);
}

}  // namespace

TEST_CASE("gradcheck catches a wrong sign, a missing factor, 1e-4 relative") {
  const GradcheckReport report = inside(WrongSign{}, {matrix});
  check_located(report, "wrong_sign");
  CHECK(report.failures[0].input == "input 0");
  CHECK(report.failures[0].gradient != report.failures[0].numerical);
  CHECK(report.failures[0].error < 1e-6 * std::abs(report.failures[0].numerical));
  CHECK(report.culprit->node == 4);
  CHECK(report.culprit->input == 0);
  REQUIRE(report.culprit->place);
  CHECK(report.culprit->place->gradient == Approx(-report.culprit->place->numerical));

  check_located(inside(MissingFactor{}, {matrix}), "missing_factor");
  check_located(inside(SlightlyOff{}, {matrix}), "slightly_off");
}

TEST_CASE("gradcheck catches swapped operands and a transposed gradient") {
  check_located(inside_two(SwappedOperands{}, {matrix, other}), "swapped_operands");
  check_located(inside(Transposed{}, {matrix}), "transposed");
}

TEST_CASE("gradcheck catches a gradient that is not summed over what was broadcast") {
  const GradcheckReport report = inside_two(NotReduced{}, {matrix, sample_values({3}, -1, 1, 3)});
  check_located(report, "not_reduced");
  CHECK(report.problems[0].find("not_reduced: gradient of input 1") != std::string::npos);
}

TEST_CASE("gradcheck catches one wrong element, and names it") {
  GradcheckReport report = inside(OneWrongElement{}, {matrix});
  check_located(report, "one_wrong_element");
  CHECK(report.failures[0].input_element == 5);
  CHECK(report.culprit->place->input_element == 5);

  // Among 10,000 elements, by random directions that are then narrowed down.
  report = inside(OneWrongElement{}, {sample_values({100, 100}, -1.5, 1.5, 4)});
  check_located(report, "one_wrong_element");
  CHECK(report.failures[0].input_element == 5);
  CHECK(report.failures[0].output_element == 5);
}

TEST_CASE("gradcheck catches stale values and what is wrong in a region or a dimension alone") {
  check_located(inside(StaleValue{}, {matrix}), "stale_value");
  check_located(inside(WrongForNegative{}, {matrix}), "wrong_for_negative");
  const GradcheckReport report = inside(WrongCount{1}, {matrix});
  check_located(report, "wrong_count");
  CHECK(report.culprit->attributes == "ddof 1");
  CHECK(inside(WrongCount{0}, {matrix}).passed());
}

TEST_CASE("gradcheck catches zero and missing gradients") {
  check_located(inside(ZeroGradient{}, {matrix}), "zero_gradient");
  const GradcheckReport report = inside_two(NoGradient{}, {matrix, other});
  check_located(report, "no_gradient");
  CHECK(report.culprit->input == 1);
  CHECK(report.failures[0].input == "input 1");
  CHECK_FALSE(report.failures[0].reached);
  check_located(inside(NoDerivative{}, {matrix}), "no_derivative");
}

TEST_CASE("gradcheck catches values taken out of the graph") {
  GradcheckReport report =
      gradcheck([](auto in) { return exp(sin(in[0]).detach() * 2.0) * cos(in[0]); }, {matrix});
  check_located(report, "multiply");
  CHECK(report.culprit->problem.find("has the value of sin, taken out") != std::string::npos);

  report = gradcheck(
      [](auto in) {
        const NoGrad nothing;
        return exp(in[0]);
      },
      {matrix});
  check_located(report, "exp");
  CHECK(report.text().find("the graph does not reach the input") != std::string::npos);

  report = gradcheck([](auto in) { return in[0] * in[0].template item<double>(); },
                     {sample_values({1}, 1, 2, 1)});
  CHECK(report.verdict == Verdict::failed);
  CHECK_FALSE(report.culprit);
  CHECK(report.text().find("no operator is wrong by itself") != std::string::npos);
}

TEST_CASE("gradcheck tells a wrong gradient at a kink from a kink") {
  const Tensor points = from_vector(std::vector<double>{-1, 0, 0.5}, {3});
  check_located(inside(KinkOnWrongSide{}, {points}), "kink_on_wrong_side");
  const GradcheckReport report = inside(WrongSubgradient{}, {points});
  check_located(report, "wrong_subgradient");
  CHECK(report.failures[0].input_element == 1);
}

TEST_CASE("gradcheck catches what is wrong in the second derivative alone") {
  CHECK(inside(CutSecond{}, {matrix}).passed());
  GradcheckReport report = inside(CutSecond{}, {matrix}, 2);
  check_located(report, "cut_second");
  CHECK(report.culprit->order == 2);

  CHECK(inside(WrongSecond{}, {matrix}).passed());
  report = inside(WrongSecond{}, {matrix}, 2);
  check_located(report, "wrong_sign");
  CHECK(report.culprit->inside == "the gradient of #4 wrong_second");
}

TEST_CASE("gradcheck catches a gradient that is not linear in the upstream gradient") {
  check_located(inside(UpstreamTwice{}, {matrix}, 2), "upstream_squared");
}
