#include <cadena/autograd/graph/gradcheck_compare.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/ops/random.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cadena::detail {

double Cotangent::apply(std::span<const double> outputs) const {
  if (element >= 0) {
    return weight * outputs[static_cast<std::size_t>(element)];
  }
  long double sum = 0;
  for (std::size_t i = 0; i < dense.size(); ++i) {
    if (dense[i] != 0) {
      sum += static_cast<long double>(dense[i]) * outputs[i];
    }
  }
  return static_cast<double>(sum);
}

double Cotangent::noise(std::span<const double> outputs, double roundoff) const {
  if (element >= 0) {
    return roundoff * std::abs(outputs[static_cast<std::size_t>(element)]);
  }
  // The largest one is taken out, or squares of values beyond 1e154 would overflow.
  double largest = 0;
  for (std::size_t i = 0; i < dense.size(); ++i) {
    largest = std::max(largest, std::abs(dense[i] * outputs[i]));
  }
  double squares = 0;
  for (std::size_t i = 0; i < dense.size() && largest > 0 && std::isfinite(largest); ++i) {
    const double part = dense[i] * outputs[i] / largest;
    squares += part * part;
  }
  return roundoff * largest * std::sqrt(squares);
}

std::vector<double> Cotangent::full(std::int64_t numel) const {
  if (element < 0) {
    return dense;
  }
  std::vector<double> all(static_cast<std::size_t>(numel), 0);
  all[static_cast<std::size_t>(element)] = weight;
  return all;
}

GradcheckInput* Comparison::summary(std::size_t v) {
  for (GradcheckInput& input : report_.inputs) {
    if (input.name == problem_.variables()[v].name) {
      return &input;
    }
  }
  return nullptr;
}

bool Comparison::run() {
  const GeneratorState before = default_generator().state();
  own_.at = problem_.record();
  const bool draws = default_generator().state() != before;
  compared_.assign(problem_.variables().size(), 0);
  const std::int64_t narrow_nodes = [&] {
    std::int64_t count = 0;
    for (const Node* node : nodes_of(own_.at.outputs)) {
      const std::span<const Type> types(node->types, node->output_count);
      count +=
          std::ranges::any_of(types, [](const Type& type) { return type.dtype == Dtype::float32; });
    }
    return count;
  }();
  if (narrow_nodes > 0) {
    roundoff_ = 0x1p-24;
    tiny_ = std::numeric_limits<float>::min();
    report_.warnings.push_back(fmt::format(
        "order {}: {} of the graph's nodes are float32; errors below about 1e-4 are not "
        "seen",
        order_, narrow_nodes));
  }
  check_repeatable(draws ? 64 : 3);  // what is drawn may be the same by chance, or not matter
  if (!repeats_) {
    return false;
  }
  choose_cotangents();
  const std::int64_t numel = problem_.outputs().numel();
  for (const Cotangent& cotangent : cotangents_) {
    own_.gradients.push_back(Problem::pull(own_.at, problem_.outputs(), cotangent.full(numel)));
  }
  check_backward();
  for (const Pulled& gradients : own_.gradients) {
    for (std::size_t v = 0; v < gradients.size(); ++v) {
      for (double x : gradients[v]) {
        if (std::isfinite(x)) {
          largest_gradient_ =
              std::max(largest_gradient_, std::abs(x) * problem_.variables()[v].scale);
        }
      }
    }
  }
  measure_noise();
  check_layout();
  for (std::size_t v = 0; v < problem_.variables().size() && !stopped(); ++v) {
    check_variable(v);
    check_repeatable(1);
  }
  if (!kinked_.empty() && !stopped()) {
    check_moved();
  }
  if (repeats_ && !problem_.misfit().empty()) {
    report_.problems.push_back(fmt::format("order {}: {}", order_, problem_.misfit()));
  }
  if (!stopped()) {
    find_gaps();
  }
  return repeats_;
}

void Comparison::choose_cotangents() {
  const std::int64_t numel = problem_.outputs().numel();
  std::int64_t largest = 0;
  for (const Variable& variable : problem_.variables()) {
    largest = std::max(largest, variable.numel());
  }
  const auto single = [&](std::int64_t element) {
    // Both signs: an operator's derivative must be right for either.
    cotangents_.push_back({element, random_.sign(), {}});
  };
  const auto dense = [&] {
    std::vector<double> weights;
    bool any = numel == 0;  // the gradient of no elements at all is 0
    for (double value : own_.at.values) {
      const double weight = random_.normal();
      weights.push_back(std::isfinite(value) ? weight : 0.0);
      any = any || std::isfinite(value);
    }
    if (any) {
      cotangents_.push_back({-1, 1, std::move(weights)});
    }
  };
  if (numel <= options_.max_elements && numel * largest <= 1'000'000) {
    complete_ = true;
    for (std::int64_t i = 0; i < numel; ++i) {
      single(i);
    }
    if (numel != 1) {
      dense();
    }
  } else {
    for (int i = 0; i < 4; ++i) {
      dense();
    }
    for (int i = 0; i < 4; ++i) {
      single(random_.below(numel));
    }
  }
}

void Comparison::measure_noise() {
  for (int sample = 0; sample < 3; ++sample) {
    RoundingNoise rounding(random_.bits());
    problem_.evaluate(Place(), rounded_values_.emplace_back(), &rounding);
  }
  for (int sample = 0; sample < 2; ++sample) {
    Place place;
    for (const Variable& variable : problem_.variables()) {
      for (double& x : place.emplace_back(variable.values)) {
        const bool up = random_.sign() > 0;
        x = variable.value.dtype() == Dtype::float32
                ? std::nextafter(static_cast<float>(x), up ? HUGE_VALF : -HUGE_VALF)
                : std::nextafter(x, up ? HUGE_VAL : -HUGE_VAL);
      }
    }
    RoundingNoise rounding(random_.bits());
    problem_.evaluate(place, moved_values_.emplace_back(), &rounding);
    moved_places_.push_back(std::move(place));
  }
}

Direction Comparison::element_direction(std::size_t v, std::int64_t element) const {
  const Variable& variable = problem_.variables()[v];
  const double size = std::abs(variable.values[static_cast<std::size_t>(element)]);
  return {v, element, {}, 0.1 * std::max(size, variable.scale), size};
}

Direction Comparison::random_direction(std::size_t v) {
  const Variable& variable = problem_.variables()[v];
  std::vector<double> dense;
  for (double x : variable.values) {
    dense.push_back(random_.normal() * std::max(std::abs(x), variable.scale));
  }
  return {v, -1, std::move(dense), 0.1, 0};
}

void Comparison::check_variable(std::size_t v) {
  const Variable& variable = problem_.variables()[v];
  GradcheckInput* input = summary(v);
  std::vector<std::int64_t> elements;
  if (variable.numel() <= options_.max_elements) {
    for (std::int64_t i = 0; i < variable.numel(); ++i) {
      elements.push_back(i);
    }
  } else {
    for (int i = 0; i < options_.directions && !stopped(); ++i) {
      check_direction(random_direction(v), own_);
    }
    // Ends, the smallest and the largest are where seams are; the rest by lot.
    const auto smaller = [](double a, double b) { return std::abs(a) < std::abs(b); };
    const auto [least, most] =
        std::minmax_element(variable.values.begin(), variable.values.end(), smaller);
    elements = {0, variable.numel() - 1, least - variable.values.begin(),
                most - variable.values.begin()};
    while (static_cast<int>(elements.size()) < options_.sampled_elements) {
      elements.push_back(random_.below(variable.numel()));
    }
    elements.resize(static_cast<std::size_t>(options_.sampled_elements));
    std::ranges::sort(elements);
    elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
    if (input != nullptr) {
      input->directions += options_.directions;
    }
  }
  for (std::int64_t element : elements) {
    if (stopped()) {
      return;
    }
    if (input != nullptr) {
      ++input->elements;
    }
    check_direction(element_direction(v, element), own_);
  }
}

void Comparison::check_moved() {
  Anchor moved;
  for (const Variable& variable : problem_.variables()) {
    std::vector<double>& values = moved.place.emplace_back(variable.values);
    for (double& x : values) {
      x = variable.rounded(x + 1e-3 * variable.scale * random_.sign() * (0.5 + random_.uniform()));
    }
  }
  moved.at = problem_.record(moved.place);
  for (const Cotangent& cotangent : cotangents_) {
    moved.gradients.push_back(
        Problem::pull(moved.at, problem_.outputs(), cotangent.full(problem_.outputs().numel())));
  }
  report_.warnings.push_back(fmt::format(
      "order {}: along random directions there is no clear derivative at the inputs, for kinks or "
      "for noise; they were checked again at inputs moved by about 0.1%",
      order_));
  for (std::size_t v : kinked_) {
    for (int i = 0; i < options_.directions && !stopped(); ++i) {
      check_direction(random_direction(v), moved);
    }
  }
}

bool compare(Problem& problem, int order, const GradcheckOptions& options,
             GradcheckReport& report) {
  const std::int64_t before = problem.evaluations();
  const bool repeats = Comparison(problem, order, options, report).run();
  report.evaluations += problem.evaluations() - before;
  return repeats;
}

}  // namespace cadena::detail
