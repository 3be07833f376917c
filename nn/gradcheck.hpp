#pragma once

#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/nn/module.hpp>

#include <concepts>
#include <functional>
#include <type_traits>
#include <vector>

namespace cadena::nn {

/// Checks the gradients of f(model, inputs) with respect to the inputs and all parameters, on a
/// clone of the model in float64 (the model itself is not touched):
///   gradcheck(model, [](const Mlp& m, const auto& in) { return m(in[0]); }, {x})
/// What is random in training mode makes f no function: call eval(model) before. Generators of the
/// model and the default one are left as they were.
template <std::copy_constructible Model, class F>
  requires std::is_invocable_v < F&, const Model&, const std::vector<Tensor>
& > GradcheckReport gradcheck(const Model& model, F&& f, const std::vector<Tensor>& inputs,
                              const GradcheckOptions& options = {}) {
  const Model copy = clone(model);
  to(copy, float64);
  const auto function = [&](const std::vector<Tensor>& values) {
    return std::invoke(f, copy, values);
  };
  return gradcheck_cells(function, named_parameters(copy), inputs, options);
}

}  // namespace cadena::nn

namespace cadena {
using nn::gradcheck;
}
