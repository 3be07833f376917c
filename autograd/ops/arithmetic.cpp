#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {

struct Add {
  static constexpr Doc doc{"add", "x + y"};
  static constexpr Keep keep = Keep::nothing;
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return x + y; }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Add&) const = default;
};

struct Subtract {
  static constexpr Doc doc{"subtract", "x - y"};
  static constexpr Keep keep = Keep::nothing;
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return x - y; }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Subtract&) const = default;
};

struct Multiply {
  static constexpr Doc doc{"multiply", "x y"};
  static constexpr Keep keep = Keep::inputs;
  static constexpr bool integers = true;
  template <class T> T operator()(T x, T y) const { return x * y; }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Multiply&) const = default;
};

struct Divide {
  static constexpr Doc doc{"divide", "x / y"};
  template <class T> T operator()(T x, T y) const { return x / y; }
  template <class T> std::array<T, 2> derivative(T x, T y) const { return {1.0 / y, -(x / y) / y}; }
  bool operator==(const Divide&) const = default;
};

struct Negative {
  static constexpr Doc doc{"negative", "-x"};
  static constexpr Keep keep = Keep::nothing;
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return -x; }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Negative&) const = default;
};

struct Clamp {
  double low, high;
  static constexpr Doc doc{"clamp", "min(max(x, low), high)", "1 at low and at high"};
  static constexpr bool integers = true;
  template <class T> T operator()(T x) const { return clamp(x, low, high); }
  template <class T> T derivative(T x) const {
    return where(x >= low, where(x <= high, T(1.0), T(0.0)), T(0.0));
  }
  bool operator==(const Clamp&) const = default;
};

using Arithmetic = Family<Add, Subtract, Multiply, Divide, Negative, Sign, Clamp, Pow, Power, Abs,
                          Square, Sqrt, Reciprocal, Maximum, Minimum>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Arithmetic, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <cmath>

namespace cadena {
namespace ops {

Gradients Add::vjp(const Backward& b) const { return Gradients(2, b.grad()); }

Gradients Subtract::vjp(const Backward& b) const {
  return {b.grad(), b.needs(1) ? -b.grad() : Tensor()};
}

Gradients Multiply::vjp(const Backward& b) const {
  Gradients result(2);
  for (int k = 0; k < 2; ++k) {
    if (b.needs(k)) {
      result[static_cast<std::size_t>(k)] = b.grad() * b.in(1 - k);
    }
  }
  return result;
}

Gradients Negative::vjp(const Backward& b) const { return {-b.grad()}; }

}  // namespace ops

Tensor add(const Tensor& x, const Tensor& y) { return map(ops::Add{}, x, y); }
Tensor subtract(const Tensor& x, const Tensor& y) { return map(ops::Subtract{}, x, y); }
Tensor multiply(const Tensor& x, const Tensor& y) { return map(ops::Multiply{}, x, y); }
Tensor divide(const Tensor& x, const Tensor& y) { return map(ops::Divide{}, x, y); }
Tensor negative(const Tensor& x) { return map(ops::Negative{}, x); }
Tensor pow(const Tensor& x, const Tensor& y) {
  if (!y.is_number() || y.requires_grad() || !x.defined() || x.is_number()) {
    return map(ops::Pow{}, x, y);
  }
  const double exponent = y.item();
  if (is_floating(x.dtype())) {
    // The same function for less. (sqrt is another one at -0 and -∞.)
    if (exponent == 2) {
      return square(x);
    }
    if (exponent == -1) {
      return reciprocal(x);
    }
  }
  return map(ops::Power{exponent}, x);
}
Tensor abs(const Tensor& x) { return map(ops::Abs{}, x); }
Tensor square(const Tensor& x) { return map(ops::Square{}, x); }
Tensor sqrt(const Tensor& x) { return map(ops::Sqrt{}, x); }
Tensor reciprocal(const Tensor& x) { return map(ops::Reciprocal{}, x); }
Tensor maximum(const Tensor& x, const Tensor& y) { return map(ops::Maximum{}, x, y); }
Tensor minimum(const Tensor& x, const Tensor& y) { return map(ops::Minimum{}, x, y); }
Tensor sign(const Tensor& x) { return map(ops::Sign{}, x); }

Tensor clamp(const Tensor& x, double low, double high) {
  if (!(low <= high)) {
    fail("clamp: expected low <= high, got {} and {}", low, high);
  }
  if (detail::impl_of(x, "clamp").dtype == Dtype::int64) {
    constexpr double end = 0x1p63;
    const bool integers = low == std::floor(low) && high == std::floor(high);
    if (!integers || low >= end || high < -end) {
      fail("clamp: an int64 tensor has no bounds {} and {}; convert it with to(float32)", low,
           high);
    }
    low = std::max(low, -end);
    if (high >= end) {  // int64 has no such number
      return maximum(x, Tensor(static_cast<std::int64_t>(low)));
    }
  }
  return map(ops::Clamp{low, high}, x);
}

void ops::list_arithmetic(OpList& list) {
  using Real = long double;
  list.add_binary(Add::doc, add, [](Real x, Real y) { return x + y; }, -10, 10, {0, 1}, {0, -1});
  list.add_binary(Subtract::doc, subtract, [](Real x, Real y) { return x - y; }, -10, 10, {0, 1},
                  {0, -1});
  list.add_binary(Multiply::doc, multiply, [](Real x, Real y) { return x * y; }, -10, 10,
                  {0, 1, -2}, {0, -1, 3});
  list.add_binary(Divide::doc, divide, [](Real x, Real y) { return x / y; }, 0.5, 10, {0, 1, -2},
                  {-1, 0.25});
  list.add_unary(
      Negative::doc, negative, [](Real x) { return -x; }, -10, 10);
  list.add_binary(Pow::doc, pow, [](Real x, Real y) { return std::pow(x, y); }, 0.5, 3, {1, 2, 0.1},
                  {0, 1, 2, -1, 0.5});
  list.add_unary(
      Abs::doc, abs, [](Real x) { return std::abs(x); }, -3, 3);
  list.add_unary(Sign::doc, sign, [](Real x) { return Real((x > 0) - (x < 0)); }, 0.1, 3, {});
  list.add_unary(
      Square::doc, square, [](Real x) { return x * x; }, -3, 3);
  list.add_unary(Sqrt::doc, sqrt, [](Real x) { return std::sqrt(x); }, 0.1, 9, {1e-3, 1});
  list.add_unary(Reciprocal::doc, reciprocal, [](Real x) { return 1 / x; }, 0.2, 4, {-1, 0.1});
  list.add_binary(Maximum::doc, maximum, [](Real x, Real y) { return std::max(x, y); }, -2, 2,
                  {0, 1}, {0, 1});
  list.add_binary(Minimum::doc, minimum, [](Real x, Real y) { return std::min(x, y); }, -2, 2,
                  {0, 1}, {0, 1});
  list.add_unary(
      Clamp::doc, [](const Tensor& x) { return clamp(x, -1, 1.5); },
      [](Real x) { return std::min<Real>(std::max<Real>(x, -1), 1.5); }, -3, 3, {-1, 0, 1.5});
}

}  // namespace cadena
#endif
