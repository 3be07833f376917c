#pragma once

#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>

namespace cadena::ops {

using Reduce = Tensor (*)(const Tensor&, const Axes&, bool);

/// Samples of a reduction over axes.
inline std::vector<Sample> reduction_samples(Reduce reduce, bool of_scalar = true) {
  const auto over = [reduce](const Axes& axes, bool keepdim) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return reduce(in[0], axes, keepdim); };
  };
  std::vector<Sample> samples{
      {"all axes", {sample_values({3, 4}, -2, 2, 1)}, over({}, false)},
      {"last axis", {sample_values({3, 4}, -2, 2, 2)}, over({-1}, false)},
      {"first axis, keepdim", {sample_values({3, 4}, -2, 2, 3)}, over({0}, true)},
      {"middle axes", {sample_values({2, 3, 2, 3}, -2, 2, 4)}, over({1, 2}, false)},
      {"axes apart, keepdim", {sample_values({2, 3, 4}, -2, 2, 5)}, over({0, -1}, true)},
      {"axes apart", {sample_values({2, 3, 4}, -2, 2, 6)}, over({-1, 0}, false)},
      {"long row", {sample_values({2, 40}, -2, 2, 7)}, over({1}, false)},
      {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 8))}, over({1}, false)},
      {"no results", {sample_values({0, 3}, -2, 2, 9)}, over({1}, false)},
  };
  if (of_scalar) {
    samples.push_back({"0-d", {sample_values({}, 1, 2, 10)}, over({}, false)});
  }
  return samples;
}

}  // namespace cadena::ops
