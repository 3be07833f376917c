#pragma once

// Jet<V>: a value and its slope along one direction (a dual number). A functor called with jets
// gives its derivative; Jet<Jet<V>> gives second derivatives. Rules of functions come from the
// functors of elementary*.hpp, evaluated on V.

#include <array>
#include <concepts>

#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/elementary_gamma.hpp>
#include <cadena/autograd/ops/elementary_trigonometric.hpp>

namespace cadena {

template <class V> struct Jet;

namespace kernels {

/// What does not vary along the direction: a number, a V, or what a nested V holds.
template <class C, class V>
concept Constant = std::convertible_to<C, V>;

template <class T, class Arch> CADENA_INLINE Mask<T, Arch> nonzero(Lane<T, Arch> x) {
  return x != 0.0;
}
/// Whether the value or any slope of it is not zero.
template <class V> CADENA_INLINE auto nonzero(const Jet<V>& x) {
  return nonzero(x.value) | nonzero(x.slope);
}

template <class F, class V> CADENA_INLINE Jet<V> jet_of(const F& f, const Jet<V>& x) {
  const V y = f(x.value);
  if constexpr (requires { f.derivative(x.value); }) {
    return {y, f.derivative(x.value) * x.slope};
  } else {
    return {y, f.derivative_from_output(y) * x.slope};
  }
}

template <class F, class V>
CADENA_INLINE Jet<V> jet_of(const F& f, const Jet<V>& x, const Jet<V>& y) {
  const std::array<V, 2> partial = f.derivative(x.value, y.value);
  return {f(x.value, y.value), partial[0] * x.slope + partial[1] * y.slope};
}

}  // namespace kernels

template <class V> struct Jet {
  using value_type = typename V::value_type;
  using mask_type = typename V::mask_type;
  static constexpr int width = V::width;

  V value;
  V slope;

  Jet() = default;
  CADENA_INLINE Jet(V value_, V slope_) : value(value_), slope(slope_) {}
  /// A constant: its slope is 0.
  template <kernels::Constant<V> C>
  CADENA_INLINE Jet(const C& constant) : value(constant), slope(0.0) {}

  CADENA_INLINE Jet operator-() const { return {-value, -slope}; }
  CADENA_INLINE Jet operator+() const { return *this; }
  friend CADENA_INLINE Jet operator+(const Jet& a, const Jet& b) {
    return {a.value + b.value, a.slope + b.slope};
  }
  friend CADENA_INLINE Jet operator-(const Jet& a, const Jet& b) {
    return {a.value - b.value, a.slope - b.slope};
  }
  friend CADENA_INLINE Jet operator*(const Jet& a, const Jet& b) {
    return {a.value * b.value, a.slope * b.value + a.value * b.slope};
  }
  friend CADENA_INLINE Jet operator/(const Jet& a, const Jet& b) {
    const V quotient = a.value / b.value;
    return {quotient, (a.slope - quotient * b.slope) / b.value};
  }
  // Constants by themselves: a slope of 0 times infinity would be NaN.
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator+(const Jet& a, const C& b) {
    return {a.value + V(b), a.slope};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator+(const C& a, const Jet& b) {
    return {V(a) + b.value, b.slope};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator-(const Jet& a, const C& b) {
    return {a.value - V(b), a.slope};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator-(const C& a, const Jet& b) {
    return {V(a) - b.value, -b.slope};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator*(const Jet& a, const C& b) {
    return {a.value * b, a.slope * b};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator*(const C& a, const Jet& b) {
    return {a * b.value, a * b.slope};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator/(const Jet& a, const C& b) {
    return {a.value / b, a.slope / b};
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet operator/(const C& a, const Jet& b) {
    const V quotient = a / b.value;
    return {quotient, -(quotient / b.value) * b.slope};
  }
  template <class B> CADENA_INLINE Jet& operator+=(const B& b) { return *this = *this + b; }
  template <class B> CADENA_INLINE Jet& operator-=(const B& b) { return *this = *this - b; }
  template <class B> CADENA_INLINE Jet& operator*=(const B& b) { return *this = *this * b; }
  template <class B> CADENA_INLINE Jet& operator/=(const B& b) { return *this = *this / b; }

  friend CADENA_INLINE mask_type operator<(const Jet& a, const Jet& b) { return a.value < b.value; }
  friend CADENA_INLINE mask_type operator>(const Jet& a, const Jet& b) { return a.value > b.value; }
  friend CADENA_INLINE mask_type operator<=(const Jet& a, const Jet& b) {
    return a.value <= b.value;
  }
  friend CADENA_INLINE mask_type operator>=(const Jet& a, const Jet& b) {
    return a.value >= b.value;
  }
  friend CADENA_INLINE mask_type operator==(const Jet& a, const Jet& b) {
    return a.value == b.value;
  }
  friend CADENA_INLINE mask_type operator!=(const Jet& a, const Jet& b) {
    return a.value != b.value;
  }
  friend CADENA_INLINE Jet where(mask_type m, const Jet& a, const Jet& b) {
    return {where(m, a.value, b.value), where(m, a.slope, b.slope)};
  }
  friend CADENA_INLINE mask_type isnan(const Jet& x) { return isnan(x.value); }
  friend CADENA_INLINE Jet full_like(const Jet&, double n) { return Jet(n); }

  friend CADENA_INLINE Jet maximum(const Jet& x, const Jet& y) {
    return kernels::jet_of(ops::Maximum{}, x, y);
  }
  friend CADENA_INLINE Jet atan2(const Jet& y, const Jet& x) {
    return kernels::jet_of(ops::Atan2{}, y, x);
  }
  friend CADENA_INLINE Jet minimum(const Jet& x, const Jet& y) {
    return kernels::jet_of(ops::Minimum{}, x, y);
  }
  /// The slope of a bound beyond it, that of x between them and at them.
  friend CADENA_INLINE Jet clamp(const Jet& x, const Jet& low, const Jet& high) {
    return {clamp(x.value, low.value, high.value),
            where(x < low, low.slope, where(x > high, high.slope, x.slope))};
  }
  friend CADENA_INLINE Jet copysign(const Jet& x, const Jet& y) {
    const V one = 1.0;
    return {copysign(x.value, y.value), copysign(one, x.value) * copysign(one, y.value) * x.slope};
  }
  friend CADENA_INLINE Jet fma(const Jet& x, const Jet& y, const Jet& z) {
    return {fma(x.value, y.value, z.value), x.slope * y.value + x.value * y.slope + z.slope};
  }
  /// An exponent that does not vary adds nothing, although d/dy is NaN for x < 0.
  friend CADENA_INLINE Jet pow(const Jet& x, const Jet& y) {
    const std::array<V, 2> partial = ops::Pow{}.derivative(x.value, y.value);
    return {pow(x.value, y.value),
            partial[0] * x.slope + where(kernels::nonzero(y.slope), partial[1] * y.slope, 0.0)};
  }
  friend CADENA_INLINE Jet fmod(const Jet& x, const Jet& y) {
    return kernels::jet_of(ops::Fmod{}, x, y);
  }
  friend CADENA_INLINE Jet remainder(const Jet& x, const Jet& y) {
    return kernels::jet_of(ops::Remainder{}, x, y);
  }
  template <kernels::Constant<V> C> friend CADENA_INLINE Jet pow(const Jet& x, const C& y) {
    return {pow(x.value, y), ops::Pow{}.derivative_of_base(x.value, y) * x.slope};
  }
};

template <class V> CADENA_INLINE Jet<V> exp(const Jet<V>& x) {
  return kernels::jet_of(ops::Exp{}, x);
}
template <class V> CADENA_INLINE Jet<V> expm1(const Jet<V>& x) {
  return kernels::jet_of(ops::Expm1{}, x);
}
template <class V> CADENA_INLINE Jet<V> log(const Jet<V>& x) {
  return kernels::jet_of(ops::Log{}, x);
}
template <class V> CADENA_INLINE Jet<V> log1p(const Jet<V>& x) {
  return kernels::jet_of(ops::Log1p{}, x);
}
template <class V> CADENA_INLINE Jet<V> sin(const Jet<V>& x) {
  return kernels::jet_of(ops::Sin{}, x);
}
template <class V> CADENA_INLINE Jet<V> cos(const Jet<V>& x) {
  return kernels::jet_of(ops::Cos{}, x);
}
template <class V> CADENA_INLINE Jet<V> tanh(const Jet<V>& x) {
  return kernels::jet_of(ops::Tanh{}, x);
}
template <class V> CADENA_INLINE Jet<V> erf(const Jet<V>& x) {
  return kernels::jet_of(ops::Erf{}, x);
}
template <class V> CADENA_INLINE Jet<V> erfc(const Jet<V>& x) {
  return kernels::jet_of(ops::Erfc{}, x);
}
template <class V> CADENA_INLINE Jet<V> normal_cdf(const Jet<V>& x) {
  return kernels::jet_of(ops::NormalCdf{}, x);
}
template <class V> CADENA_INLINE Jet<V> gelu(const Jet<V>& x) {
  return kernels::jet_of(ops::Gelu{}, x);
}
template <class V> CADENA_INLINE Jet<V> silu(const Jet<V>& x) {
  return kernels::jet_of(ops::Silu{}, x);
}
template <class V> CADENA_INLINE Jet<V> sqrt(const Jet<V>& x) {
  return kernels::jet_of(ops::Sqrt{}, x);
}
template <class V> CADENA_INLINE Jet<V> rsqrt(const Jet<V>& x) {
  return kernels::jet_of(ops::Rsqrt{}, x);
}
template <class V> CADENA_INLINE Jet<V> abs(const Jet<V>& x) {
  return kernels::jet_of(ops::Abs{}, x);
}
template <class V> CADENA_INLINE Jet<V> sign(const Jet<V>& x) {
  return kernels::jet_of(ops::Sign{}, x);
}
template <class V> CADENA_INLINE Jet<V> floor(const Jet<V>& x) {
  return kernels::jet_of(ops::Floor{}, x);
}
template <class V> CADENA_INLINE Jet<V> ceil(const Jet<V>& x) {
  return kernels::jet_of(ops::Ceil{}, x);
}
template <class V> CADENA_INLINE Jet<V> round(const Jet<V>& x) {
  return kernels::jet_of(ops::Round{}, x);
}
template <class V> CADENA_INLINE Jet<V> trunc(const Jet<V>& x) {
  return kernels::jet_of(ops::Trunc{}, x);
}
template <class V> CADENA_INLINE Jet<V> square(const Jet<V>& x) {
  return kernels::jet_of(ops::Square{}, x);
}
template <class V> CADENA_INLINE Jet<V> reciprocal(const Jet<V>& x) {
  return kernels::jet_of(ops::Reciprocal{}, x);
}
template <class V> CADENA_INLINE Jet<V> sigmoid(const Jet<V>& x) {
  return kernels::jet_of(ops::Sigmoid{}, x);
}
template <class V> CADENA_INLINE Jet<V> softplus(const Jet<V>& x) {
  return kernels::jet_of(ops::Softplus{}, x);
}
template <class V> CADENA_INLINE Jet<V> exp2(const Jet<V>& x) {
  return kernels::jet_of(ops::Exp2{}, x);
}
template <class V> CADENA_INLINE Jet<V> log2(const Jet<V>& x) {
  return kernels::jet_of(ops::Log2{}, x);
}
template <class V> CADENA_INLINE Jet<V> tan(const Jet<V>& x) {
  return kernels::jet_of(ops::Tan{}, x);
}
template <class V> CADENA_INLINE Jet<V> asin(const Jet<V>& x) {
  return kernels::jet_of(ops::Asin{}, x);
}
template <class V> CADENA_INLINE Jet<V> acos(const Jet<V>& x) {
  return kernels::jet_of(ops::Acos{}, x);
}
template <class V> CADENA_INLINE Jet<V> atan(const Jet<V>& x) {
  return kernels::jet_of(ops::Atan{}, x);
}
template <class V> CADENA_INLINE Jet<V> sinh(const Jet<V>& x) {
  return kernels::jet_of(ops::Sinh{}, x);
}
template <class V> CADENA_INLINE Jet<V> cosh(const Jet<V>& x) {
  return kernels::jet_of(ops::Cosh{}, x);
}
template <class V> CADENA_INLINE Jet<V> lgamma(const Jet<V>& x) {
  return kernels::jet_of(ops::Lgamma{}, x);
}
template <class V> CADENA_INLINE Jet<V> digamma(const Jet<V>& x) {
  return kernels::jet_of(ops::Digamma{}, x);
}
template <class V> CADENA_INLINE Jet<V> mish(const Jet<V>& x) {
  return kernels::jet_of(ops::Mish{}, x);
}
template <class V> CADENA_INLINE Jet<V> polygamma(int n, const Jet<V>& x) {
  return kernels::jet_of(ops::Polygamma{n}, x);
}

}  // namespace cadena
