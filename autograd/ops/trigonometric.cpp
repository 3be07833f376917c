#include <cadena/autograd/ops/elementary_trigonometric.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {
using Trigonometric = Family<Sin, Cos, Tan, Asin, Acos, Atan, Atan2, Sinh, Cosh>;
}

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Trigonometric, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include <cmath>

namespace cadena {

Tensor sin(const Tensor& x) { return map(ops::Sin{}, x); }
Tensor cos(const Tensor& x) { return map(ops::Cos{}, x); }
Tensor tan(const Tensor& x) { return map(ops::Tan{}, x); }
Tensor asin(const Tensor& x) { return map(ops::Asin{}, x); }
Tensor acos(const Tensor& x) { return map(ops::Acos{}, x); }
Tensor atan(const Tensor& x) { return map(ops::Atan{}, x); }
Tensor sinh(const Tensor& x) { return map(ops::Sinh{}, x); }
Tensor cosh(const Tensor& x) { return map(ops::Cosh{}, x); }
Tensor atan2(const Tensor& y, const Tensor& x) { return map(ops::Atan2{}, y, x); }

void ops::list_trigonometric(OpList& list) {
  using Real = long double;
  list.add_unary(Sin::doc, sin, [](Real x) { return std::sin(x); }, -10, 10, {0, 1000});
  list.add_unary(Cos::doc, cos, [](Real x) { return std::cos(x); }, -10, 10, {0, 1000});
  list.add_unary(Tan::doc, tan, [](Real x) { return std::tan(x); }, -1.4, 1.4, {0, 0.8, 100});
  list.add_unary(Asin::doc, asin, [](Real x) { return std::asin(x); }, -0.9, 0.9, {0, 0.5, -0.5});
  list.add_unary(Acos::doc, acos, [](Real x) { return std::acos(x); }, -0.9, 0.9, {0, 0.5, -0.5});
  list.add_unary(Atan::doc, atan, [](Real x) { return std::atan(x); }, -4, 4,
                 {0, 0.5, 1, 2, -0.5, -1, -2, 1e5});
  list.add_binary(Atan2::doc, atan2, [](Real y, Real x) { return std::atan2(y, x); }, 0.3, 3,
                  {1, -1, 0.5, 2, -3}, {1, -1, 2, 0.25});
  list.add_unary(Sinh::doc, sinh, [](Real x) { return std::sinh(x); }, -4, 4, {0, 1, -1, 30});
  list.add_unary(Cosh::doc, cosh, [](Real x) { return std::cosh(x); }, -4, 4, {0, 1, -1, 30});
}

}  // namespace cadena
#endif
