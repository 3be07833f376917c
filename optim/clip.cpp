#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/optim/clip.hpp>

#include <cmath>

namespace cadena::optim {
namespace {

void check_bound(const char* operation, const char* what, double value) {
  if (!(value >= 0)) {
    fail("{}: expected a {} of at least 0, got {}", operation, what, value);
  }
}

/// The parameters that have a gradient.
std::vector<Cell> with_gradient(const std::vector<Cell>& parameters) {
  std::vector<Cell> result;
  for (const Cell& cell : parameters) {
    if (cell.grad().defined()) {
      result.push_back(cell);
    }
  }
  return result;
}

}  // namespace

Tensor clip_grad_norm(const std::vector<Cell>& parameters, double max_norm, double norm_type,
                      bool error_if_nonfinite) {
  const NoGrad no_grad;
  check_bound("clip_grad_norm", "max_norm", max_norm);
  std::vector<Tensor> norms;
  const std::vector<Cell> cells = with_gradient(parameters);
  for (const Cell& cell : cells) {
    norms.push_back(norm(cell.grad(), norm_type));
  }
  if (norms.empty()) {
    return zeros({});
  }
  const Tensor total = norm(stack(norms), norm_type);
  if (error_if_nonfinite) {
    detail::check_values("clip_grad_norm", total.to(float64), [](const Input& norm) {
      if (const double value = *norm.data<double>(); !std::isfinite(value)) {
        fail("clip_grad_norm: the norm of the gradients is {}", value);
      }
    });
  }
  const Tensor factor = minimum(max_norm / (total + 1e-6), 1.0);
  for (const Cell& cell : cells) {
    const Tensor gradient = cell.grad();
    cell.set_grad(gradient * factor.to(gradient.dtype()));
  }
  return total;
}

void clip_grad_value(const std::vector<Cell>& parameters, double value) {
  const NoGrad no_grad;
  check_bound("clip_grad_value", "value", value);
  for (const Cell& cell : with_gradient(parameters)) {
    cell.set_grad(clamp(cell.grad(), -value, value));
  }
}

}  // namespace cadena::optim
