#pragma once

#include <cadena/autograd/kernels/parallel.hpp>

#include <type_traits>

namespace cadena::kernels {

/// Whether kernels of T flush subnormal results to zero: those of float32 do.
template <class T>
inline constexpr Denormals denormals =
    std::is_same_v<T, float> ? Denormals::flush : Denormals::keep;

}  // namespace cadena::kernels
