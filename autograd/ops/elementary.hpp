#pragma once

// Scalar functors: a function, its formula and its derivative. T is a Lane, a Jet or a Tensor. The
// functions are called by their bare name, so T's own namespace has them. Number literals are
// doubles: T takes them in its own type.

#include <array>
#include <type_traits>

#include <cadena/autograd/core/doc.hpp>

namespace cadena::ops {

struct Exp {
  static constexpr Doc doc{"exp", "e^x"};
  template <class T> T operator()(T x) const { return exp(x); }
  template <class T> T derivative_from_output(T y) const { return y; }
  bool operator==(const Exp&) const = default;
};

struct Exp2 {
  static constexpr Doc doc{"exp2", "2^x"};
  template <class T> T operator()(T x) const { return exp2(x); }
  template <class T> T derivative_from_output(T y) const { return 0.69314718055994530942 * y; }
  bool operator==(const Exp2&) const = default;
};

struct Expm1 {
  static constexpr Doc doc{"expm1", "e^x - 1"};
  template <class T> T operator()(T x) const { return expm1(x); }
  template <class T> T derivative_from_output(T y) const { return y + 1.0; }
  bool operator==(const Expm1&) const = default;
};

struct Log {
  static constexpr Doc doc{"log", "ln x"};
  template <class T> T operator()(T x) const { return log(x); }
  template <class T> T derivative(T x) const { return 1.0 / x; }
  bool operator==(const Log&) const = default;
};

struct Log2 {
  static constexpr Doc doc{"log2", "ln x / ln 2"};
  template <class T> T operator()(T x) const { return log2(x); }
  template <class T> T derivative(T x) const { return 1.44269504088896340736 / x; }
  bool operator==(const Log2&) const = default;
};

struct Log1p {
  static constexpr Doc doc{"log1p", "ln(1 + x)"};
  template <class T> T operator()(T x) const { return log1p(x); }
  template <class T> T derivative(T x) const { return 1.0 / (1.0 + x); }
  bool operator==(const Log1p&) const = default;
};

struct Tanh {
  static constexpr Doc doc{"tanh", "(1 - e^(-2x)) / (1 + e^(-2x))"};
  template <class T> T operator()(T x) const { return tanh(x); }
  template <class T> T derivative_from_output(T y) const { return 1.0 - y * y; }
  bool operator==(const Tanh&) const = default;
};

struct Erf {
  static constexpr Doc doc{"erf", "2/sqrt(pi) times the integral of e^(-t^2) from 0 to x"};
  template <class T> T operator()(T x) const { return erf(x); }
  template <class T> T derivative(T x) const {
    constexpr double two_over_root_pi = 1.1283791670955125739;
    // 0 beyond the bounds; the slope of this is 0 there, not 0 times infinity.
    const T b = clamp(x, -30.0, 30.0);
    return two_over_root_pi * exp(-(b * b));
  }
  bool operator==(const Erf&) const = default;
};

struct Erfc {
  static constexpr Doc doc{"erfc", "1 - erf x"};
  template <class T> T operator()(T x) const { return erfc(x); }
  template <class T> T derivative(T x) const { return -Erf{}.derivative(x); }
  bool operator==(const Erfc&) const = default;
};

struct NormalCdf {
  static constexpr Doc doc{"normal_cdf", "erfc(-x / sqrt 2) / 2"};
  template <class T> T operator()(T x) const { return normal_cdf(x); }
  template <class T> T derivative(T x) const {
    constexpr double one_over_root_two_pi = 0.39894228040143267794;
    const T b = clamp(x, -40.0, 40.0);  // as in Erf
    return one_over_root_two_pi * exp(-0.5 * (b * b));
  }
  bool operator==(const NormalCdf&) const = default;
};

struct Sqrt {
  static constexpr Doc doc{"sqrt", "x^(1/2)", "infinite at 0"};
  template <class T> T operator()(T x) const { return sqrt(x); }
  template <class T> T derivative_from_output(T y) const { return 0.5 / y; }
  bool operator==(const Sqrt&) const = default;
};

struct Rsqrt {
  static constexpr Doc doc{"rsqrt", "x^(-1/2)"};
  template <class T> T operator()(T x) const { return rsqrt(x); }
  template <class T> T derivative_from_output(T y) const { return -0.5 * y * y * y; }
  bool operator==(const Rsqrt&) const = default;
};

/// At 0 the derivative is 0, the middle of the subgradients [-1, 1].
struct Abs {
  static constexpr Doc doc{"abs", "|x|", "0 at 0"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return abs(x); }
  template <class T> T derivative(T x) const { return sign(x); }
  bool operator==(const Abs&) const = default;
};

struct Sign {
  static constexpr Doc doc{"sign", "-1, 0 or 1", "0, at the jump too"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return sign(x); }
  template <class T> T derivative(T x) const { return full_like(x, 0.0); }
  bool operator==(const Sign&) const = default;
};

struct Floor {
  static constexpr Doc doc{"floor", "the largest integer <= x", "0, at the steps too"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return floor(x); }
  template <class T> T derivative(T x) const { return full_like(x, 0.0); }
  bool operator==(const Floor&) const = default;
};

struct Ceil {
  static constexpr Doc doc{"ceil", "the smallest integer >= x", "0, at the steps too"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return ceil(x); }
  template <class T> T derivative(T x) const { return full_like(x, 0.0); }
  bool operator==(const Ceil&) const = default;
};

struct Round {
  static constexpr Doc doc{"round", "the integer nearest to x, the even one of two",
                           "0, at the steps too"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return round(x); }
  template <class T> T derivative(T x) const { return full_like(x, 0.0); }
  bool operator==(const Round&) const = default;
};

struct Trunc {
  static constexpr Doc doc{"trunc", "x without what is behind the point", "0, at the steps too"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return trunc(x); }
  template <class T> T derivative(T x) const { return full_like(x, 0.0); }
  bool operator==(const Trunc&) const = default;
};

struct Fmod {
  static constexpr Doc doc{"fmod", "x - trunc(x / y) y",
                           "at jumps as beside them: 1 in x, -trunc(x / y) in y"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return fmod(x, y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    // The quotient of x without its rest is an integer but for rounding; x / y may be rounded up
    // to one that it does not reach.
    return {full_like(x, 1.0), -round((x - fmod(x, y)) / y)};
  }
  bool operator==(const Fmod&) const = default;
};

struct Remainder {
  static constexpr Doc doc{"remainder", "x - floor(x / y) y",
                           "at jumps as beside them: 1 in x, -floor(x / y) in y"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return remainder(x, y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    const T rest = fmod(x, y);
    const auto apart = ((rest < 0.0) & (y > 0.0)) | ((rest > 0.0) & (y < 0.0));
    const T slope = -round((x - rest) / y);
    return {full_like(x, 1.0), where(apart, slope + 1.0, slope)};
  }
  bool operator==(const Remainder&) const = default;
};

struct Square {
  static constexpr Doc doc{"square", "x^2"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return x * x; }
  template <class T> T derivative(T x) const { return 2.0 * x; }
  bool operator==(const Square&) const = default;
};

struct Reciprocal {
  static constexpr Doc doc{"reciprocal", "1 / x"};
  template <class T> T operator()(T x) const { return reciprocal(x); }
  template <class T> T derivative_from_output(T y) const { return -(y * y); }
  bool operator==(const Reciprocal&) const = default;
};

struct Sigmoid {
  static constexpr Doc doc{"sigmoid", "1 / (1 + e^(-x))"};
  template <class T> T operator()(T x) const { return sigmoid(x); }
  template <class T> T derivative_from_output(T y) const { return y * (1.0 - y); }
  /// For jets, which have x: 1 - y has few digits where y is near 1.
  template <class T> T derivative(T x) const { return sigmoid(x) * sigmoid(-x); }
  bool operator==(const Sigmoid&) const = default;
};

struct Softplus {
  static constexpr Doc doc{"softplus", "ln(1 + e^x)"};
  template <class T> T operator()(T x) const { return softplus(x); }
  template <class T> T derivative(T x) const { return sigmoid(x); }
  bool operator==(const Softplus&) const = default;
};

struct Gelu {
  static constexpr Doc doc{"gelu", "x erfc(-x / sqrt 2) / 2"};
  template <class T> T operator()(T x) const { return gelu(x); }
  template <class T> T derivative(T x) const {
    const T b = clamp(x, -40.0, 40.0);  // as in Erf
    return normal_cdf(x) + b * NormalCdf{}.derivative(b);
  }
  bool operator==(const Gelu&) const = default;
};

struct Silu {
  static constexpr Doc doc{"silu", "x / (1 + e^(-x))"};
  template <class T> T operator()(T x) const { return silu(x); }
  template <class T> T derivative(T x) const {
    const T s = sigmoid(x), b = clamp(x, -800.0, 800.0);  // as in Erf
    return s + b * (s * (1.0 - s));
  }
  bool operator==(const Silu&) const = default;
};

struct Mish {
  static constexpr Doc doc{"mish", "x tanh(ln(1 + e^x))"};
  template <class T> T operator()(T x) const { return mish(x); }
  template <class T> T derivative(T x) const {
    const T t = tanh(softplus(x)), b = clamp(x, -800.0, 800.0);  // as in Erf
    return t + b * (sigmoid(x) * (1.0 - t * t));
  }
  bool operator==(const Mish&) const = default;
};

/// Where x = y each side has half of the gradient; otherwise it goes where the value came from, a
/// NaN too.
struct Maximum {
  static constexpr Doc doc{"maximum", "x where x > y, else y; NaN where either is",
                           "one half to each where x = y"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return maximum(x, y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    const auto from_x = (!(x <= y)) & (y == y), from_y = (!(y <= x)) & (x == x);
    const T to_x = where(from_x, 1.0, where(from_y, 0.0, full_like(x, 0.5)));
    return {to_x, 1.0 - to_x};
  }
  bool operator==(const Maximum&) const = default;
};

/// Where x = y each side has half of the gradient; otherwise it goes where the value came from, a
/// NaN too.
struct Minimum {
  static constexpr Doc doc{"minimum", "x where x < y, else y; NaN where either is",
                           "one half to each where x = y"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return minimum(x, y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    const auto from_x = (!(x >= y)) & (y == y), from_y = (!(y >= x)) & (x == x);
    const T to_x = where(from_x, 1.0, where(from_y, 0.0, full_like(x, 0.5)));
    return {to_x, 1.0 - to_x};
  }
  bool operator==(const Minimum&) const = default;
};

/// d/dx is y x^(y-1), and 0 for x = y = 0. d/dy is x^y ln x, and 0 at x = 0 for y > 0;
/// it is NaN for x < 0, where x^y exists for integers y alone.
struct Pow {
  static constexpr Doc doc{"pow", "x^y", "at x = 0: y 0^(y-1) in x, 0 in y > 0"};
  template <class T> T operator()(T x, T y) const { return pow(x, y); }
  /// y may be a number as well.
  template <class T, class Y> T derivative_of_base(T x, Y y) const {
    if constexpr (std::is_arithmetic_v<Y>) {
      return y == 0 ? full_like(x, 0.0) : y * pow(x, y - 1.0);
    } else {
      // 0 · ∞ only where both are 0; elsewhere the formula has the right slope in y too.
      return where((x == 0.0) & (y == 0.0), 0.0, y * pow(x, y - 1.0));
    }
  }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    // Where x = 0 a 1 stands in for it: 0 ln 0 would be NaN, also in the derivatives of this.
    const auto vanishes = (x == 0.0) & (y > 0.0);
    const T base = where(vanishes, 1.0, x);
    return {derivative_of_base(x, y), where(vanishes, 0.0, pow(base, y) * log(base))};
  }
  bool operator==(const Pow&) const = default;
};

/// x^p of a number p. The exponents of its derivatives are numbers too, so that p (p - 1) ... ends
/// in 0 where a polynomial does, at x = 0 as well.
struct Power {
  double exponent;
  static constexpr Doc doc = Pow::doc;
  template <class T> T operator()(T x) const { return pow(x, exponent); }
  template <class T> T derivative(T x) const { return Pow{}.derivative_of_base(x, exponent); }
  bool operator==(const Power&) const = default;
};

}  // namespace cadena::ops
