// First and second derivatives of every elementwise function with a reference, at 0, at its seams,
// beside them and at random places, against the plain function in long double. Formulas that avoid
// overflow may plant kinks at their seams: there is none in the plain function to excuse it.

#include "sweep.hpp"

#include <cmath>
#include <limits>

using namespace sweep;

namespace {

using Real = long double;
using Plain = std::function<Real(Real)>;

/// A derivative from one side, and what it may be off by.
struct Slope {
  Real value = 0;
  Real error = std::numeric_limits<Real>::infinity();
};

/// quotient(h) for h → 0 by Neville's scheme; its error is a power series in h.
template <class Quotient>
Slope extrapolated(const Quotient& quotient, Real h, Real noise, int order) {
  constexpr int steps = 24;
  Real table[steps][steps];
  Slope best;
  for (int i = 0; i < steps; ++i, h /= 2) {
    table[i][0] = quotient(h);
    Real factor = 1;
    for (int k = 1; k <= i && k < 10; ++k) {
      factor *= 2;
      table[i][k] = (factor * table[i][k - 1] - table[i - 1][k - 1]) / (factor - 1);
      // What rounding of the plain function makes of it, some three times over.
      const Real rounding = 3 * noise / std::pow(h, Real(order));
      const Real error = std::max(std::abs(table[i][k] - table[i][k - 1]),
                                  std::abs(table[i][k] - table[i - 1][k - 1])) +
                         rounding;
      if (std::isfinite(table[i][k]) && error < best.error) {
        best = {table[i][k], error};
      }
    }
  }
  return best;
}

/// The derivative of order 1 or 2 at x towards one side.
Slope one_sided(const Plain& f, Real x, int side, int order) {
  Slope best;
  // The function may live on the scale of x or on that of 1.
  for (Real h : {Real(0.05) * std::abs(x), Real(0.05)}) {
    if (h == 0) {
      continue;
    }
    const Real noise = std::numeric_limits<Real>::epsilon() * std::abs(f(x));
    const auto quotient = [&](Real step) -> Real {
      const Real d = (x + side * step) - x;
      return order == 1 ? (f(x + d) - f(x)) / d : (f(x + 2 * d) - 2 * f(x + d) + f(x)) / (d * d);
    };
    const Slope slope = extrapolated(quotient, h, noise, order);
    best = slope.error < best.error ? slope : best;
  }
  return best;
}

/// Checks one derivative: equal to the plain function's, or between the slopes at a kink.
void check_derivative(const Plain& f, Real x, int order, double got, double scale) {
  const Slope left = one_sided(f, x, -1, order), right = one_sided(f, x, +1, order);
  INFO("order " << order << " at " << static_cast<double>(x) << ": got " << got
                << ", from the left " << static_cast<double>(left.value) << " +- "
                << static_cast<double>(left.error) << ", from the right "
                << static_cast<double>(right.value) << " +- " << static_cast<double>(right.error));
  const bool any = std::isfinite(left.error) || std::isfinite(right.error);
  REQUIRE(any);
  const Real low = std::min(std::isfinite(left.error) ? left.value : right.value,
                            std::isfinite(right.error) ? right.value : left.value);
  const Real high = std::max(std::isfinite(left.error) ? left.value : right.value,
                             std::isfinite(right.error) ? right.value : left.value);
  const auto error_of = [](const Slope& slope) {
    return std::isfinite(slope.error) ? slope.error : Real(0);
  };
  const Real allowed = error_of(left) + error_of(right) +
                       Real(1e-10) * std::max(std::abs(low), std::abs(high)) + Real(1e-14) * scale +
                       Real(1e-322);
  // An estimate that says nothing would let everything pass.
  CHECK(allowed <=
        Real(1e-3) * std::max({std::abs(low), std::abs(high), Real(scale), Real(1e-318)}));
  CHECK(got >= low - allowed);
  CHECK(got <= high + allowed);
}

}  // namespace

TEST_CASE("derivatives at seams and beside them are the plain function's") {
  int functions = 0;
  for (const OperatorEntry& entry : operators().entries()) {
    if (!entry.reference || !entry.differentiable) {
      continue;
    }
    ++functions;
    for (const Sample& sample : entry.samples) {
      const Shape shape = sample.inputs[0].shape();
      bool alike = numel(shape) > 0 && sample.gradient;
      for (const Tensor& input : sample.inputs) {
        alike = alike && input.shape() == shape;
      }
      if (!alike) {
        continue;
      }
      INFO(label(entry, sample));
      std::vector<std::vector<double>> values;
      for (const Tensor& input : sample.inputs) {
        values.push_back(input.to_vector<double>());
      }
      for (std::size_t k = 0; k < sample.inputs.size(); ++k) {
        Inputs in = sample.inputs;
        in[k] = in[k].requires_grad_leaf();
        const Tensor y = sample.call(in);
        const Tensor once = ones_like(y);
        const Tensor first = grad({&y, 1}, {&in[k], 1}, {&once, 1}, {.create_graph = true})[0];
        Tensor second = zeros_like(first);
        if (first.requires_grad()) {
          second = grad({&first, 1}, {&in[k], 1}, {&once, 1}, {.allow_unused = true})[0];
        }
        const std::vector<double> value = y.to_vector<double>(), slope = first.to_vector<double>();
        const std::vector<double> curvature =
            second.defined() ? second.to_vector<double>() : std::vector<double>(value.size(), 0.0);
        for (std::size_t i = 0; i < value.size(); ++i) {
          const Plain plain = [&](Real x) {
            std::vector<Real> at;
            for (const std::vector<double>& numbers : values) {
              at.push_back(numbers[i]);
            }
            at[k] = x;
            return entry.reference(at);
          };
          const Real x = values[k][i];
          INFO("input " << k << ", element " << i);
          // A derivative from the output sees that rounded.
          const double scale = std::abs(value[i]);
          check_derivative(plain, x, 1, slope[i], scale);
          check_derivative(plain, x, 2, curvature[i], std::max(scale, std::abs(slope[i])));
        }
      }
    }
  }
  CHECK(functions > 30);
}
