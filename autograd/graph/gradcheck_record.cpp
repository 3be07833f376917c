#include <cadena/autograd/graph/gradcheck_compare.hpp>

#include <algorithm>
#include <cmath>

namespace cadena::detail {

using Kind = GradcheckNote::Kind;

GradcheckPlace Comparison::place(const Direction& direction, const Cotangent& cotangent,
                                 const Finding& finding) const {
  const Variable& variable = problem_.variables()[direction.variable];
  const OutputList& outputs = problem_.outputs();
  GradcheckPlace result;
  result.order = order_;
  result.input = variable.name;
  result.input_shape = variable.value.shape();
  result.input_element = direction.element;
  result.reached = finding.reached;
  double sign = 1;
  if (cotangent.element >= 0) {
    const OutputElement at = outputs.at(cotangent.element);
    result.output = outputs.names[at.output];
    result.output_shape = outputs.types[at.output].shape;
    result.output_element = at.element;
    sign = cotangent.weight;
  } else {
    result.output = outputs.names.size() == 1 ? outputs.names[0] : "all outputs";
  }
  result.gradient = sign * finding.gradient;
  result.numerical = sign * finding.numerical;
  result.error = finding.error;
  result.allowed = finding.allowed;
  const double ratio = std::abs(finding.gradient - finding.numerical) / finding.allowed;
  const bool equal = finding.gradient == finding.numerical;
  result.ratio = equal ? 0 : std::isnan(ratio) ? std::numeric_limits<double>::infinity() : ratio;
  return result;
}

void Comparison::accept(const Direction& direction, std::size_t k, const Finding& finding) {
  ++report_.comparisons;
  ++compared_[direction.variable];
  const double difference = std::abs(finding.gradient - finding.numerical);
  const double ratio = difference == 0 ? 0 : difference / finding.allowed;
  if (GradcheckInput* input = summary(direction.variable)) {
    input->worst = std::max(input->worst, ratio);
  }
  if (!report_.worst || ratio > report_.worst->ratio) {
    report_.worst = place(direction, cotangents_[k], finding);
  }
}

void Comparison::reject(Direction direction, const Anchor& anchor, std::size_t k, Finding finding) {
  ++report_.comparisons;
  ++compared_[direction.variable];
  Cotangent cotangent = cotangents_[k];
  narrow(direction, anchor, cotangent, finding);
  report_.failures.push_back(place(direction, cotangent, finding));
  const GradcheckPlace& failure = report_.failures.back();
  if (GradcheckInput* input = summary(direction.variable)) {
    ++input->failures;
    input->worst = std::max(input->worst, failure.ratio);
  }
  if (!report_.worst || failure.ratio > report_.worst->ratio) {
    report_.worst = failure;
  }
}

void Comparison::note(Kind kind, const Direction& direction, std::size_t k, const Finding& finding,
                      const Evidence& evidence) {
  switch (kind) {
    case Kind::kink:
    case Kind::jump:
    case Kind::edge:
      ++report_.comparisons;
      ++compared_[direction.variable];
      ++report_.kinks;
      break;
    case Kind::infinite:
    case Kind::not_finite:
      ++report_.singular;
      break;
    case Kind::unresolved:
      if (cotangents_[k].element < 0 && complete_) {
        return;  // each output element tells more
      }
      ++report_.unresolved;
      break;
  }
  if (report_.notes.size() < 100) {
    const Cotangent& cotangent = cotangents_[k];
    const double sign = cotangent.element >= 0 ? cotangent.weight : 1;
    const auto slope = [&](const Side& side) {
      return sign * (side.diverges ? std::copysign(HUGE_VAL, side.steepest) : side.slope.value);
    };
    report_.notes.push_back(
        {kind, place(direction, cotangent, finding), slope(evidence.left), slope(evidence.right)});
  }
}

Comparison::Finding Comparison::probe(const Direction& direction, const Anchor& anchor,
                                      const Cotangent& cotangent, const Pulled& gradients) {
  Finding found = finding(direction, gradients);
  const Curve along = curve(direction, anchor, {&cotangent}, true);
  const std::vector<double> value = middle({&cotangent}, anchor);
  const Derivative coarse = central_derivatives(along, value, {.first = direction.first_step})[0];
  judge(found, coarse, 0);
  if (found.fine) {
    return found;
  }
  const Derivative close = central_derivatives(
      along, value, {.first = 0.0137 * direction.first_step, .rows = 45, .ratio = 1.7})[0];
  if (clear(close, found, 0, direction)) {
    judge(found, close, 0);
  } else {
    found.fine = !clear(coarse, found, 0, direction);
  }
  return found;
}

void Comparison::narrow(Direction& direction, const Anchor& anchor, Cotangent& cotangent,
                        Finding& found) {
  const std::int64_t numel = problem_.outputs().numel();
  const auto indices = [](const std::vector<double>& weights) {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      if (weights[i] != 0) {
        result.push_back(i);
      }
    }
    return result;
  };
  const auto ratio = [](const Finding& finding) {
    const double value = std::abs(finding.gradient - finding.numerical) / finding.allowed;
    return finding.fine ? -1.0 : std::isnan(value) ? HUGE_VAL : value;
  };
  // Halves the weights, keeping the half that fails by more, down to one element.
  const auto halve = [&](auto make, const std::vector<double>& weights, auto keep) {
    std::vector<std::size_t> support = indices(weights);
    while (support.size() > 1) {
      std::optional<Finding> worst;
      std::vector<std::size_t> its_support;
      const auto middle = support.begin() + static_cast<std::ptrdiff_t>(support.size() / 2);
      for (auto [from, to] :
           {std::pair(support.begin(), middle), std::pair(middle, support.end())}) {
        std::vector<double> half(weights.size(), 0);
        std::for_each(from, to, [&](std::size_t i) { half[i] = weights[i]; });
        const Finding finding = make(half);
        if (!finding.fine && (!worst || ratio(finding) > ratio(*worst))) {
          worst = finding;
          its_support.assign(from, to);
        }
      }
      if (!worst) {
        return;
      }
      support = its_support;
      found = *worst;
    }
    if (support.size() == 1) {
      keep(support[0]);
    }
  };
  Pulled gradients = Problem::pull(anchor.at, problem_.outputs(), cotangent.full(numel));
  if (direction.element < 0) {
    halve(
        [&](const std::vector<double>& half) {
          return probe({direction.variable, -1, half, direction.first_step, 0}, anchor, cotangent,
                       gradients);
        },
        direction.dense,
        [&](std::size_t element) {
          const Direction single =
              element_direction(direction.variable, static_cast<std::int64_t>(element));
          const Finding finding = probe(single, anchor, cotangent, gradients);
          if (!finding.fine) {
            direction = single;
            found = finding;
          }
        });
  }
  if (cotangent.element < 0) {
    const auto test = [&](const Cotangent& part) {
      return probe(direction, anchor, part,
                   Problem::pull(anchor.at, problem_.outputs(), part.full(numel)));
    };
    halve(
        [&](const std::vector<double>& half) {
          return test({-1, 1, half});
        },
        cotangent.dense,
        [&](std::size_t element) {
          const Cotangent single{static_cast<std::int64_t>(element), 1, {}};
          const Finding finding = test(single);
          if (!finding.fine) {
            cotangent = single;
            found = finding;
          }
        });
  }
}

}  // namespace cadena::detail
