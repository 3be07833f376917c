#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/functor.hpp>

#include <limits>

namespace cadena::ops {

struct ScaleAbout {
  static constexpr Doc doc{"scale_about", "(x - center) scale + shift"};
  static constexpr Keep keep = Keep::inputs;
  template <class T> T operator()(T x, T center, T scale, T shift) const {
    return (x - center) * scale + shift;
  }
  Gradients vjp(const Backward& b) const;
  bool operator==(const ScaleAbout&) const = default;
};

struct AbsorbingProduct {
  static constexpr Doc doc{"absorbing_product", "x y, and 0 where x = 0 and y is infinite"};
  template <class T> T operator()(T x, T y) const { return x * absorbed(x, y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const { return {absorbed(x, y), x}; }
  bool operator==(const AbsorbingProduct&) const = default;

 private:
  template <class T> static T absorbed(T x, T y) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return where((x == 0.0) & (abs(y) == infinity), T(0.0), y);
  }
};

using Fused = Family<ScaleAbout, AbsorbingProduct>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Fused, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/fused.hpp>

namespace cadena::ops {

Gradients ScaleAbout::vjp(const Backward& b) const {
  const Tensor& g = b.grad();
  Gradients result(4);
  if (b.needs(0) || b.needs(1)) {
    result[0] = g * b.in(2);
  }
  if (b.needs(1)) {
    result[1] = -result[0];
  }
  if (b.needs(2)) {
    result[2] = g * (b.in(0) - b.in(1));
  }
  if (b.needs(3)) {
    result[3] = g;
  }
  return result;
}

Tensor scale_about(const Tensor& x, const Tensor& center, const Tensor& scale,
                   const Tensor& shift) {
  return map(ScaleAbout{}, x, center, scale, shift);
}

Tensor absorbing_product(const Tensor& x, const Tensor& y) { return map(AbsorbingProduct{}, x, y); }

}  // namespace cadena::ops
#endif
