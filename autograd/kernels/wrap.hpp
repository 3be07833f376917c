#pragma once

#include <cadena/autograd/kernels/arch.hpp>

#include <cstdint>
#include <type_traits>

namespace cadena::kernels {

/// a + b, where integers wrap around: overflow of signed numbers is undefined, of unsigned ones
/// not.
template <class T> CADENA_INLINE T wrapping_sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  } else {
    return a + b;
  }
}

/// a b of the same kind.
template <class T> CADENA_INLINE T wrapping_product(T a, T b) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
  } else {
    return a * b;
  }
}

}  // namespace cadena::kernels
