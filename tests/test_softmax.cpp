// Softmax and its relatives against formulas of elementwise operators, at both ends of the range.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/softmax.hpp>

#include <cmath>
#include <limits>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

constexpr double infinity = std::numeric_limits<double>::infinity();

void check_close(const Tensor& a, const Tensor& b, double tolerance = 1e-12) {
  REQUIRE(a.shape() == b.shape());
  const Values x = values(a), y = values(b);
  for (std::size_t i = 0; i < x.size(); ++i) {
    CAPTURE(i);
    CHECK(x[i] == Approx(y[i]).epsilon(tolerance).margin(tolerance));
  }
}

bool all_finite(const Tensor& x) {
  for (double value : values(x)) {
    if (!std::isfinite(value)) {
      return false;
    }
  }
  return true;
}

/// Value, gradient, Hessian and a third derivative of sum(weights · f) and sum(weights · g) agree.
void check_same_function(const TensorFunction& f, const TensorFunction& g, const Tensor& x) {
  const auto scalar = [](const TensorFunction& h) -> TensorFunction {
    return [h](const Tensor& y) {
      const Tensor value = h(y);
      return sum(value * sample_values(value.shape(), 0.5, 2, 99));
    };
  };
  check_close(f(x), g(x));
  const TensorFunction first = scalar(f), second = scalar(g);
  check_close(value_and_grad(first)(x).grad, value_and_grad(second)(x).grad);
  check_close(hessian(first, x), hessian(second, x));
  const Tensor v = sample_values(x.shape(), -1, 1, 98);
  const auto curvature = [&v](const TensorFunction& h) -> TensorFunction {
    return [&v, h](const Tensor& y) { return sum(hvp(h, y, v).product * v); };
  };
  check_close(value_and_grad(curvature(first))(x.requires_grad_leaf()).grad,
              value_and_grad(curvature(second))(x.requires_grad_leaf()).grad, 1e-10);
}

Tensor plain_softmax(const Tensor& x, std::int64_t axis) {
  return exp(x) / sum(exp(x), {axis}, true);
}

}  // namespace

TEST_CASE("softmax and its relatives are their formulas, to the third derivative") {
  const Tensor x = sample_values({2, 3, 4}, -2, 2, 1);
  const Tensor rows = reshape(x, {6, 4});
  for (std::int64_t axis : {-1, 0, 1}) {
    CAPTURE(axis);
    check_same_function([=](const Tensor& y) { return softmax(y, axis); },
                        [=](const Tensor& y) { return plain_softmax(y, axis); }, x);
    check_same_function([=](const Tensor& y) { return log_softmax(y, axis); },
                        [=](const Tensor& y) { return log(plain_softmax(y, axis)); }, x);
    check_same_function([=](const Tensor& y) { return normalized_logistic(y, axis); },
                        [=](const Tensor& y) { return sigmoid(y) / sum(sigmoid(y), {axis}, true); },
                        x);
  }
  for (const Axes& axes : {Axes{}, Axes{0}, Axes{2, 0}, Axes{-2}, Axes{1, 2}}) {
    check_same_function([=](const Tensor& y) { return logsumexp(y, axes, true); },
                        [=](const Tensor& y) { return log(sum(exp(y), axes, true)); }, x);
    check_same_function([=](const Tensor& y) { return logsumexp(y, axes); },
                        [=](const Tensor& y) { return log(sum(exp(y), axes)); }, x);
  }
  const Tensor labels = tensor({3, 0, 1, 1, 2, 3});
  const Tensor truth = one_hot(labels, 4, {.dtype = float64});
  const auto plain = [=](const Tensor& y) { return -sum(truth * log(plain_softmax(y, -1)), {-1}); };
  check_same_function([=](const Tensor& y) { return cross_entropy(y, labels, Reduction::none); },
                      plain, rows);
  check_same_function([=](const Tensor& y) { return cross_entropy(y, labels); },
                      [=](const Tensor& y) { return mean(plain(y)); }, rows);
  check_same_function([=](const Tensor& y) { return cross_entropy(y, truth, Reduction::sum); },
                      [=](const Tensor& y) { return sum(plain(y)); }, rows);
  check_same_function(
      [=](const Tensor& t) { return cross_entropy(rows, t); },
      [=](const Tensor& t) { return mean(-sum(t * log(plain_softmax(rows, -1)), {-1})); },
      sample_values({6, 4}, 0, 1, 2));
}

TEST_CASE("softmax along many columns, to the second derivative") {
  const Tensor x = sample_values({2, 4, 140}, -2, 2, 7),
               weights = sample_values(x.shape(), -1, 1, 8);
  const auto along_last = [](auto f) -> TensorFunction {
    return [f](const Tensor& y) { return transpose(f(transpose(y, 1, 2), -1), 1, 2); };
  };
  const auto along_columns = [](auto f) -> TensorFunction {
    return [f](const Tensor& y) { return f(y, 1); };
  };
  const auto check = [&](const TensorFunction& f, const TensorFunction& g) {
    check_close(f(x), g(x));
    const auto scalar = [&](const TensorFunction& h) -> TensorFunction {
      return [&, h](const Tensor& y) { return sum(h(y) * weights); };
    };
    check_close(value_and_grad(scalar(f))(x).grad, value_and_grad(scalar(g))(x).grad);
    check_close(hvp(scalar(f), x, weights).product, hvp(scalar(g), x, weights).product);
  };
  check(along_columns(softmax), along_last(softmax));
  check(along_columns(log_softmax), along_last(log_softmax));
  CHECK(softmax(x, 1).is_contiguous());
}

TEST_CASE("softmax at both ends") {
  const Tensor x =
      from_vector<double>({1e4, 1e4, 1e4 - 1, -1e4, -1e4, -1e4 - 1, 1e4, -1e4, 0}, {3, 3});
  for (Dtype dtype : {float32, float64}) {
    const Tensor y = x.to(dtype).requires_grad_leaf();
    const double e = std::exp(-1), log_total = std::log(2 + e);
    CHECK(values(softmax(y))[0] == Approx(1 / (2 + e)));
    CHECK(values(softmax(y))[5] == Approx(e / (2 + e)));
    CHECK(values(logsumexp(y, {1}))[0] == Approx(1e4 + log_total));
    CHECK(values(logsumexp(y, {1}))[1] == Approx(-1e4 + log_total));
    CHECK(values(log_softmax(y))[2] == Approx(-1 - log_total));
    CHECK(values(log_softmax(y))[7] == -2e4);
    CHECK(values(normalized_logistic(y))[0] == Approx(1.0 / 3));
    CHECK(values(normalized_logistic(y))[3] == Approx(1 / (2 + e)));
    const Tensor losses = cross_entropy(y, tensor({0, 2, 1}), Reduction::none);
    CHECK(values(losses)[0] == Approx(log_total));
    CHECK(values(losses)[1] == Approx(1 + log_total));
    CHECK(values(losses)[2] == 2e4);
    for (const Tensor& result :
         {softmax(y), log_softmax(y), normalized_logistic(y), logsumexp(y, {1}), losses}) {
      CHECK(all_finite(result));
      CHECK(all_finite(grad(sum(result * result), {y})[0]));
    }
  }
}

TEST_CASE("logsumexp where nothing is there") {
  const Tensor x =
      from_vector<double>({-infinity, -infinity, 1, -infinity}, {2, 2}, {.requires_grad = true});
  const Tensor total = logsumexp(x, {1});
  CHECK(values(total) == Values{-infinity, 1});
  CHECK(values(grad(sum(total), {x})[0]) == Values{0, 0, 1, 0});
  CHECK(values(logsumexp(zeros({2, 0}), {1})) == Values{-infinity, -infinity});
  CHECK(values(softmax(x))[3] == 0);
  CHECK(logsumexp(from_vector<double>({infinity, 0}, {2})).item() == infinity);
  CHECK(std::isnan(logsumexp(from_vector<double>({std::nan(""), infinity}, {2})).item()));
  CHECK(logsumexp(tensor(2.0)).item() == Approx(2));
  CHECK(softmax(zeros({0, 3})).shape() == Shape{0, 3});
  CHECK(softmax(zeros({3, 0})).shape() == Shape{3, 0});
}

TEST_CASE("kinds of targets") {
  const Tensor logits = sample_values({2, 3, 4}, -2, 2, 3);
  const Tensor labels = tensor({{0, 1, 2}, {3, 3, 0}});
  const Tensor losses = cross_entropy(logits, labels, Reduction::none);
  CHECK(losses.shape() == Shape{2, 3});
  CHECK(cross_entropy(logits, labels).item() == Approx(mean(losses).item()));
  check_close(cross_entropy(logits, labels.to(uint8), Reduction::none), losses);
  check_close(cross_entropy(logits, one_hot(labels, 4), Reduction::none), losses);
  CHECK(cross_entropy(logits.to(float32), labels).dtype() == float32);
  CHECK(cross_entropy(logits, one_hot(labels, 4)).dtype() == float64);
  const Tensor one = logits[0][0];
  CHECK(cross_entropy(one, tensor(0)).item() == Approx(values(losses)[0]));
  CHECK(cross_entropy(one, tensor(0), Reduction::none).shape() == Shape{});
  const Tensor columns = transpose(reshape(logits, {6, 4}));
  check_close(cross_entropy(transpose(columns), flatten(labels), Reduction::none), flatten(losses));
  CHECK(cross_entropy(zeros({0, 3}), zeros({0}, {.dtype = int64}), Reduction::sum).item() == 0);
  CHECK(std::isnan(cross_entropy(zeros({0, 3}), zeros({0}, {.dtype = int64})).item()));
}

TEST_CASE("bad targets and axes") {
  const Tensor logits = zeros({2, 3, 4});
  const auto text = [&](const Tensor& x, const Tensor& target) -> std::string {
    try {
      cross_entropy(x, target);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(text(logits, tensor({{0, 1, 2}, {3, 4, -1}})) ==
        "cross_entropy: label 4 at position [1, 1] is outside [0, 4), the classes of logits [2, 3, "
        "4]");
  CHECK(text(zeros({4}), tensor(-1)) ==
        "cross_entropy: label -1 at position [] is outside [0, 4), the classes of logits [4]");
  CHECK(
      text(logits, tensor({1, 2})) ==
      "cross_entropy: expected int64 or uint8 labels of shape [2, 3] or floating targets of shape "
      "[2, 3, 4] for logits [2, 3, 4], got int64 [2]");
  CHECK(text(logits, zeros({2, 3})).find("float32 [2, 3]") != std::string::npos);
  CHECK(text(logits, zeros({2, 3}, {.dtype = boolean})) != "");
  CHECK(text(zeros({2, 0}), tensor({0, 0})) != "");
  CHECK(text(tensor(1.0), tensor(0)) != "");
  CHECK(text(Tensor(), tensor(0)) != "");
  CHECK(text(logits, Tensor()) != "");
  CHECK_THROWS_AS(softmax(logits, 3), Error);
  CHECK_THROWS_AS(log_softmax(tensor(1.0)), Error);
  CHECK_THROWS_AS(normalized_logistic(logits, -4), Error);
  CHECK_THROWS_AS(logsumexp(logits, {0, 5}), Error);
  CHECK_THROWS_AS(softmax(Tensor()), Error);
}
