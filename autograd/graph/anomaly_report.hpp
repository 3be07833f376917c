#pragma once

// What AnomalyMode sees in a tensor, and how it tells it; not for users.

#include <cadena/autograd/core/tensor.hpp>

#include <optional>
#include <string>
#include <vector>

namespace cadena::detail {

/// Elements that are no numbers, or infinite.
struct BadElements {
  std::int64_t nan = 0, infinite = 0;
  std::int64_t first = 0;  ///< In row-major order, of those that were asked for.
  double value = 0;
};

/// Whether a floating tensor holds NaN or infinities.
bool all_finite(const Tensor& x);

/// Both are counted; the first is one of those asked for, and no infinity where `passed` (by
/// position, or empty) says so. None if there is none of them.
std::optional<BadElements> find_bad(const Tensor& x, bool nan, bool infinity,
                                    const std::vector<bool>& passed = {});

/// "float32 [2, 3], 1 NaN and 0 infinite of 6, the first at [0, 1]: nan"
std::string describe_bad(const Tensor& x, const BadElements& bad);

/// "float32 [2, 3], min -1, max 2, mean 0.5, 0 NaN, 0 infinite, 1 zero; at [0, 1]: 0". The numbers
/// are of the finite elements. The last is said if the shape is that of `beside`.
std::string describe(const Tensor& x, const Shape& beside, std::int64_t position);

}  // namespace cadena::detail
