#pragma once

// The scalar functors of angles and of the hyperbola, in the manner of elementary.hpp.

#include <array>

#include <cadena/autograd/core/doc.hpp>

namespace cadena::ops {

struct Sin {
  static constexpr Doc doc{"sin", "sin x"};
  template <class T> T operator()(T x) const { return sin(x); }
  template <class T> T derivative(T x) const { return cos(x); }
  bool operator==(const Sin&) const = default;
};

struct Cos {
  static constexpr Doc doc{"cos", "cos x"};
  template <class T> T operator()(T x) const { return cos(x); }
  template <class T> T derivative(T x) const { return -sin(x); }
  bool operator==(const Cos&) const = default;
};

struct Tan {
  static constexpr Doc doc{"tan", "sin x / cos x"};
  template <class T> T operator()(T x) const { return tan(x); }
  template <class T> T derivative_from_output(T y) const { return 1.0 + y * y; }
  bool operator==(const Tan&) const = default;
};

struct Asin {
  static constexpr Doc doc{"asin", "the angle in [-pi/2, pi/2] whose sine is x"};
  template <class T> T operator()(T x) const { return asin(x); }
  template <class T> T derivative(T x) const {
    // 1 - x^2 has few digits near 1 as a difference. As a product it has few in its slope near 0,
    // which is then a difference of two numbers near 1.
    return rsqrt(where(abs(x) < 0.5, 1.0 - x * x, (1.0 - x) * (1.0 + x)));
  }
  bool operator==(const Asin&) const = default;
};

struct Acos {
  static constexpr Doc doc{"acos", "the angle in [0, pi] whose cosine is x"};
  template <class T> T operator()(T x) const { return acos(x); }
  template <class T> T derivative(T x) const { return -Asin{}.derivative(x); }
  bool operator==(const Acos&) const = default;
};

struct Atan {
  static constexpr Doc doc{"atan", "the angle in [-pi/2, pi/2] whose tangent is x"};
  template <class T> T operator()(T x) const { return atan(x); }
  /// 1 / (1 + x^2), by the reciprocal of a large x, whose square may overflow.
  template <class T> T derivative(T x) const {
    const auto large = abs(x) > 1.0;
    const T inner = where(large, reciprocal(where(large, x, T(1.0))), x);
    const T squared = inner * inner;
    return where(large, squared, T(1.0)) / (1.0 + squared);
  }
  bool operator==(const Atan&) const = default;
};

/// Neither derivative exists at the origin; both are 0 there.
struct Atan2 {
  static constexpr Doc doc{"atan2", "the angle of the point (x, y), from -pi to pi",
                           "0 at the origin"};
  template <class T> T operator()(T y, T x) const { return atan2(y, x); }
  /// x / (x^2 + y^2) and -y / (x^2 + y^2) without the squares, which may overflow.
  template <class T> std::array<T, 2> derivative(T y, T x) const {
    const auto wide = abs(x) >= abs(y), origin = (x == 0.0) & (y == 0.0);
    const T large = where(origin, T(1.0), where(wide, x, y)), small = where(wide, y, x);
    const T ratio = small / large, inverse = 1.0 / (large + small * ratio);
    const T lesser = ratio * inverse, zero = full_like(x, 0.0);
    return {where(origin, zero, where(wide, inverse, lesser)),
            where(origin, zero, -where(wide, lesser, inverse))};
  }
  bool operator==(const Atan2&) const = default;
};

struct Sinh {
  static constexpr Doc doc{"sinh", "(e^x - e^(-x)) / 2"};
  template <class T> T operator()(T x) const { return sinh(x); }
  template <class T> T derivative(T x) const { return cosh(x); }
  bool operator==(const Sinh&) const = default;
};

struct Cosh {
  static constexpr Doc doc{"cosh", "(e^x + e^(-x)) / 2"};
  template <class T> T operator()(T x) const { return cosh(x); }
  template <class T> T derivative(T x) const { return sinh(x); }
  bool operator==(const Cosh&) const = default;
};

}  // namespace cadena::ops
