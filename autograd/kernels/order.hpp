#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace cadena::kernels {

/// The order in which elements are sorted, searched and told apart, as that of unsigned integers:
/// NaN is the largest, all NaNs are equal, and so are 0 and -0.
template <class T> auto order_key(T x) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    using Key = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    constexpr Key sign = Key{1} << (8 * sizeof(T) - 1);
    const Key bits = x == 0 ? Key{0} : std::bit_cast<Key>(x);
    const Key key = (bits & sign) != 0 ? ~bits : bits | sign;
    return std::isnan(x) ? std::numeric_limits<Key>::max() : key;
  } else if constexpr (sizeof(T) == 8) {
    return static_cast<std::uint64_t>(x) ^ (std::uint64_t{1} << 63);
  } else {
    return static_cast<std::uint8_t>(x);
  }
}

template <class T> using OrderKey = decltype(order_key(T{}));

}  // namespace cadena::kernels
