#pragma once

#include <cadena/autograd/core/cell.hpp>

#include <vector>

namespace cadena::optim {

// Between backward and the optimizer's step. Parameters without a gradient are left out.

/// Multiplies all gradients by max_norm / (total + 1e-6) where that is below 1 (Pascanu, Mikolov
/// and Bengio 2013), and gives the total: the norm of all gradients as one vector, before (0 if
/// there are none). `norm_type` p is that of `norm`: at least 1, perhaps infinite. Nothing is read
/// but for `error_if_nonfinite`, which makes a total that is infinite or NaN an Error; then nothing
/// has changed.
Tensor clip_grad_norm(const std::vector<Cell>& parameters, double max_norm, double norm_type = 2,
                      bool error_if_nonfinite = false);

/// Brings each element of the gradients into [-value, value].
void clip_grad_value(const std::vector<Cell>& parameters, double value);

}  // namespace cadena::optim
