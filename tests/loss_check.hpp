#pragma once

// What the tests of losses share.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/nn/loss.hpp>

#include <functional>

namespace loss_check {

using cadena::Reduction;
using cadena::Tensor;
using support::Values;

inline Tensor f64(const cadena::Nested& numbers) {
  return cadena::tensor(numbers, {.dtype = cadena::float64});
}

inline void check_values(const Tensor& x, const Values& expected) {
  const Values got = support::values(x);
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-14));
  }
}

inline double sum_of(const Values& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum;
}

using Reduced = std::function<Tensor(Reduction)>;

/// Single losses, their sum, and their mean.
inline void check_reductions(const Reduced& loss, const Values& expected) {
  check_values(loss(Reduction::none), expected);
  check_values(loss(Reduction::sum), {sum_of(expected)});
  check_values(loss(Reduction::mean), {sum_of(expected) / static_cast<double>(expected.size())});
}

/// First and second derivatives.
template <class F> void check_gradients(F&& f, const std::vector<Tensor>& inputs) {
  const cadena::GradcheckReport report = cadena::gradcheck(f, inputs, {.order = 2});
  INFO(report.text());
  CHECK(report.passed());
}

}  // namespace loss_check
