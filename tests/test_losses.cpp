// Losses: values, reductions, edges, gradients.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/nn/loss.hpp>

#include <cmath>
#include <limits>

namespace cd = cadena;
using support::error_of;
namespace nn = cadena::nn;
using cd::Reduction;
using cd::Tensor;

namespace {

Tensor f64(const cd::Nested& values) { return cd::tensor(values, {.dtype = cd::float64}); }

void check_values(const Tensor& x, const std::vector<double>& expected) {
  const std::vector<double> got = x.to_vector<double>();
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-15));
  }
}

using Loss = Tensor (*)(const Tensor&, const Tensor&, Reduction);

void check_gradients(Loss loss, const Tensor& prediction, const Tensor& target) {
  for (Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const auto f = [&](const std::vector<Tensor>& in) { return loss(in[0], in[1], reduction); };
    const cd::GradcheckReport report = cd::gradcheck(f, {prediction, target}, {.order = 2});
    INFO(report.text());
    CHECK(report.passed());
  }
}

}  // namespace

TEST_CASE("squared error and the lecture's half") {
  const Tensor y = f64({{1.0, 2.0}, {3.0, 5.0}}), t = f64({{0.0, 2.0}, {1.0, 1.0}});
  check_values(nn::mse(y, t, Reduction::none), {1, 0, 4, 16});
  check_values(nn::mse(y, t), {21.0 / 4});
  check_values(nn::mse(y, t, Reduction::sum), {21});
  check_values(nn::half_squared_error(y, t), {10.5});
  check_values(nn::half_squared_error(y, t, Reduction::none), {0.5, 10});
  check_values(nn::half_squared_error(y, t, Reduction::mean), {5.25});
  check_values(nn::mse(f64(3), f64(1)), {4});
  check_values(nn::half_squared_error(f64({3, 1}), f64({1, 1}), Reduction::none), {2, 0});
  check_values(nn::mse(y, cd::tensor({{0, 2}, {1, 1}})), {21.0 / 4});
  check_gradients(nn::mse, y, t);
  check_gradients(nn::half_squared_error, y, t);
}

TEST_CASE("half the squared error has the gradient prediction - target") {
  const Tensor y = cd::tensor({{1.0, 2.0}}, {.dtype = cd::float64, .requires_grad = true});
  nn::half_squared_error(y, f64({{0.5, 4.0}})).backward();
  check_values(y.grad(), {0.5, -2});
}

TEST_CASE("binary cross-entropy of probabilities") {
  const Tensor p = f64({0.9, 0.2, 0.5}), t = f64({1.0, 0.0, 0.25});
  const std::vector<double> expected = {-std::log(0.9), -std::log(0.8), -std::log(0.5)};
  check_values(nn::binary_cross_entropy(p, t, Reduction::none), expected);
  check_values(nn::binary_cross_entropy(p, t), {(expected[0] + expected[1] + expected[2]) / 3});
  check_values(nn::binary_cross_entropy(p, cd::tensor({true, false, true}), Reduction::sum),
               {expected[0] + expected[1] + std::log(2.0)});
  check_gradients(nn::binary_cross_entropy, p, f64({0.75, 0.25, 0.5}));
}

TEST_CASE("cross-entropies of probabilities refuse what is outside of [0, 1]") {
  const auto says = [](const std::string& text, const char* part) {
    INFO(text << " should contain " << part);
    CHECK(text.find(part) != std::string::npos);
  };
  const Tensor p = f64({0.5, 0.25}), logits = f64({0.5, 1.5});
  const std::string of_logits = error_of([&] { nn::binary_cross_entropy(logits, p); });
  says(of_logits, "binary_cross_entropy: the prediction is 1.5 (element 1), outside [0, 1]");
  says(of_logits, "binary_cross_entropy_with_logits");
  says(error_of([&] { nn::binary_cross_entropy(-logits.to(cd::float32), p); }), "is -0.5 (elem");
  says(error_of([&] {
         nn::binary_cross_entropy(p, cd::tensor({1, 2}));
       }),
       "the target is 2 (element 1), outside [0, 1]");
  says(error_of([&] { nn::multiclass_cross_entropy(logits, p); }), "for logits: cross_entropy");
  const Tensor many = cd::ones({3, 100'000});
  CHECK(nn::binary_cross_entropy(many, many).item() == 0);
  std::vector<float> values(300'000, 1);
  values[250'000] = 1.0625F;
  const Tensor wrong = cd::transpose(cd::from_vector(values, {100, 3000}), 0, 1);
  says(error_of([&] {
         nn::binary_cross_entropy(wrong, cd::transpose(cd::ones({100, 3000}), 0, 1));
       }),
       "is 1.0625 (element 100083)");  // at [1000, 83]
}

TEST_CASE("binary cross-entropy is finite at 0 and 1") {
  for (cd::Dtype dtype : {cd::float32, cd::float64}) {
    const Tensor p = cd::tensor({0.0, 1.0, 0.0, 1.0}, {.dtype = dtype, .requires_grad = true});
    const Tensor t = cd::tensor({0.0, 1.0, 1.0, 0.0}, {.dtype = dtype});
    const Tensor loss = nn::binary_cross_entropy(p, t, Reduction::none);
    const std::vector<double> losses = loss.to_vector<double>();
    CHECK(losses[0] == 0);
    CHECK(losses[1] == 0);
    CHECK(losses[2] == Approx(28.631).epsilon(1e-4));
    CHECK(losses[3] == Approx(28.631).epsilon(1e-4));
    loss.backward(cd::ones({4}, {.dtype = dtype}));
    const std::vector<double> slopes = p.grad().to_vector<double>();
    CHECK(slopes[0] == Approx(1));   // of -ln(1 - p) at 0
    CHECK(slopes[1] == Approx(-1));  // of -ln p at 1
    CHECK(slopes[2] == Approx(-1e12));
    CHECK(slopes[3] == Approx(1e12));
  }
  const Tensor nan = f64({std::numeric_limits<double>::quiet_NaN()});
  CHECK(std::isnan(nn::binary_cross_entropy(nan, f64({1.0})).item()));
}

TEST_CASE("binary cross-entropy of logits is that of their sigmoid, for logits of any size") {
  const Tensor z = f64({-2.0, 0.0, 0.5, 3.0}), t = f64({0.0, 1.0, 0.25, 1.0});
  std::vector<double> expected;
  for (int i = 0; i < 4; ++i) {
    const double p = 1 / (1 + std::exp(-z[i].item()));
    expected.push_back(-t[i].item() * std::log(p) - (1 - t[i].item()) * std::log(1 - p));
  }
  check_values(nn::binary_cross_entropy_with_logits(z, t, Reduction::none), expected);
  check_gradients(nn::binary_cross_entropy_with_logits, z, t);
  const Tensor huge = cd::tensor({1e4, -1e4, 1e4, -1e4, 50.0}, {.requires_grad = true});
  const Tensor loss = nn::binary_cross_entropy_with_logits(
      huge, cd::tensor({1.0, 0.0, 0.0, 1.0, 1.0}), Reduction::none);
  const std::vector<double> losses = loss.to_vector<double>();
  CHECK(losses[0] == 0);
  CHECK(losses[1] == 0);
  CHECK(losses[2] == 1e4);
  CHECK(losses[3] == 1e4);
  CHECK(losses[4] == Approx(std::exp(-50.0)));  // no cancellation
  loss.backward(cd::ones({5}));
  check_values(huge.grad().to(cd::float64) * f64({1, 1, 1, 1, 0}), {0, 0, 1, -1, 0});
}

TEST_CASE("cross-entropy takes indices, one-hot and soft targets") {
  const Tensor z = f64({{1.0, 2.0, 0.5}, {-1.0, 0.0, 3.0}});
  const auto log_softmax = [&](int row, int column) {
    double sum = 0;
    for (int k = 0; k < 3; ++k) {
      sum += std::exp(z[row][k].item());
    }
    return z[row][column].item() - std::log(sum);
  };
  const Tensor labels = cd::tensor({1, 2});
  const double expected = -(log_softmax(0, 1) + log_softmax(1, 2)) / 2;
  check_values(nn::cross_entropy(z, labels), {expected});
  check_values(nn::cross_entropy(z, cd::one_hot(labels, 3, {.dtype = cd::float64})), {expected});
  check_values(nn::cross_entropy(z, labels, Reduction::none),
               {-log_softmax(0, 1), -log_softmax(1, 2)});
  check_values(nn::cross_entropy(z, f64({{0.5, 0.5, 0.0}, {0.0, 0.0, 1.0}}), Reduction::sum),
               {-0.5 * (log_softmax(0, 0) + log_softmax(0, 1)) - log_softmax(1, 2)});
  check_gradients(nn::cross_entropy, z, f64({{0.5, 0.25, 0.25}, {0.0, 0.0, 1.0}}));
  const Tensor huge = cd::tensor({{1e4, -1e4}});
  CHECK(nn::cross_entropy(huge, cd::tensor({1})).item() == 2e4);
  CHECK(nn::cross_entropy(huge, cd::tensor({0})).item() == 0);
}

TEST_CASE("the lecture's cross-entropy sums over all outputs") {
  const Tensor p = f64({{0.7, 0.2, 0.1}, {0.1, 0.3, 0.6}});
  const double first = -std::log(0.7) - std::log(0.8) - std::log(0.9);
  const double second = -std::log(0.9) - std::log(0.3) - std::log(0.4);
  const Tensor labels = cd::tensor({0, 1});
  check_values(nn::multiclass_cross_entropy(p, labels, Reduction::none), {first, second});
  check_values(nn::multiclass_cross_entropy(p, cd::one_hot(labels, 3)), {(first + second) / 2});
  check_values(nn::multiclass_cross_entropy(p, labels, Reduction::sum), {first + second});
  check_gradients(nn::multiclass_cross_entropy, p, f64({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}}));
  const auto bad = [&](const Tensor& wrong) {
    return error_of([&] { nn::multiclass_cross_entropy(p, wrong); });
  };
  CHECK(bad(cd::tensor({0, 3})) ==
        "multiclass_cross_entropy: label 3 (element 1) is outside [0, 3), the number of classes");
  CHECK(bad(cd::tensor({true, false})).find("multiclass_cross_entropy: expected int64") == 0);
}

TEST_CASE("the lecture's cross-entropy takes probabilities of one dimension as one example") {
  const Tensor p = f64({0.2, 0.8}), rows = f64({{0.2, 0.8}});
  const double expected = -2 * std::log(0.8);
  for (Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    const Tensor of_label = nn::multiclass_cross_entropy(p, cd::tensor(1), reduction);
    CHECK(of_label.shape() == cd::Shape{});
    check_values(of_label, {expected});
    check_values(nn::multiclass_cross_entropy(p, f64({0.0, 1.0}), reduction), {expected});
    check_values(nn::multiclass_cross_entropy(rows, cd::tensor({1}), reduction), {expected});
  }
  check_gradients(nn::multiclass_cross_entropy, p, f64({0.25, 0.75}));
}

TEST_CASE("losses refuse shapes that differ instead of broadcasting") {
  const Tensor column = cd::zeros({4, 1}), row = cd::zeros({4});
  for (Loss loss :
       {Loss(nn::mse), Loss(nn::half_squared_error), Loss(nn::binary_cross_entropy),
        Loss(nn::binary_cross_entropy_with_logits), Loss(nn::multiclass_cross_entropy)}) {
    const std::string text = error_of([&] { loss(column, row, Reduction::mean); });
    CHECK(text.find("must have the same shape, got [4, 1] and [4]") != std::string::npos);
    CHECK(error_of([&] { loss(Tensor(), row, Reduction::mean); }).find("undefined") !=
          std::string::npos);
  }
  CHECK(error_of([&] { nn::mse(column, row); }).find("mse: ") == 0);
}
