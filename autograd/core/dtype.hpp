#pragma once

#include <cadena/autograd/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>

namespace cadena {

/// Types of elements, in the order of promotion within a category.
enum class Dtype : std::uint8_t { boolean, uint8, int64, float32, float64 };

inline constexpr Dtype boolean = Dtype::boolean;
inline constexpr Dtype uint8 = Dtype::uint8;
inline constexpr Dtype int64 = Dtype::int64;
inline constexpr Dtype float32 = Dtype::float32;
inline constexpr Dtype float64 = Dtype::float64;

inline constexpr Dtype all_dtypes[] = {boolean, uint8, int64, float32, float64};

const char* name(Dtype dtype) noexcept;
std::ostream& operator<<(std::ostream& stream, Dtype dtype);

/// Bytes of one element.
constexpr std::size_t size_of(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::boolean:
    case Dtype::uint8:
      return 1;
    case Dtype::float32:
      return 4;
    default:
      return 8;
  }
}

constexpr bool is_floating(Dtype dtype) noexcept { return dtype >= Dtype::float32; }

/// The dtype that both convert to (PyTorch's rule): the later of the enumeration; `promotion_table`
/// prints all pairs. 0-d tensors and numbers promote by category only, see `result_dtype`.
constexpr Dtype promote(Dtype a, Dtype b) noexcept { return a < b ? b : a; }

/// The table of `promote`, one row and one column a dtype.
std::string promotion_table();

namespace detail {

template <class T> struct DtypeOf;
template <> struct DtypeOf<bool> { static constexpr Dtype value = Dtype::boolean; };
template <> struct DtypeOf<std::uint8_t> { static constexpr Dtype value = Dtype::uint8; };
template <> struct DtypeOf<std::int64_t> { static constexpr Dtype value = Dtype::int64; };
template <> struct DtypeOf<float> { static constexpr Dtype value = Dtype::float32; };
template <> struct DtypeOf<double> { static constexpr Dtype value = Dtype::float64; };

}  // namespace detail

/// C++ types that tensors hold.
template <class T>
concept Element = requires {
  detail::DtypeOf<T>::value;
};

template <Element T> inline constexpr Dtype dtype_of = detail::DtypeOf<T>::value;

/// Whether an integer type holds a number, what is behind the point aside.
template <std::integral To, class From> constexpr bool in_range(From x) noexcept {
  if constexpr (std::is_floating_point_v<From>) {
    // The bounds themselves may round up on conversion; the one above is exact.
    constexpr From above =
        static_cast<From>(std::uint64_t{1} << (std::numeric_limits<To>::digits - 1)) * 2;
    constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
    return (x > low - 1 || x == low) && x < above;
  } else {
    return std::in_range<To>(x);
  }
}

/// x as another type. A floating number truncates to an integer; NaN gives 0 there, and what is out
/// of range the nearest bound (a cast would be undefined).
template <Element To, class From> constexpr To convert_number(From x) noexcept {
  if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To> &&
                !std::is_same_v<To, bool>) {
    constexpr From low = static_cast<From>(std::numeric_limits<To>::min());
    constexpr From high = static_cast<From>(std::numeric_limits<To>::max());
    return x != x      ? To{0}
           : x <= low  ? std::numeric_limits<To>::min()
           : x >= high ? std::numeric_limits<To>::max()
                       : static_cast<To>(x);
  } else {
    return static_cast<To>(x);
  }
}

/// Calls body.operator()<T>() with the C++ type of dtype.
template <class Body> decltype(auto) dispatch(Dtype dtype, Body&& body) {
  switch (dtype) {
    case Dtype::boolean:
      return body.template operator()<bool>();
    case Dtype::uint8:
      return body.template operator()<std::uint8_t>();
    case Dtype::int64:
      return body.template operator()<std::int64_t>();
    case Dtype::float32:
      return body.template operator()<float>();
    default:
      return body.template operator()<double>();
  }
}

/// As `dispatch`, for float32 and float64 alone; `operation` is named in the error otherwise.
template <class Body>
decltype(auto) dispatch_floating(Dtype dtype, const char* operation, Body&& body) {
  if (!is_floating(dtype)) {
    fail("{}: expected float32 or float64, got {}", operation, name(dtype));
  }
  return dtype == Dtype::float32 ? body.template operator()<float>()
                                 : body.template operator()<double>();
}

}  // namespace cadena

template <> struct fmt::formatter<cadena::Dtype> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(cadena::Dtype dtype, fmt::format_context& context) const;
};
