#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {
using Functions = Family<Exp, Exp2, Expm1, Log, Log2, Log1p, Erf, Erfc, NormalCdf, Rsqrt, Floor>;
}

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Functions, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <cmath>

namespace cadena {

Tensor exp(const Tensor& x) { return map(ops::Exp{}, x); }
Tensor exp2(const Tensor& x) { return map(ops::Exp2{}, x); }
Tensor expm1(const Tensor& x) { return map(ops::Expm1{}, x); }
Tensor log(const Tensor& x) { return map(ops::Log{}, x); }
Tensor log2(const Tensor& x) { return map(ops::Log2{}, x); }
Tensor log1p(const Tensor& x) { return map(ops::Log1p{}, x); }
Tensor erf(const Tensor& x) { return map(ops::Erf{}, x); }
Tensor erfc(const Tensor& x) { return map(ops::Erfc{}, x); }
Tensor normal_cdf(const Tensor& x) { return map(ops::NormalCdf{}, x); }
Tensor rsqrt(const Tensor& x) { return map(ops::Rsqrt{}, x); }
Tensor floor(const Tensor& x) { return map(ops::Floor{}, x); }

void ops::list_functions(OpList& list) {
  using Real = long double;
  list.add_unary(Exp::doc, exp, [](Real x) { return std::exp(x); }, -20, 20, {0, -700, 700});
  list.add_unary(Exp2::doc, exp2, [](Real x) { return std::exp2(x); }, -20, 20, {0, -1000, 0.5});
  list.add_unary(Expm1::doc, expm1, [](Real x) { return std::expm1(x); }, -5, 5, {0, 1e-10, -40});
  list.add_unary(Log::doc, log, [](Real x) { return std::log(x); }, 0.1, 20, {1, 0.005, 1e-30});
  list.add_unary(Log2::doc, log2, [](Real x) { return std::log2(x); }, 0.1, 20, {1, 8, 1e-30});
  list.add_unary(Log1p::doc, log1p, [](Real x) { return std::log1p(x); }, -0.9, 5, {0, 1e-10});
  list.add_unary(Erf::doc, erf, [](Real x) { return std::erf(x); }, -3, 3, {0, 1, -1});
  list.add_unary(Erfc::doc, erfc, [](Real x) { return std::erfc(x); }, -3, 8, {0, 1, -1, 20});
  list.add_unary(NormalCdf::doc, normal_cdf, reference_normal_cdf, -8, 4, {0, 1, -1, -30});
  list.add_unary(Rsqrt::doc, rsqrt, [](Real x) { return 1 / std::sqrt(x); }, 0.1, 9, {1e-3, 1});
  list.add_unary(Floor::doc, floor, [](Real x) { return std::floor(x); }, 0.1, 0.9, {});
}

}  // namespace cadena
#endif
