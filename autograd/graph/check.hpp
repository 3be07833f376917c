#pragma once

#include <cadena/autograd/core/operand.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <functional>

namespace cadena::detail {

/// Whether the tensor has no value yet, because the function that made it is being captured.
bool is_captured(const Tensor& tensor);

/// Calls check(values), which throws if they are wrong: at once, or, for a captured tensor, each
/// time that the program runs.
void check_values(const char* operation, const Tensor& tensor,
                  std::function<void(const Input& values)> check);

}  // namespace cadena::detail
