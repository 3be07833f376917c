#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>
#include <vector>

namespace cadena {

/// x[..., start:stop:step, ...] along an axis, a view. As in Python, negative bounds count from the
/// end and bounds beyond it are clipped; without a bound, from the beginning or to the end. step is
/// at least 1. The gradient is 0 outside of the slice.
Tensor slice(const Tensor& x, std::int64_t axis, std::optional<std::int64_t> start,
             std::optional<std::int64_t> stop = {}, std::int64_t step = 1);

/// x[..., start:start + length, ...] along an axis, a view. A negative start counts from the end;
/// Error unless all of it is inside.
Tensor narrow(const Tensor& x, std::int64_t axis, std::int64_t start, std::int64_t length);

/// x[..., index, ...] along an axis, which disappears; a view. A negative index counts from the
/// end; Error if it is outside.
Tensor select(const Tensor& x, std::int64_t axis, std::int64_t index);

/// Elements added to a dimension.
struct PadWidths {
  std::int64_t before = 0;
  std::int64_t after = 0;
};

/// x with `value` around it, one pair of widths a dimension: pad(x, {{1, 1}, {0, 2}}). Error for
/// widths below 0, or a value that x's dtype does not have.
Tensor pad(const Tensor& x, const std::vector<PadWidths>& widths, double value = 0);

}  // namespace cadena
