#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {

struct Relu {
  static constexpr Doc doc{"relu", "max(x, 0)", "0 at 0"};
  template <class T> T operator()(T x) const {
    return where(x <= 0.0, T(0.0), x);  // in this order NaN stays NaN
  }
  template <class T> T derivative_from_output(T y) const { return where(y > 0.0, T(1.0), T(0.0)); }
  bool operator==(const Relu&) const = default;
};

struct LeakyRelu {
  double slope;
  static constexpr Doc doc{"leaky_relu", "x if x > 0, else slope x", "slope at 0"};
  template <class T> T operator()(T x) const { return where(x > 0.0, x, slope * x); }
  template <class T> T derivative(T x) const { return where(x > 0.0, T(1.0), T(slope)); }
  bool operator==(const LeakyRelu&) const = default;
};

struct Elu {
  double alpha;
  static constexpr Doc doc{"elu", "x if x > 0, else alpha (e^x - 1)", "alpha at 0"};
  template <class T> T operator()(T x) const {
    return where(x > 0.0, x, alpha * expm1(minimum(x, T(0.0))));
  }
  template <class T> T derivative(T x) const {
    return where(x > 0.0, T(1.0), alpha * exp(where(x > 0.0, T(0.0), x)));
  }
  bool operator==(const Elu&) const = default;
};

using Activations = Family<Tanh, Sigmoid, Softplus, Relu, LeakyRelu, Elu, Gelu, Silu>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Activations, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <cmath>

namespace cadena {

Tensor tanh(const Tensor& x) { return map(ops::Tanh{}, x); }
Tensor sigmoid(const Tensor& x) { return map(ops::Sigmoid{}, x); }
Tensor softplus(const Tensor& x) { return map(ops::Softplus{}, x); }
Tensor relu(const Tensor& x) { return map(ops::Relu{}, x); }
Tensor leaky_relu(const Tensor& x, double slope) { return map(ops::LeakyRelu{slope}, x); }
Tensor elu(const Tensor& x, double alpha) { return map(ops::Elu{alpha}, x); }
Tensor gelu(const Tensor& x) { return map(ops::Gelu{}, x); }
Tensor silu(const Tensor& x) { return map(ops::Silu{}, x); }

void ops::list_activations(OpList& list) {
  using Real = long double;
  const auto logistic = [](Real x) { return 1 / (1 + std::exp(-x)); };
  list.add_unary(Tanh::doc, tanh, [](Real x) { return std::tanh(x); }, -4, 4, {0, 1e-5, 15});
  list.add_unary(Sigmoid::doc, sigmoid, logistic, -8, 8, {0, -30, 30});
  list.add_unary(Softplus::doc, softplus,
                 [](Real x) { return std::max<Real>(x, 0) + std::log1p(std::exp(-std::abs(x))); },
                 -8, 8, {0, -1000, 1000});
  list.add_unary(
      Relu::doc, relu, [](Real x) { return std::max<Real>(x, 0); }, -3, 3);
  list.add_unary(
      LeakyRelu::doc, [](const Tensor& x) { return leaky_relu(x, 0.2); },
      [](Real x) { return x > 0 ? x : Real(0.2) * x; }, -3, 3);
  list.add_unary(
      Elu::doc, [](const Tensor& x) { return elu(x, 0.7); },
      [](Real x) { return x > 0 ? x : Real(0.7) * std::expm1(x); }, -3, 3, {0, -50});
  list.add_unary(Gelu::doc, gelu, [](Real x) { return x * reference_normal_cdf(x); }, -8, 4,
                 {0, -30});
  list.add_unary(
      Silu::doc, silu, [logistic](Real x) { return x * logistic(x); }, -6, 6);
}

}  // namespace cadena
#endif
