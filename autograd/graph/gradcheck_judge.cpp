#include <cadena/autograd/graph/gradcheck_compare.hpp>

#include <algorithm>
#include <cmath>
#include <tuple>

namespace cadena::detail {

using Kind = GradcheckNote::Kind;

namespace {

double length_of(const std::vector<double>& direction) {
  double length = 0;
  for (double part : direction) {
    length = std::hypot(length, part);
  }
  return length;
}

}  // namespace

Comparison::Finding Comparison::finding(const Direction& direction, const Pulled& gradients) const {
  const std::vector<double>& gradient = gradients[direction.variable];
  Finding result;
  result.reached = !gradient.empty();
  result.length = direction.element >= 0 ? 1 : length_of(direction.dense);
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

void Comparison::judge(Finding& finding, const Derivative& derivative, double extra) const {
  const double tolerance =
      roundoff_ > 1e-10 ? std::max(options_.tolerance, 2e-5) : options_.tolerance;
  double own = std::max(std::abs(derivative.value), std::abs(finding.gradient));
  if (std::isfinite(finding.magnitude)) {
    own = std::max(own, finding.magnitude);
  }
  finding.numerical = derivative.value;
  finding.error = derivative.error;
  // Noise is estimated from a few samples: where it decides, more of it is allowed.
  const bool noisy = derivative.error <= 2 * derivative.noise && derivative.error > 1e-5 * own;
  finding.allowed = (noisy ? 10 : 3) * (derivative.error + std::min(extra, 1e-5 * own)) +
                    tolerance * own + 4 * tiny_;
  if (derivative.value == 0) {
    // Flat to the last bit, as after an underflow or 1 + tiny: formulas may know a little more.
    finding.allowed += roundoff_ * finding.length;
  }
  finding.fine = std::isfinite(finding.gradient) &&
                 std::abs(finding.gradient - finding.numerical) <= finding.allowed;
}

double Comparison::gradient_spread(const Direction& direction, std::size_t k) {
  const auto [place, fresh] = moved_gradients_.try_emplace(k);
  if (fresh) {
    const std::int64_t numel = problem_.outputs().numel();
    // Rounded in several ways: where terms cancel out, few numbers are possible.
    for (std::size_t sample = 0; sample < 4 * moved_places_.size(); ++sample) {
      const Place& moved = moved_places_[sample % moved_places_.size()];
      try {
        RoundingNoise rounding(random_.bits());
        const Observing observing(&rounding);  // of backward too
        place->second.push_back(Problem::pull(problem_.record(moved, &rounding), problem_.outputs(),
                                              cotangents_[k].full(numel)));
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
  const std::vector<Derivative> derivatives = central_derivatives(
      curve(direction, anchor, all, true), middle(all, anchor), {.first = direction.first_step});
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
  check_repeatable(8);  // what a random function gives is taken for kinks, jumps and failures
  if (stopped()) {
    return;
  }
  const std::vector<Evidence> evidence = gather(direction, anchor, suspects, derivatives);
  // Where one output is infinite or infinitely steep, gradients of the others hold 0 · infinity.
  bool singular = !std::ranges::all_of(anchor.at.values, [](double y) { return std::isfinite(y); });
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    const auto& [left, right] = std::tie(evidence[i].left, evidence[i].right);
    singular = singular || (std::isinf(findings[suspects[i]].gradient) && !evidence[i].firm) ||
               (!evidence[i].central &&
                (!left.finite || !right.finite || left.diverges || right.diverges));
  }
  const std::size_t failures = report_.failures.size();
  for (std::size_t i = 0; i < suspects.size() && !stopped(); ++i) {
    const bool known = cotangents_[suspects[i]].element < 0 && report_.failures.size() > failures;
    if (!known) {
      decide(direction, anchor, suspects[i], findings[suspects[i]], evidence[i], singular);
    }
  }
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
    const bool zero = std::abs(found.numerical) <= 3 * found.error;
    if (singular && (zero || !evidence.firm)) {
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
  // Where smaller steps tell otherwise, what one side seems to tell is not known either.
  const bool known = evidence.central || !evidence.contradicted;
  const bool left_clear = known && evidence.left_clear;
  const bool right_clear = known && evidence.right_clear;
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
  if (!known && options_.allow_kinks && evidence.left_clear && evidence.right_clear &&
      agrees(left.value, left.value, left.error) != agrees(right.value, right.value, right.error)) {
    // So close beside a kink that no step is shorter: the gradient is the slope of one side.
    note(Kind::kink, direction, k, found, evidence);
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
  } else if (found.fine &&
             (evidence.central ||
              // A gradient of 0 but for rounding, which no difference could be told from.
              (evidence.vague.found() &&
               std::abs(found.gradient) <= 10 * gradient_spread(direction, k)))) {
    accept(direction, k, found);
  } else if (dense && anchor.place.empty() && !evidence.central) {
    kinked_.insert(direction.variable);
  } else if (evidence.central || (evidence.vague.found() && !found.fine)) {
    reject(direction, anchor, k, found);
  } else {
    note(Kind::unresolved, direction, k, found, evidence);
  }
}

}  // namespace cadena::detail
