#include <cadena/autograd/graph/gradcheck_compare.hpp>

#include <algorithm>
#include <cmath>

namespace cadena::detail {

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
                        bool moved, Observer* observer) {
  const std::size_t v = direction.variable;
  const Variable& variable = problem_.variables()[v];
  noises_.clear();
  std::vector<double> floors;
  for (const Cotangent* cotangent : cotangents) {
    noises_.push_back(std::max(spread(*cotangent, false), tiny_));
    floors.push_back(moved ? std::max(spread(*cotangent, true), tiny_) : noises_.back());
  }
  sizes_.assign(cotangents.size(), 0);
  variations_.assign(cotangents.size(), 0);
  std::vector<double> start = middle(cotangents, anchor);
  return [this, v, observer, &variable, &direction, &anchor, cotangents = std::move(cotangents),
          floors = std::move(floors), start = std::move(start),
          x = anchor.place.empty() ? variable.values : anchor.place[v],
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
      problem_.evaluate(v, x, outputs, observer);
    } else {
      Place place = anchor.place;
      place[v] = x;
      problem_.evaluate(place, outputs, observer);
    }
    x = before;
    for (std::size_t k = 0; k < cotangents.size(); ++k) {
      values[k] = cotangents[k]->apply(outputs);
      const double rounding = cotangents[k]->noise(outputs, roundoff_);
      noise[k] = std::max(floors[k], rounding);
      if (std::isfinite(rounding)) {
        sizes_[k] = std::max(sizes_[k], rounding / roundoff_);
        variations_[k] = std::max(variations_[k], std::abs(values[k] - start[k]));
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
  const double vanishing = (1e-6 * sizes_[k] + 10 * noises_[k]) / direction.first_step;
  return derivative.error <= (noisy ? 1e-2 : 1e-5) * own ||
         (derivative.error <= vanishing && telling(derivative, finding, k, direction));
}

bool Comparison::telling(const Derivative& derivative, const Finding& finding, std::size_t k,
                         const Direction& direction) const {
  if (finding.gradient == 0 || !std::isfinite(finding.gradient)) {
    return true;
  }
  const double own = std::max(std::abs(finding.gradient), finding.magnitude);
  if (10 * derivative.error <= own ||
      std::abs(derivative.value - finding.gradient) <= 1e-3 * own) {  // hardly so by chance
    return true;
  }
  const double negligible = roundoff_ > 1e-10 ? 1e-3 : 1e-6;
  return derivative.error * direction.first_step <=
         negligible * std::max(variations_[k], 0.1 * largest_gradient_);
}

std::vector<Comparison::Evidence> Comparison::gather(const Direction& direction,
                                                     const Anchor& anchor,
                                                     const std::vector<std::size_t>& suspects,
                                                     const std::vector<Derivative>& first) {
  Cotangents chosen;
  std::vector<Finding> findings;
  for (std::size_t k : suspects) {
    chosen.push_back(&cotangents_[k]);
    findings.push_back(finding(direction, anchor.gradients[k]));
  }
  std::vector<Evidence> result(suspects.size());
  const std::vector<ScanRow> rows = scan(direction, anchor, chosen);
  const auto consider = [&](std::size_t i, const Derivative& derivative, std::size_t place) {
    Evidence& evidence = result[i];
    if (!derivative.found()) {
      return;
    }
    const bool is_clear = clear(derivative, findings[i], place, direction);
    if (contradicts(rows, i, derivative)) {
      evidence.contradicted = evidence.contradicted || is_clear;
      return;
    }
    if (drowned(rows, i, noises_[place], sizes_[place])) {
      evidence.contradicted = true;
    } else if (is_clear && (!evidence.central || derivative.error < evidence.central->error)) {
      evidence.central = derivative;
      const auto start = std::ranges::find_if(
          rows, [&](const ScanRow& row) { return std::isfinite(row.slopes[i]); });
      const double typical = start == rows.end() ? 0 : start->sizes[i] / start->step;
      evidence.firm = derivative.error <= 1e-3 * std::abs(derivative.value) + 1e-6 * typical;
    }
    if (!evidence.contradicted && derivative.error < evidence.vague.error) {
      evidence.vague = derivative;
    }
  };
  const Curve exact = curve(direction, anchor, chosen, true);
  for (std::size_t i = 0; i < suspects.size() && !rows.empty(); ++i) {
    const double size = rows[0].sizes[i];
    sizes_[i] = std::isfinite(size) ? size : 0;
  }
  const std::vector<double> values = middle(chosen, anchor);
  const auto consider_from = [&](double step, double ratio) {
    const std::vector<Derivative> found =
        central_derivatives(exact, values, {.first = step, .rows = 45, .ratio = ratio});
    for (std::size_t i = 0; i < found.size(); ++i) {
      consider(i, found[i], i);
    }
  };
  // Steps other than those of the first try, from where differences agree and from 1% downward.
  consider_from(0.0137 * direction.first_step, 1.7);
  std::set<double> starts;
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    starts.insert(plateau(rows, i));
  }
  if (direction.nearest > 0 && direction.nearest < direction.first_step) {
    starts.insert(0.1 * direction.nearest);
  }
  for (double start : starts) {
    if (start > 0) {
      consider_from(start, 1.9);
    }
  }
  for (std::size_t i = 0; i < suspects.size(); ++i) {
    consider(i, first[suspects[i]], i);
  }
  look_aside(direction, anchor, chosen, findings, result);
  return result;
}

void Comparison::look_aside(const Direction& direction, const Anchor& anchor,
                            const Cotangents& chosen, const std::vector<Finding>& findings,
                            std::vector<Evidence>& evidence) {
  // From the steps that told most, or kinks further away would count.
  std::map<double, std::vector<std::size_t>> by_step;
  for (std::size_t i = 0; i < evidence.size(); ++i) {
    const double step = 0.45 * direction.first_step;
    by_step[evidence[i].central ? std::min(step, evidence[i].central->step) : step].push_back(i);
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
      Evidence& found = evidence[indices[i]];
      found.right = right[i];
      found.left = left[i];
      const auto is_clear = [&](const Side& side) {
        return side.finite && side.limit.error <= 1e-3 * sizes_[i] + 1e3 * tiny_ &&
               clear(side.slope, findings[indices[i]], i, direction);
      };
      found.right_clear = is_clear(right[i]);
      found.left_clear = is_clear(left[i]);
    }
  }
}

std::vector<Comparison::ScanRow> Comparison::scan(const Direction& direction, const Anchor& anchor,
                                                  const Cotangents& chosen) {
  constexpr int most = 40;
  const std::size_t count = chosen.size();
  RoundingNoise rounding(random_.bits());
  const Curve plain = curve(direction, anchor, chosen, false);
  const Curve disturbed = curve(direction, anchor, chosen, false, &rounding);
  const double near = direction.nearest > 0 ? std::min(direction.nearest, direction.first_step)
                                            : direction.first_step;
  const double ratio = std::max(7.3, std::pow(direction.first_step / (1e-12 * near), 1.0 / most));
  std::vector<double> above(count), below(count), noise_above(count), noise_below(count);
  std::vector<double> other(count), unused(count);
  std::vector<ScanRow> rows;
  double step = direction.first_step;
  for (int row = 0; row < most && step > 1e-12 * near; ++row, step /= ratio) {
    const double right = plain(step, above, noise_above);
    const double left = plain(-step, below, noise_below);
    const double width = right - left;
    if (!(width > 0)) {
      break;
    }
    disturbed(step, other, unused);
    ScanRow& entry = rows.emplace_back(ScanRow{width / 2, {}, {}, {}});
    for (std::size_t i = 0; i < count; ++i) {
      const double noise =
          std::max(noise_above[i] + noise_below[i], 2 * std::abs(other[i] - above[i]));
      entry.slopes.push_back((above[i] - below[i]) / width);
      entry.noise.push_back(noise);
      entry.sizes.push_back(std::max(std::abs(above[i]), std::abs(below[i])));
    }
  }
  // One sample may be 0 by chance: that of all closer rows and of the two before counts as well.
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<double> noise(rows.size() + 2, 0);
    for (std::size_t row = rows.size(); row-- > 0;) {
      const double own = rows[row].noise[i];
      noise[row] = std::max(noise[row + 1], std::isfinite(own) ? own : 0);
    }
    for (std::size_t row = 0; row < rows.size(); ++row) {
      rows[row].noise[i] = noise[row < 2 ? 0 : row - 2] / (2 * rows[row].step);
    }
  }
  return rows;
}

bool Comparison::drowned(const std::vector<ScanRow>& rows, std::size_t i, double noise,
                         double size) const {
  double largest = 0, variation = 0;
  for (double y : own_.at.values) {
    largest = std::isfinite(y) ? std::max(largest, std::abs(y)) : largest;
  }
  for (const ScanRow& row : rows) {
    const double change = 2 * row.step * std::abs(row.slopes[i]);
    variation = std::isfinite(change) ? std::max(variation, change) : variation;
  }
  // What is flat, or cancels out beside outputs of ordinary size, is ordinary.
  if (variation == 0 || noise <= 1e4 * roundoff_ * largest) {
    return false;
  }
  return noise > 1e-2 * size + tiny_ ||
         (noise > 1e6 * roundoff_ * size + 10 * tiny_ && variation <= 30 * noise);
}

double Comparison::plateau(const std::vector<ScanRow>& rows, std::size_t i) {
  double start = 0;
  for (std::size_t row = rows.size(); row-- > 1;) {
    const double slope = rows[row].slopes[i], coarser = rows[row - 1].slopes[i];
    const bool agree = std::abs(slope - coarser) <= 1e-3 * std::abs(slope) + rows[row].noise[i] &&
                       rows[row].noise[i] <= 1e-3 * std::abs(slope);
    if (agree) {
      start = rows[row - 1].step;
    } else if (start > 0) {
      break;
    }
  }
  return start;
}

bool Comparison::contradicts(const std::vector<ScanRow>& rows, std::size_t i,
                             const Derivative& derivative) {
  const ScanRow* reference = nullptr;
  for (const ScanRow& row : rows) {
    const double off = std::abs(row.slopes[i] - derivative.value);
    if (row.step > 1.01 * derivative.step || !std::isfinite(off)) {
      continue;
    }
    if (reference == nullptr) {
      reference = &row;
      continue;
    }
    const double shrink = row.step / reference->step;
    const double truncation = std::abs(reference->slopes[i] - derivative.value) * shrink * shrink;
    if (off > 10 * (derivative.error + row.noise[i]) + 2 * truncation &&
        off > 1e-6 * std::abs(derivative.value)) {
      return true;
    }
  }
  return false;
}

}  // namespace cadena::detail
