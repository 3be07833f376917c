#pragma once

#include <cadena/autograd/core/create.hpp>

#include <optional>

namespace cadena {

/// The rows of a table [rows, width] at indices (int64, any shape): [..., width]. Error at an index
/// outside of [0, rows): it names it, its position and the number of rows. The gradient of a row is
/// the sum over the places where it was taken, in order: the same bits for any number of threads.
/// Row padding_index (negative: from the end) has none.
Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<std::int64_t> padding_index = {});

/// labels (int64 or uint8, any shape) as rows with a 1 at the label: [..., classes], float32 unless
/// said. Error if a label is outside [0, classes).
Tensor one_hot(const Tensor& labels, std::int64_t classes, TensorOptions options = {});

}  // namespace cadena
