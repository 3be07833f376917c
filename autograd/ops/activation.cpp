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

/// The constants make the fixed point of mean 0 and variance 1 (Klambauer et al. 2017).
struct Selu {
  static constexpr Doc doc{"selu", "scale (x if x > 0, else alpha (e^x - 1))", "scale alpha at 0"};
  static constexpr double scale = 1.05070098735548049342, alpha = 1.67326324235437728482;
  template <class T> T operator()(T x) const {
    return where(x > 0.0, scale * x, (scale * alpha) * expm1(minimum(x, T(0.0))));
  }
  template <class T> T derivative(T x) const {
    return where(x > 0.0, T(scale), (scale * alpha) * exp(where(x > 0.0, T(0.0), x)));
  }
  bool operator==(const Selu&) const = default;
};

struct Hardtanh {
  double low, high;
  static constexpr Doc doc{"hardtanh", "min(max(x, min_val), max_val)", "0 at min_val and max_val"};
  template <class T> T operator()(T x) const { return clamp(x, low, high); }
  template <class T> T derivative(T x) const {
    return where(x > low, where(x < high, T(1.0), T(0.0)), T(0.0));
  }
  bool operator==(const Hardtanh&) const = default;
};

struct Hardswish {
  static constexpr Doc doc{"hardswish", "x min(max(x + 3, 0), 6) / 6", "0 at -3, 1 at 3"};
  template <class T> T operator()(T x) const {
    // In this order NaN stays NaN; bounded, for -infinity times 0 would be NaN.
    const T b = clamp(x, -3.0, 3.0);
    return where(x >= 3.0, x, b * (b + 3.0) / 6.0);
  }
  template <class T> T derivative(T x) const {
    return where(x <= -3.0, T(0.0), where(x >= 3.0, T(1.0), x / 3.0 + 0.5));
  }
  bool operator==(const Hardswish&) const = default;
};

/// +-1 at +-infinity.
struct Softsign {
  static constexpr Doc doc{"softsign", "x / (1 + |x|)"};
  template <class T> T operator()(T x) const {
    // There it rounds to the sign; infinity over infinity would be NaN.
    const T size = abs(x);
    const auto large = size > 1e30;
    return where(large, sign(x), x / (1.0 + where(large, T(1.0), size)));
  }
  template <class T> T derivative(T x) const { return square(reciprocal(1.0 + abs(x))); }
  bool operator==(const Softsign&) const = default;
};

struct LogSigmoid {
  static constexpr Doc doc{"logsigmoid", "-ln(1 + e^(-x))"};
  template <class T> T operator()(T x) const { return -softplus(-x); }
  template <class T> T derivative(T x) const { return sigmoid(-x); }
  bool operator==(const LogSigmoid&) const = default;
};

/// glu of its halves.
struct Gate {
  static constexpr Doc doc{"glu", "a / (1 + e^(-b)) of the halves a and b along an axis"};
  template <class T> T operator()(T x, T y) const { return x * sigmoid(y); }
  template <class T> std::array<T, 2> derivative(T x, T y) const {
    const T s = sigmoid(y);
    return {s, x * (s * (1.0 - s))};
  }
  bool operator==(const Gate&) const = default;
};

using Activations = Family<Tanh, Sigmoid, Softplus, Relu, LeakyRelu, Elu, Gelu, Silu, Selu, Mish,
                           Hardtanh, Hardswish, Softsign, LogSigmoid, Gate>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Activations, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

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
Tensor selu(const Tensor& x) { return map(ops::Selu{}, x); }
Tensor mish(const Tensor& x) { return map(ops::Mish{}, x); }
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  if (!(min_val <= max_val)) {
    fail("hardtanh: expected min_val <= max_val, got {} and {}", min_val, max_val);
  }
  return map(ops::Hardtanh{min_val, max_val}, x);
}
Tensor hardswish(const Tensor& x) { return map(ops::Hardswish{}, x); }
Tensor softsign(const Tensor& x) { return map(ops::Softsign{}, x); }
Tensor logsigmoid(const Tensor& x) { return map(ops::LogSigmoid{}, x); }

Tensor glu(const Tensor& x, std::int64_t axis) {
  const Shape& shape = detail::impl_of(x, "glu").shape;
  if (shape.empty()) {
    fail("glu: a 0-d tensor has no halves");
  }
  const int along = normalize_axis(axis, shape.size(), "glu");
  const std::int64_t size = shape[along];
  if (size % 2 != 0) {
    fail("glu: expected an even size along axis {}, got {} {}", axis, name(x.dtype()), shape);
  }
  return map(ops::Gate{}, slice(x, along, 0, size / 2), slice(x, along, size / 2, size));
}

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
  list.add_unary(
      Selu::doc, selu,
      [](Real x) { return Real(Selu::scale) * (x > 0 ? x : Real(Selu::alpha) * std::expm1(x)); },
      -3, 3, {0, -50});
  list.add_unary(Mish::doc, mish, reference_mish, -8, 8, {0, -30, 30});
  list.add_unary(
      Hardtanh::doc, [](const Tensor& x) { return hardtanh(x, -1, 1.5); },
      [](Real x) { return std::min<Real>(std::max<Real>(x, -1), 1.5); }, -3, 3, {-1, 0, 1.5});
  list.add_unary(Hardswish::doc, hardswish,
                 [](Real x) { return x * (std::min<Real>(std::max<Real>(x + 3, 0), 6) / 6); }, -5,
                 5, {0, -3.01, 2.99});
  list.add_unary(
      Softsign::doc, softsign, [](Real x) { return x / (1 + std::abs(x)); }, -4, 4);
  list.add_unary(LogSigmoid::doc, logsigmoid,
                 [](Real x) { return std::min<Real>(x, 0) - std::log1p(std::exp(-std::abs(x))); },
                 -8, 8, {0, -30, 30});
  const auto halves = [](int axis) {
    return [axis](std::span<const Tensor> in) { return glu(in[0], axis); };
  };
  list.add({Gate::doc,
            {{"last axis", {sample_values({3, 4}, -3, 3, 1)}, halves(-1)},
             {"first axis", {sample_values({2, 3}, -3, 3, 2)}, halves(0)},
             {"middle axis", {sample_values({2, 4, 3}, -3, 3, 3)}, halves(-2)},
             {"one dimension", {sample_values({6}, -3, 3, 4)}, halves(0)},
             {"empty", {sample_values({0, 4}, -3, 3, 5)}, halves(1)},
             {"empty halves", {sample_values({3, 0}, -3, 3, 6)}, halves(1)}}});
}

}  // namespace cadena
#endif
