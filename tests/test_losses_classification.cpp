// Losses of classification with weights, ignored labels and smoothing, against plain formulas.

#include "loss_check.hpp"

#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/softmax.hpp>

#include <cmath>
#include <limits>
#include <optional>

namespace nn = cadena::nn;
using namespace loss_check;
using cadena::sample_values;
using support::check_error;
using support::values;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// log softmax of each of the rows of 4.
Values log_softmax_of(const Values& x) {
  Values result;
  for (std::size_t row = 0; row < x.size(); row += 4) {
    double sum = 0;
    for (std::size_t c = 0; c < 4; ++c) sum += std::exp(x[row + c]);
    for (std::size_t c = 0; c < 4; ++c) result.push_back(x[row + c] - std::log(sum));
  }
  return result;
}

struct Case {
  Values losses;
  double mean;
};

/// PyTorch's definition, class by class.
Case expected_of(const Values& x, const std::vector<std::int64_t>& labels, const Values& w,
                 std::optional<std::int64_t> ignored, double smoothing) {
  const Values log_p = log_softmax_of(x);
  Case result{{}, 0};
  double total = 0, weights = 0;
  for (std::size_t row = 0; row < labels.size(); ++row) {
    double loss = 0;
    if (labels[row] != ignored) {
      const auto label = static_cast<std::size_t>(labels[row]);
      loss = -(1 - smoothing) * w[label] * log_p[4 * row + label];
      for (std::size_t c = 0; c < 4; ++c) loss -= smoothing / 4 * w[c] * log_p[4 * row + c];
      weights += w[label];
    }
    result.losses.push_back(loss);
    total += loss;
  }
  result.mean = total / weights;
  return result;
}

}  // namespace

TEST_CASE("cross-entropy of labels with weights, an ignored label and smoothing") {
  const Tensor x = sample_values({5, 4}, -3, 3, 1), weight = f64({0.5, 2.0, 1.0, 3.0});
  const std::vector<std::int64_t> all = {2, 0, 3, 0, 1};
  for (bool weights : {false, true}) {
    for (std::optional<std::int64_t> ignored :
         {std::optional<std::int64_t>(), std::optional<std::int64_t>(0),
          std::optional<std::int64_t>(-100)}) {
      for (double smoothing : {0.0, 0.1, 1.0}) {
        CAPTURE(weights, ignored.value_or(99), smoothing);
        std::vector<std::int64_t> labels = all;
        if (ignored == -100) labels[3] = -100;
        const Tensor t = cadena::from_vector(labels, {5});
        const Case expected = expected_of(
            values(x), labels, weights ? values(weight) : Values(4, 1), ignored, smoothing);
        const auto loss = [&](const Tensor& logits, Reduction r) {
          return nn::cross_entropy(logits, t,
                                   {.weight = weights ? weight : Tensor(),
                                    .ignore_index = ignored,
                                    .label_smoothing = smoothing,
                                    .reduction = r});
        };
        check_values(loss(x, Reduction::none), expected.losses);
        check_values(loss(x, Reduction::sum), {sum_of(expected.losses)});
        check_values(loss(x, Reduction::mean), {expected.mean});
        check_gradients([&](auto in) { return loss(in[0], Reduction::mean); }, {x});
      }
    }
  }
  check_gradients(
      [&](auto in) {
        return nn::cross_entropy(in[0], cadena::from_vector(all, {5}),
                                 {.weight = in[1], .ignore_index = 3, .label_smoothing = 0.2});
      },
      {x, weight});
}

TEST_CASE("what is ignored may be anything, and counts nowhere") {
  const Tensor x = cadena::tensor({{1.0, 2.0}, {infinity, std::nan("")}}, {.requires_grad = true});
  const Tensor loss = nn::cross_entropy(x, cadena::tensor({1, -1}), {.ignore_index = -1});
  CHECK(loss.item() == Approx(std::log(1 + std::exp(-1.0))));
  loss.backward();
  const Values g = values(x.grad());
  CHECK(g[0] == Approx(1 / (1 + std::exp(1.0))));
  CHECK(g[2] == 0);
  CHECK(g[3] == 0);
  const Tensor none = cadena::tensor({-1, -1});
  CHECK(std::isnan(nn::cross_entropy(x, none, {.ignore_index = -1}).item()));
  CHECK(nn::cross_entropy(x, none, {.ignore_index = -1, .reduction = Reduction::sum}).item() == 0);
  check_error([&] { nn::cross_entropy(x, none); }, {"cross_entropy", "label -1", "[0, 2)"});
}

TEST_CASE("what is ignored leaves no NaN in the gradients of logits and weights of any order") {
  const double nan = std::nan("");
  const Tensor bad = f64({{1.0, 2.0, 0.5}, {infinity, nan, -infinity}});
  const Tensor good = f64({{1.0, 2.0, 0.5}});
  const Tensor labels = cadena::tensor({1, -1}), label = cadena::tensor({1});
  const Tensor weight = f64({0.5, 2.0, 1.5});
  // The gradients of order 1 and 2 by the first example and by the weights.
  const auto derivatives = [&](const auto& loss, const Tensor& x, const Tensor& y) {
    const Tensor at = x.requires_grad_leaf(), w = weight.requires_grad_leaf();
    const std::vector<Tensor> first =
        cadena::grad(loss(at, y, w), {at, w}, {.create_graph = true, .allow_unused = true});
    Tensor total = cadena::sum(cadena::square(first[0]));
    if (first[1].defined()) total = total + cadena::sum(first[1]);
    const std::vector<Tensor> second = cadena::grad(total, {at}, {});
    Values all;
    for (const Tensor& one : {first[0], first[1], second[0]}) {
      if (!one.defined()) continue;
      const Values these = values(one);
      all.insert(all.end(), these.begin(), these.begin() + 3);  // the first row, or all weights
      for (std::size_t i = 3; i < these.size(); ++i) CHECK(these[i] == 0);
    }
    return all;
  };
  const auto same = [&](const auto& loss) {
    const Values got = derivatives(loss, bad, labels), expected = derivatives(loss, good, label);
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(expected[i]));
  };
  for (double smoothing : {0.0, 0.3}) {
    INFO("smoothing " << smoothing);
    same([&](const Tensor& x, const Tensor& y, const Tensor&) {
      return nn::cross_entropy(x, y, {.ignore_index = -1, .label_smoothing = smoothing});
    });
    same([&](const Tensor& x, const Tensor& y, const Tensor& w) {
      return nn::cross_entropy(x, y,
                               {.weight = w, .ignore_index = -1, .label_smoothing = smoothing});
    });
  }
  const Tensor x = bad.requires_grad_leaf(), w = weight.requires_grad_leaf();
  nn::nll(x, cadena::tensor({0, -1}),
          {.weight = w, .ignore_index = -1, .reduction = Reduction::sum})
      .backward();
  CHECK(values(x.grad()) == Values{-0.5, 0, 0, 0, 0, 0});
  CHECK(values(w.grad()) == Values{-1, 0, 0});
}

TEST_CASE("cross-entropy of soft targets with weights and smoothing") {
  const Tensor x = sample_values({3, 4}, -3, 3, 1), t = sample_values({3, 4}, 0, 1, 2);
  const Tensor weight = f64({0.5, 2.0, 1.0, 3.0});
  const Values log_p = log_softmax_of(values(x)), target = values(t), w = values(weight);
  Values expected;
  for (std::size_t row = 0; row < 3; ++row) {
    double loss = 0;
    for (std::size_t c = 0; c < 4; ++c) {
      loss -= w[c] * (0.8 * target[4 * row + c] + 0.05) * log_p[4 * row + c];
    }
    expected.push_back(loss);
  }
  check_reductions(
      [&](Reduction r) {
        return nn::cross_entropy(x, t, {.weight = weight, .label_smoothing = 0.2, .reduction = r});
      },
      expected);
  check_gradients(
      [](auto in) {
        return nn::cross_entropy(in[0], in[1], {.weight = in[2], .label_smoothing = 0.2});
      },
      {x, t, weight});
  // 0 against a logit of -∞ is nothing.
  const Tensor masked =
      cadena::tensor({{0.0, 0.0, -infinity}}, {.dtype = cadena::float64, .requires_grad = true});
  const Tensor loss = nn::cross_entropy(masked, f64({{1.0, 0.0, 0.0}}));
  CHECK(loss.item() == Approx(std::log(2.0)));
  loss.backward();
  check_values(masked.grad(), {-0.5, 0.5, 0});
  CHECK(nn::cross_entropy(masked, f64({{0.5, 0.0, 0.5}})).item() == infinity);
  check_error([&] { nn::cross_entropy(x, t, {.ignore_index = 1}); }, {"ignore_index", "labels"});
  check_error([&] { nn::cross_entropy(x, t, {.weight = f64({1.0})}); },
              {"cross_entropy", "[4]", "[1]"});
  check_error([&] { nn::cross_entropy(x, t, {.label_smoothing = 2}); }, {"label smoothing", "2"});
}

TEST_CASE("negative log-likelihood is what cross-entropy makes of log_softmax") {
  const Tensor x = sample_values({2, 3, 4}, -3, 3, 1), weight = f64({0.5, 2.0, 1.0, 3.0});
  const Tensor labels = cadena::tensor({{0, 3, 1}, {1, 1, 2}});
  for (Reduction r : {Reduction::none, Reduction::sum, Reduction::mean}) {
    for (bool weights : {false, true}) {
      for (bool ignores : {false, true}) {
        const Tensor w = weights ? weight : Tensor();
        const auto ignored = ignores ? std::optional<std::int64_t>(1) : std::nullopt;
        check_values(nn::nll(cadena::log_softmax(x), labels,
                             {.weight = w, .ignore_index = ignored, .reduction = r}),
                     values(nn::cross_entropy(
                         x, labels, {.weight = w, .ignore_index = ignored, .reduction = r})));
      }
    }
  }
  check_gradients(
      [&](auto in) { return nn::nll(in[0], labels, {.weight = in[1], .ignore_index = 1}); },
      {x, weight});
  check_values(nn::nll(f64({-1.0, -2.0}), cadena::tensor(1)), {2});
  check_error([&] { nn::nll(x, cadena::tensor({{0, 4, 1}, {1, 1, 2}})); }, {"nll: ", "4"});
  check_error([&] { nn::nll(x, cadena::tensor({0, 1})); }, {"nll: ", "[2, 3]", "[2]"});
}

TEST_CASE("Kullback-Leibler divergence") {
  const Tensor p = f64({{0.5, 0.25, 0.25}, {1.0, 0.0, 0.0}});
  const Tensor finite = f64({{std::log(0.25), std::log(0.25), std::log(0.5)},
                             {std::log(0.5), std::log(0.25), std::log(0.25)}});
  const Values expected = {0.5 * std::log(2), 0, -0.25 * std::log(2), std::log(2), 0, 0};
  check_reductions([&](Reduction r) { return nn::kl_div(finite, p, {.reduction = r}); }, expected);
  const Tensor log_p =
      f64({{std::log(0.5), std::log(0.25), std::log(0.25)}, {0.0, -infinity, -infinity}});
  check_reductions(
      [&](Reduction r) { return nn::kl_div(finite, log_p, {.log_target = true, .reduction = r}); },
      expected);
  check_gradients([](auto in) { return nn::kl_div(in[0], in[1]); },
                  {sample_values({2, 3}, -2, 0, 1), sample_values({2, 3}, 0.1, 1, 2)});
  check_gradients([](auto in) { return nn::kl_div(in[0], in[1], {.log_target = true}); },
                  {sample_values({2, 3}, -2, 0, 1), sample_values({2, 3}, -2, 0, 2)});
}

TEST_CASE("Kullback-Leibler divergence of what is impossible on both sides") {
  const Tensor log_q = cadena::tensor({std::log(0.5), std::log(0.5), -infinity},
                                      {.dtype = cadena::float64, .requires_grad = true});
  const Tensor p = f64({1.0, 0.0, 0.0});
  const Tensor losses = nn::kl_div(log_q, p, {.reduction = Reduction::none});
  check_values(losses, {std::log(2.0), 0, 0});
  cadena::sum(losses).backward();
  CHECK(values(log_q.grad()) == Values{-1, 0, 0});
  const Tensor log_p = f64({0.0, -infinity, -infinity});
  check_values(nn::kl_div(log_q, log_p, {.log_target = true, .reduction = Reduction::none}),
               {std::log(2.0), 0, 0});
  // What is possible, and said to be impossible.
  CHECK(nn::kl_div(f64({-infinity}), f64({0.5})).item() == infinity);
}

TEST_CASE("focal loss, for logits of any size") {
  const Tensor z = f64({-2.0, 0.5, 3.0, -0.25}), y = f64({1.0, 1.0, 0.0, 0.0});
  const Values logits = values(z), t = values(y);
  for (double gamma : {0.0, 0.5, 2.0}) {
    for (std::optional<double> alpha : {std::optional<double>(), std::optional<double>(0.25)}) {
      Values expected;
      for (std::size_t i = 0; i < 4; ++i) {
        const double p = 1 / (1 + std::exp(-logits[i])), right = t[i] == 1 ? p : 1 - p;
        const double weight = !alpha ? 1 : t[i] == 1 ? *alpha : 1 - *alpha;
        expected.push_back(-weight * std::pow(1 - right, gamma) * std::log(right));
      }
      const auto loss = [&](const Tensor& x, Reduction r) {
        return nn::focal(x, y, {.alpha = alpha, .gamma = gamma, .reduction = r});
      };
      check_reductions([&](Reduction r) { return loss(z, r); }, expected);
      check_gradients([&](auto in) { return loss(in[0], Reduction::mean); }, {z});
    }
  }
  const Tensor huge = cadena::tensor({1e4, -1e4, 1e4, -1e4}, {.requires_grad = true});
  const Tensor losses =
      nn::focal(huge, y.to(cadena::float32), {.alpha = {}, .reduction = Reduction::none});
  CHECK(values(losses) == Values{0, 1e4, 1e4, 0});
  losses.backward(cadena::ones({4}));
  CHECK(values(huge.grad()) == Values{0, -1, 1, 0});
  check_error([&] { nn::focal(z, y, {.alpha = 1.5}); }, {"focal", "alpha in [0, 1]", "1.5"});
  check_error([&] { nn::focal(z, y, {.alpha = std::nan("")}); }, {"focal", "alpha", "nan"});
}

TEST_CASE("hinge and multi-class margin") {
  const Tensor s = f64({0.5, 2.0, -0.5, -3.0}), y = cadena::tensor({1, 1, 1, -1});
  check_reductions([&](Reduction r) { return nn::hinge(s, y, {.reduction = r}); },
                   {0.5, 0, 1.5, 0});
  check_reductions(
      [&](Reduction r) { return nn::hinge(s, y, {.margin = 2, .squared = true, .reduction = r}); },
      {2.25, 0, 6.25, 0});
  check_gradients([&](auto in) { return nn::hinge(in[0], y, {.squared = true}); }, {s});
  const Tensor x = f64({{0.1, 0.2, 0.4, 0.8}, {1.0, 0.5, 0.25, 0.0}}),
               weight = f64({2.0, 1, 1, 0.5});
  const Tensor labels = cadena::tensor({3, 0});
  // Row 0: 0.3 + 0.4 + 0.6; row 1: 0.5 + 0.25 + 0.
  check_reductions([&](Reduction r) { return nn::multi_margin(x, labels, {.reduction = r}); },
                   {1.3 / 4, 0.75 / 4});
  check_reductions(
      [&](Reduction r) {
        return nn::multi_margin(x, labels, {.p = 2, .weight = weight, .reduction = r});
      },
      {0.5 * (0.09 + 0.16 + 0.36) / 4, 2 * (0.25 + 0.0625) / 4});
  check_gradients(
      [&](auto in) { return nn::multi_margin(in[0], labels, {.p = 2, .weight = in[1]}); },
      {sample_values({2, 4}, -1, 1, 1), weight});
  const Tensor truths = cadena::tensor({true, false, true, false});
  check_error([&] { nn::hinge(s, truths); }, {"hinge", "1 or -1", "boolean"});
  check_error([&] { nn::hinge(s, truths.to(cadena::uint8)); }, {"hinge", "1 or -1", "uint8"});
  check_error([&] { nn::hinge(s, y, {.margin = infinity}); }, {"hinge", "margin", "inf"});
  check_error([&] { nn::multi_margin(x, labels, {.margin = infinity}); }, {"multi_margin", "inf"});
  check_error([&] { nn::multi_margin(x, labels, {.p = 3}); }, {"multi_margin", "3"});
  check_error([&] { nn::multi_margin(x, cadena::tensor({3, 4})); }, {"multi_margin: ", "4"});
}

TEST_CASE("binary cross-entropies with weights") {
  const Tensor z = f64({{-1.0, 0.5}, {2.0, 0.0}}), y = f64({{1.0, 0.0}, {0.25, 1.0}});
  const Tensor weight = f64({2.0, 0.5}), pos_weight = f64({3.0, 0.25});
  Values of_logits, of_probabilities, p;
  for (std::size_t i = 0; i < 4; ++i) {
    p.push_back(1 / (1 + std::exp(-values(z)[i])));
    const double t = values(y)[i], w = values(weight)[i % 2], positive = values(pos_weight)[i % 2];
    of_logits.push_back(-w * (positive * t * std::log(p[i]) + (1 - t) * std::log(1 - p[i])));
    of_probabilities.push_back(-w * (t * std::log(p[i]) + (1 - t) * std::log(1 - p[i])));
  }
  check_reductions(
      [&](Reduction r) {
        return nn::binary_cross_entropy_with_logits(
            z, y, {.weight = weight, .pos_weight = pos_weight, .reduction = r});
      },
      of_logits);
  const Tensor probabilities = cadena::from_vector(p, {2, 2});
  check_reductions(
      [&](Reduction r) {
        return nn::binary_cross_entropy(probabilities, y, {.weight = weight, .reduction = r});
      },
      of_probabilities);
  check_gradients(
      [&](auto in) {
        return nn::binary_cross_entropy_with_logits(in[0], y,
                                                    {.weight = in[1], .pos_weight = in[2]});
      },
      {z, weight, pos_weight});
  check_error([&] { nn::binary_cross_entropy(probabilities, y, {.weight = f64({{{1.0}}})}); },
              {"binary_cross_entropy", "[1, 1, 1]", "[2, 2]"});
}
