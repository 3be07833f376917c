#include <cadena/autograd/graph/gradcheck_compare.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

// What is checked of the function and of backward as such.

namespace cadena::detail {
namespace {

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

}  // namespace

void Comparison::check_repeatable(int times) {
  std::vector<double> again;
  for (int i = 0; i < times && repeats_; ++i) {
    problem_.evaluate(Place(), again);
    repeats_ = same_bits(again, own_.at.values);
  }
  if (repeats_) {
    return;
  }
  // What was found until now has no meaning.
  report_.failures.clear();
  report_.notes.clear();
  report_.worst.reset();
  report_.kinks = report_.singular = report_.unresolved = 0;
  for (GradcheckInput& input : report_.inputs) {
    input.worst = 0;
    input.failures = 0;
  }
  report_.problems = {fmt::format(
      "order {}: two calls with the same inputs give different values: the function is random, or "
      "keeps a state (dropout in training mode? call nn::eval(model))",
      order_)};
}

void Comparison::find_gaps() {
  const auto finite = [](double y) { return std::isfinite(y); };
  const std::vector<double>& values = own_.at.values;
  const auto lost = std::ssize(values) - std::ranges::count_if(values, finite);
  if (order_ == 1 && lost > 0) {  // at order 2 these are infinite slopes, noted at order 1
    report_.gaps.push_back(fmt::format(
        "{} of {} elements of the outputs are infinite or NaN at the inputs: they have no "
        "derivative to compare with",
        lost, values.size()));
  }
  for (std::size_t v = 0; v < compared_.size(); ++v) {
    const Variable& variable = problem_.variables()[v];
    if (variable.numel() > 0 && compared_[v] == 0) {
      report_.gaps.push_back(
          fmt::format("order {}: no gradient of {} was compared: there is no plain derivative at "
                      "any of the places looked at",
                      order_, variable.name));
    }
  }
}

void Comparison::check_layout() {
  Place contiguous;
  bool any = false;
  for (const Variable& variable : problem_.variables()) {
    const bool strided = !variable.value.is_contiguous();
    contiguous.push_back(strided ? variable.values : std::vector<double>());
    any = any || strided;
  }
  if (!any) {
    return;
  }
  std::vector<double> values;
  problem_.evaluate(contiguous, values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double own = own_.at.values[i];
    // Another order of a sum is as good: where terms cancel out, their rounding is what counts.
    const double noise = spread({static_cast<std::int64_t>(i), 1, {}}, true);
    if (std::isfinite(own) &&
        !(std::abs(values[i] - own) <= 1e4 * roundoff_ * std::abs(own) + 100 * noise)) {
      const OutputElement where = problem_.outputs().at(static_cast<std::int64_t>(i));
      report_.problems.push_back(fmt::format(
          "order {}: {} has other values for strided inputs than for contiguous ones: {} against "
          "{}",
          order_, problem_.outputs().names[where.output], own, values[i]));
      return;
    }
  }
}

void Comparison::check_backward() {
  const Pulled again = Problem::pull(own_.at, problem_.outputs(),
                                     cotangents_.back().full(problem_.outputs().numel()));
  for (std::size_t v = 0; v < again.size(); ++v) {
    if (!same_bits(again[v], own_.gradients.back()[v])) {
      report_.problems.push_back(
          fmt::format("order {}: two backward passes over one graph give {} different bits", order_,
                      problem_.variables()[v].name));
    }
  }
}

}  // namespace cadena::detail
