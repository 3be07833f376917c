#include <cadena/autograd/ops/elementary_gamma.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {
using Gamma = Family<Lgamma, Digamma, Polygamma>;
}

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Gamma, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/gamma.hpp>
#include <cadena/autograd/ops/list.hpp>

namespace cadena {

Tensor lgamma(const Tensor& x) { return map(ops::Lgamma{}, x); }
Tensor digamma(const Tensor& x) { return map(ops::Digamma{}, x); }
Tensor polygamma(int n, const Tensor& x) {
  if (n < 0 || n > 100) {
    fail("polygamma: expected an order from 0 to 100, got {}", n);
  }
  if (n == 0) {
    return digamma(x);
  }
  return map(ops::Polygamma{n}, x);
}

void ops::list_gamma(OpList& list) {
  using Real = long double;
  list.add_unary(Lgamma::doc, lgamma, reference_lgamma, 0.1, 12,
                 {0.25, 1, 1.25, 2, 2.25, 6.25, -0.3, -1.5, 1000}, scale_of_lgamma);
  list.add_unary(
      Digamma::doc, digamma, [](Real x) { return reference_polygamma(0, x); }, 0.1, 12,
      {1, 1.4616321449683623, 3, 6, -0.3, -1.7, 1000},
      [](Real x) { return scale_of_polygamma(0, x); });
  list.add_unary(
      Polygamma::doc, [](const Tensor& x) { return polygamma(2, x); },
      [](Real x) { return reference_polygamma(2, x); }, 0.3, 15, {1, 2, 12.4, -0.3, -1.7},
      [](Real x) { return scale_of_polygamma(2, x); });
}

}  // namespace cadena
#endif
