#pragma once

#include <cadena/autograd/core/operand.hpp>

#include <cstddef>
#include <cstdint>

namespace cadena::kernels {

/// One elementwise kernel: out[j][i] = f(in[0][i], in[1][i], ...) for i in [0, n), on contiguous
/// arrays of the dtypes it was compiled for.
using TileKernel = void (*)(const void* functor, const std::byte* const* in, std::byte* const* out,
                            std::int64_t n);

/// The kernels of a functor whose derivative depends on `points` values: f by dtype (float32,
/// float64, int64; null where it is not defined), g·∂f/∂x_k and h·g·∂²f/(∂x_k ∂x_j) by
/// dtype (float32, float64).
template <int points> struct ElementwiseKernels {
  TileKernel value[3] = {};
  TileKernel gradient[points][3] = {};
  TileKernel second[points][points][3] = {};
};

/// Index of a dtype in the arrays above.
constexpr int kernel_index(Dtype dtype) noexcept {
  return dtype == Dtype::float32 ? 0 : dtype == Dtype::float64 ? 1 : 2;
}

/// Runs a kernel over inputs of one shape, strided as they come, in parallel. Broadcast and strided
/// inputs are laid out tile by tile in the first-level cache, never as a whole.
void run_tiles(TileKernel kernel, const void* functor, Inputs inputs, Outputs outputs);

}  // namespace cadena::kernels
