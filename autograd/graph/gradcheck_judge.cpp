#include <cadena/autograd/graph/gradcheck_compare.hpp>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace cadena::detail {

using Kind = GradcheckNote::Kind;

double Comparison::spread(const Cotangent& cotangent, bool moved) const {
  const double own = cotangent.apply(own_.at.values);
  double widest = 0;
  const auto widen = [&](const std::vector<std::vector<double>>& others) {
    for (const std::vector<double>& other : others) {
      const double change = std::abs(cotangent.apply(other) - own);
      if (std::isfinite(change)) {
        widest = std::max(widest, change);
      }
    }
  };
  widen(rounded_values_);
  if (moved) {
    widen(moved_values_);
  }
  return widest;
}

Curve Comparison::curve(const Direction& direction, const Anchor& anchor, Cotangents cotangents,
                        bool moved) {
  const std::size_t v = direction.variable;
  const Variable& variable = problem_.variables()[v];
  noises_.clear();
  std::vector<double> floors;
  for (const Cotangent* cotangent : cotangents) {
    noises_.push_back(std::max(spread(*cotangent, false), tiny_));
    floors.push_back(moved ? std::max(spread(*cotangent, true), tiny_) : noises_.back());
  }
  sizes_.assign(cotangents.size(), 0);
  return [this, v, &variable, &direction, &anchor, cotangents = std::move(cotangents),
          floors = std::move(floors), x = anchor.place.empty() ? variable.values : anchor.place[v],
          outputs = std::vector<double>()](double t, std::span<double> values,
                                           std::span<double> noise) mutable {
    const std::vector<double> before = x;
    double taken = t;
    if (direction.element >= 0) {
      double& element = x[static_cast<std::size_t>(direction.element)];
      const double own = element;
      element = variable.rounded(own + t);
      taken = element - own;
    } else {
      for (std::size_t i = 0; i < x.size(); ++i) {
        x[i] = variable.rounded(x[i] + t * direction.dense[i]);
      }
    }
    if (anchor.place.empty()) {
      problem_.evaluate(v, x, outputs);
    } else {
      Place place = anchor.place;
      place[v] = x;
      problem_.evaluate(place, outputs);
    }
    x = before;
    for (std::size_t k = 0; k < cotangents.size(); ++k) {
      values[k] = cotangents[k]->apply(outputs);
      const double rounding = cotangents[k]->noise(outputs, roundoff_);
      noise[k] = std::max(floors[k], rounding);
      if (std::isfinite(rounding)) {
        sizes_[k] = std::max(sizes_[k], rounding / roundoff_);
      }
    }
    return taken;
  };
}

std::vector<double> Comparison::middle(const Cotangents& cotangents, const Anchor& anchor) const {
  std::vector<double> values;
  for (const Cotangent* cotangent : cotangents) {
    values.push_back(cotangent->apply(anchor.at.values));
  }
  return values;
}

Comparison::Finding Comparison::finding(const Direction& direction, const Pulled& gradients) const {
  const std::vector<double>& gradient = gradients[direction.variable];
  Finding result;
  result.reached = !gradient.empty();
  if (!result.reached) {
    return result;
  }
  if (direction.element >= 0) {
    result.gradient = gradient[static_cast<std::size_t>(direction.element)];
    result.magnitude = std::abs(result.gradient);
    return result;
  }
  long double sum = 0, squares = 0;
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    if (direction.dense[i] != 0) {
      const long double term = static_cast<long double>(gradient[i]) * direction.dense[i];
      sum += term;
      squares += term * term;
    }
  }
  result.gradient = static_cast<double>(sum);
  result.magnitude = static_cast<double>(std::sqrt(squares));
  return result;
}

bool Comparison::clear(const Derivative& derivative, const Finding& finding, std::size_t k,
                       const Direction& direction) const {
  if (!derivative.found()) {
    return false;
  }
  double own = std::abs(derivative.value);
  if (std::isfinite(finding.gradient)) {
    own = std::max({own, std::abs(finding.gradient), finding.magnitude});
  }
  const bool noisy = derivative.error <= 2 * derivative.noise;  // no step would tell more
  // A derivative that moves outputs by less than their noise is 0 as far as numbers tell.
  const double vanishing = (0x1p-26 * sizes_[k] + 10 * noises_[k]) / direction.first_step;
  return derivative.error <= (noisy ? 0.1 : 1e-5) * own || derivative.error <= vanishing;
}

void Comparison::judge(Finding& finding, const Derivative& derivative, double extra) const {
  const double tolerance =
      roundoff_ > 1e-10 ? std::max(options_.tolerance, 2e-5) : options_.tolerance;
  double own = std::max(std::abs(derivative.value), std::abs(finding.gradient));
  if (std::isfinite(finding.magnitude)) {
    own = std::max(own, finding.magnitude);
  }
  finding.numerical = derivative.value;
  finding.error = derivative.error;
  finding.allowed =
      3 * (derivative.error + std::min(extra, 1e-5 * own)) + tolerance * own + 4 * tiny_;
  finding.fine = std::isfinite(finding.gradient) &&
                 std::abs(finding.gradient - finding.numerical) <= finding.allowed;
}

double Comparison::gradient_spread(const Direction& direction, std::size_t k) {
  const auto [place, fresh] = moved_gradients_.try_emplace(k);
  if (fresh) {
    const std::int64_t numel = problem_.outputs().numel();
    for (const Place& moved : moved_places_) {
      try {
        place->second.push_back(
            Problem::pull(problem_.record(moved), problem_.outputs(), cotangents_[k].full(numel)));
      } catch (const Error&) {
        // Outside of the domain: nothing to learn there.
      }
    }
  }
  const double own = finding(direction, own_.gradients[k]).gradient;
  double widest = 0;
  for (const Pulled& moved : place->second) {
    const double change = std::abs(finding(direction, moved).gradient - own);
    if (std::isfinite(change)) {
      widest = std::max(widest, change);
    }
  }
  return widest;
}

void Comparison::check_direction(const Direction& direction, const Anchor& anchor) {
  Cotangents all;
  for (const Cotangent& cotangent : cotangents_) {
    all.push_back(&cotangent);
  }
  const std::vector<Derivative> derivatives =
      central_derivatives(curve(direction, anchor, all, true), middle(all, anchor),
                          {.first = direction.first_step});
  std::vector<std::size_t> suspects;
  std::vector<Finding> findings;
  for (std::size_t k = 0; k < all.size(); ++k) {
    Finding found = finding(direction, anchor.gradients[k]);
    judge(found, derivatives[k], 0);
    if (found.fine && derivatives[k].bend == 0 && clear(derivatives[k], found, k, direction)) {
      accept(direction, k, found);
    } else {
      suspects.push_back(k);
    }
    findings.push_back(found);
  }
  if (suspects.empty()) {
    return;
  }
  const std::vector<Evidence> evidence = gather(direction, anchor, suspects, derivatives);
  // Where one output is infinite or infinitely steep, gradients of the others hold 0 · infinity.
  bool singular =
      !std::ranges::all_of(anchor.at.values, [](double y) { return std::isfinite(y); });
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    const auto& [left, right] = std::tie(evidence[i].left, evidence[i].right);
    singular = singular || (!evidence[i].central &&
                            (std::isinf(findings[suspects[i]].gradient) || !left.finite ||
                             !right.finite || left.diverges || right.diverges));
  }
  const std::size_t failures = report_.failures.size();
  for (std::size_t i = 0; i < suspects.size() && !stopped(); ++i) {
    const bool known = cotangents_[suspects[i]].element < 0 && report_.failures.size() > failures;
    if (!known) {
      decide(direction, anchor, suspects[i], findings[suspects[i]], evidence[i], singular);
    }
  }
}

std::vector<Comparison::Evidence> Comparison::gather(const Direction& direction,
                                                     const Anchor& anchor,
                                                     const std::vector<std::size_t>& suspects,
                                                     const std::vector<Derivative>& first) {
  Cotangents chosen;
  for (std::size_t k : suspects) {
    chosen.push_back(&cotangents_[k]);
  }
  std::vector<Evidence> result(suspects.size());
  const auto consider = [&](const std::vector<Derivative>& found, bool by_suspect) {
    for (std::size_t i = 0; i < suspects.size(); ++i) {
      const std::size_t k = suspects[i];
      const Derivative& derivative = found[by_suspect ? i : k];
      const bool clearly =
          clear(derivative, finding(direction, anchor.gradients[k]), by_suspect ? i : k, direction);
      std::optional<Derivative>& best = result[i].central;
      if (clearly && (!best || derivative.step < best->step)) {
        best = derivative;
      }
      if (derivative.error < result[i].vague.error) {
        result[i].vague = derivative;
      }
    }
  };
  consider(first, false);
  // Steps other than those of the first try, and from 1% of them downward.
  const Curve exact = curve(direction, anchor, chosen, true);
  const std::vector<double> values = middle(chosen, anchor);
  const std::vector<Derivative> again = central_derivatives(
      exact, values, {.first = 0.0137 * direction.first_step, .rows = 45, .ratio = 1.7});
  consider(again, true);
  if (direction.nearest > 0 && direction.nearest < direction.first_step) {
    consider(central_derivatives(exact, values, {.first = 0.1 * direction.nearest, .rows = 45}),
             true);
  }
  // From the steps that told most, or kinks further away would count.
  std::map<double, std::vector<std::size_t>> by_step;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const double step = 0.45 * direction.first_step;
    by_step[result[i].central ? std::min(step, result[i].central->step) : step].push_back(i);
  }
  for (const auto& [step, indices] : by_step) {
    Cotangents group;
    for (std::size_t i : indices) {
      group.push_back(chosen[i]);
    }
    // Without moves by an ulp: at a jump they are as large as the jump.
    const Curve plain = curve(direction, anchor, group, false);
    const Ladder ladder{.first = step, .rows = 45};
    const std::vector<Side> right = one_sided_derivatives(plain, group.size(), 1, ladder);
    const std::vector<Side> left = one_sided_derivatives(plain, group.size(), -1, ladder);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      Evidence& evidence = result[indices[i]];
      const Finding found = finding(direction, anchor.gradients[suspects[indices[i]]]);
      evidence.right = right[i];
      evidence.left = left[i];
      evidence.right_clear = right[i].finite && clear(right[i].slope, found, i, direction);
      evidence.left_clear = left[i].finite && clear(left[i].slope, found, i, direction);
    }
  }
  return result;
}

void Comparison::decide(const Direction& direction, const Anchor& anchor, std::size_t k,
                        Finding found, const Evidence& evidence, bool singular) {
  if (evidence.central) {
    judge(found, *evidence.central, 0);
    if (!found.fine && std::isfinite(found.gradient)) {
      judge(found, *evidence.central, gradient_spread(direction, k));
    }
    if (found.fine && evidence.central->bend == 0) {
      accept(direction, k, found);
      return;
    }
  } else {
    judge(found, evidence.vague, 0);
  }
  if (!std::isfinite(cotangents_[k].apply(anchor.at.values)) ||
      (!evidence.left.finite && !evidence.right.finite)) {
    note(Kind::not_finite, direction, k, found, evidence);
  } else if (!evidence.central && (evidence.left.diverges || evidence.right.diverges)) {
    note(Kind::infinite, direction, k, found, evidence);
  } else if (!std::isfinite(found.gradient)) {
    if (singular && (!evidence.central || std::abs(found.numerical) <= 3 * found.error)) {
      note(Kind::infinite, direction, k, found, evidence);
    } else {
      reject(direction, anchor, k, found);
    }
  } else {
    decide_by_sides(direction, anchor, k, found, evidence);
  }
}

void Comparison::decide_by_sides(const Direction& direction, const Anchor& anchor, std::size_t k,
                                 Finding found, const Evidence& evidence) {
  const auto [left, right] = std::pair(evidence.left.slope, evidence.right.slope);
  const bool left_clear = evidence.left_clear, right_clear = evidence.right_clear;
  const auto agrees = [&](double low, double high, double error) {
    const double own = std::max({std::abs(low), std::abs(high), std::abs(found.gradient)});
    const double slack = 3 * error + options_.tolerance * own;
    return found.gradient >= low - slack && found.gradient <= high + slack;
  };
  const bool dense = direction.element < 0;
  if (left_clear && right_clear) {
    const double low = std::min(left.value, right.value), high = std::max(left.value, right.value);
    const double error = left.error + right.error;
    const Derivative &below = evidence.left.limit, &above = evidence.right.limit;
    const bool kink = high - low > 3 * error + 1e-6 * std::max(std::abs(low), std::abs(high));
    const bool jump = std::abs(above.value - below.value) >
                      10 * (above.error + below.error) +
                          1e-7 * std::max(std::abs(above.value), std::abs(below.value));
    if (agrees(low, high, error)) {
      if (kink || jump) {
        note(jump ? Kind::jump : Kind::kink, direction, k, found, evidence);
        if (!options_.allow_kinks) {
          reject(direction, anchor, k, found);
        }
      } else {
        judge(found, {(low + high) / 2, error, left.noise + right.noise, right.step}, 0);
        accept(direction, k, found);
      }
      return;
    }
    if (dense && (kink || jump)) {
      kinked_.insert(direction.variable);
      note(jump ? Kind::jump : Kind::kink, direction, k, found, evidence);
      return;
    }
    if (!evidence.central) {
      const bool below_both = found.gradient < low;
      judge(found, below_both == (left.value < right.value) ? left : right, 0);
    }
    reject(direction, anchor, k, found);
    return;
  }
  const bool edge = evidence.left.finite != evidence.right.finite;
  if (edge && (left_clear || right_clear)) {
    const Derivative& slope = left_clear ? left : right;
    judge(found, slope, 0);
    if (agrees(slope.value, slope.value, slope.error)) {
      note(Kind::edge, direction, k, found, evidence);
    } else {
      reject(direction, anchor, k, found);
    }
  } else if (evidence.central && found.fine) {
    accept(direction, k, found);
  } else if (evidence.central || (evidence.vague.found() && !found.fine)) {
    if (dense && !evidence.central) {
      kinked_.insert(direction.variable);
      note(Kind::unresolved, direction, k, found, evidence);
    } else {
      reject(direction, anchor, k, found);
    }
  } else {
    note(Kind::unresolved, direction, k, found, evidence);
  }
}

}  // namespace cadena::detail
