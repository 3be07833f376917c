#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string_view>

namespace cadena {
namespace ops {
namespace {

/// body(i, determinant of matrix i).
template <class T, class Body> void each_determinant(const Input& in, Body&& body) {
  const Shape& shape = in.shape();
  const std::int64_t count = numel(batch_of(shape)), n = shape.back();
  const kernels::Scratch<kernels::Determinant> memory(count);
  if (n > 0) {
    kernels::determinants<T>(count, n, in.data<T>(), memory.data());
  } else {
    std::fill_n(memory.data(), count, kernels::Determinant{1, 0});
  }
  for (std::int64_t i = 0; i < count; ++i) {
    body(i, memory.data()[i]);
  }
}

/// The largest sum of |elements| of a column.
template <class T> double one_norm(std::span<const T> matrix, std::int64_t n) {
  std::vector<double> sums(static_cast<std::size_t>(n), 0.0);
  for (std::size_t i = 0; i < matrix.size(); ++i) {
    sums[i % sums.size()] += std::abs(static_cast<double>(matrix[i]));
  }
  // Not std::max_element, which may pass by a NaN.
  double largest = 0;
  for (double sum : sums) {
    largest = sum <= largest ? largest : sum;
  }
  return largest;
}

/// Whether det(A)·A^-T has lost the digits of the cofactors, or some of them altogether. Not so for
/// matrices with infinite or NaN elements, which have none.
template <class T>
bool loses_cofactors(std::span<const T> matrix, std::span<const T> inverse, T det, std::int64_t n) {
  const double most = std::pow(std::numeric_limits<T>::epsilon(), -2.0 / 3);
  const double norm = one_norm<T>(matrix, n);
  return std::isfinite(norm) && (!(norm * one_norm<T>(inverse, n) <= most) || !std::isnormal(det));
}

/// The matrices of a batch for which the above holds.
std::vector<std::int64_t> losing_among(const Tensor& x, const Tensor& inverses,
                                       const Tensor& dets) {
  const Tensor matrices = contiguous(x.detach()), inverted = contiguous(inverses.detach()),
               values = contiguous(dets.detach());
  const std::int64_t n = x.size(-1), size = n * n;
  std::vector<std::int64_t> result;
  dispatch_floating(x.dtype(), "det", [&]<class T>() {
    for (std::int64_t i = 0; size > 0 && i < x.numel() / size; ++i) {
      const auto part = [&](const Tensor& tensor) {
        return tensor.data<T>().subspan(static_cast<std::size_t>(i * size),
                                        static_cast<std::size_t>(size));
      };
      if (loses_cofactors<T>(part(matrices), part(inverted),
                             values.data<T>()[static_cast<std::size_t>(i)], n)) {
        result.push_back(i);
      }
    }
  });
  return result;
}

/// d singular_det / dA, itself to be differentiated if that is being recorded.
Tensor singular_cofactors(const Tensor& matrix) {
  const bool recording = modes().grad_enabled;
  const EnableGrad enable;
  const Tensor at = cadena::detail::alias(
      recording && matrix.requires_grad() ? matrix : matrix.detach().requires_grad_leaf());
  const Tensor result = cadena::detail::partial_of(singular_det(at), at);
  return recording ? result : result.detach();
}

/// 2^exponents of shape [rows, columns].
Tensor powers_of_2(const std::vector<int>& exponents, const Shape& shape, Dtype dtype) {
  std::vector<double> values;
  for (int exponent : exponents) {
    values.push_back(std::ldexp(1.0, exponent));
  }
  return from_vector(values, shape).to(dtype);
}

/// d det / dA of one finite matrix, through a matrix whose rows and columns are of the order of 1:
/// what is singular in digits may have been badly scaled alone. By powers of 2, so nothing is
/// rounded.
Tensor scaled_cofactors(const Tensor& matrix) {
  const std::int64_t n = matrix.size(0);
  const std::vector<double> a = matrix.to_vector<double>();
  const int limit = matrix.dtype() == float32 ? 126 : 1022;  // 2^±limit are normal numbers
  std::vector<int> rows, columns, first, second;
  const auto exponent_of = [&](double largest) {
    return largest > 0 ? std::clamp(-std::ilogb(largest), -limit, limit) : 0;
  };
  const auto at = [&](std::int64_t i, std::int64_t j) {
    return std::abs(a[static_cast<std::size_t>(i * n + j)]);
  };
  int total = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    double largest = 0;
    for (std::int64_t j = 0; j < n; ++j) {
      largest = std::max(largest, at(i, j));
    }
    rows.push_back(exponent_of(largest));
    total += rows.back();
  }
  for (std::int64_t j = 0; j < n; ++j) {
    double largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      largest = std::max(largest, std::ldexp(at(i, j), rows[static_cast<std::size_t>(i)]));
    }
    columns.push_back(exponent_of(largest));
    total += columns.back();
  }
  for (int row : rows) {
    for (int column : columns) {
      // In two factors, for 2^exponent alone may be out of range where the product is not.
      const int exponent = std::clamp(row + column - total, -2 * limit, 2 * limit);
      first.push_back(exponent / 2);
      second.push_back(exponent - exponent / 2);
    }
  }
  const Tensor scaled = matrix * powers_of_2(rows, {n, 1}, matrix.dtype()) *
                        powers_of_2(columns, {1, n}, matrix.dtype());
  const Tensor inverse = inverse_or_infinite(scaled), value = regular_det(scaled);
  const Tensor cofactors = losing_among(scaled, inverse, value).empty()
                               ? value * transpose(inverse)
                               : singular_cofactors(scaled);
  return cofactors * powers_of_2(first, {n, n}, matrix.dtype()) *
         powers_of_2(second, {n, n}, matrix.dtype());
}

struct Det {
  bool regular = false;  ///< Known not to be singular.
  static constexpr Doc doc{"det", "det A"};
  static constexpr Keep keep = Keep::both;

  Types infer(std::span<const Type> in) const { return {{in[0].dtype, batch_of(in[0].shape)}}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      T* to = out[0].data<T>();
      each_determinant<T>(in[0], [=](std::int64_t i, const kernels::Determinant& det) {
        const auto exponent = static_cast<int>(std::clamp<std::int64_t>(det.exponent, -9999, 9999));
        to[i] = static_cast<T>(std::ldexp(det.mantissa, exponent));
      });
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor& x = b.in(0);
    const Tensor inverses = inverse_or_infinite(x);
    const std::vector<std::int64_t> singular =
        regular ? std::vector<std::int64_t>() : losing_among(x, inverses, b.out());
    if (singular.empty()) {
      return {as_factors(b.grad() * b.out()) * transpose(inverses)};
    }
    return {with_singular(b, singular)};
  }
  bool operator==(const Det&) const = default;

 private:
  /// Some matrices of the batch are singular: they are treated one by one.
  static Tensor with_singular(const Backward& b, const std::vector<std::int64_t>& singular) {
    const std::int64_t n = b.in(0).size(-1), count = b.in(0).numel() / (n * n);
    const Tensor x = reshape(b.in(0), {count, n, n});
    const Tensor g = reshape(b.grad(), {count}), value = reshape(b.out(), {count});
    const Tensor places = from_vector(singular, {static_cast<std::int64_t>(singular.size())});
    const Tensor hits = index_add(zeros({count}, {.dtype = int64}), 0, places,
                                  ones(places.shape(), {.dtype = int64}));
    const Tensor is_singular = as_factors(hits > 0);
    const Tensor safe = where(is_singular, eye(n, {}, {.dtype = x.dtype()}), x);
    const Tensor regular = as_factors(g * value) * transpose(inverse_or_infinite(safe));
    std::vector<Tensor> others;
    for (const std::int64_t i : singular) {
      others.push_back(select(g, 0, i) * scaled_cofactors(select(x, 0, i)));
    }
    return reshape(index_add(where(is_singular, 0.0, regular), 0, places, stack(others)),
                   b.in(0).shape());
  }
};

struct SlogDet {
  const char* caller;  ///< Whom errors speak of.
  static constexpr Doc doc{"slogdet", "sign of det A and ln |det A|",
                           "the sign's derivative is 0; none for a singular matrix"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const {
    const Type type{in[0].dtype, batch_of(in[0].shape)};
    return {type, type};
  }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      T *sign = out[0].data<T>(), *logarithm = out[1].data<T>();
      each_determinant<T>(in[0], [=](std::int64_t i, const kernels::Determinant& det) {
        const double m = det.mantissa;
        sign[i] = static_cast<T>(std::isnan(m) ? m : m > 0 ? 1 : m < 0 ? -1 : 0);
        logarithm[i] = static_cast<T>(std::log(std::abs(m)) +
                                      static_cast<double>(det.exponent) * std::numbers::ln2);
      });
    });
  }
  Gradients vjp(const Backward& b) const {
    return {as_factors(b.grad(1)) * transpose(inverse_in_gradient(caller, b.in(0)))};
  }
  bool operator==(const SlogDet& other) const { return std::string_view(caller) == other.caller; }
};

}  // namespace

Tensor regular_det(const Tensor& x) { return bind(Det{true}, x); }

}  // namespace ops

Tensor det(const Tensor& x) {
  ops::check_square("det", x);
  return bind(ops::Det{}, x);
}

namespace {

SignLogDet slogdet_for(const char* operation, const Tensor& x) {
  ops::check_square(operation, x);
  const Tensors both = bind_all(ops::SlogDet{operation}, {&x, 1});
  return {both[0], both[1]};
}

}  // namespace

SignLogDet slogdet(const Tensor& x) { return slogdet_for("slogdet", x); }

Tensor logdet(const Tensor& x) {
  const SignLogDet both = slogdet_for("logdet", x);
  return both.logabsdet + log(both.sign.detach());
}

void ops::list_determinants(OpList& list) {
  const auto of = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  const auto from = [](const std::vector<double>& values, const Shape& shape) {
    return from_vector(values, shape);
  };
  list.add(
      {Det::doc,
       {{"batch", {sample_matrices({2, 3, 3}, 0, 1)}, of(det)},
        {"one matrix", {sample_matrices({4, 4}, 0, 2)}, of(det), true, false},
        {"1 x 1", {sample_matrices({2, 1, 1}, 0, 3)}, of(det)},
        {"rank n - 1", {from({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3})}, of(det), true, false},
        {"rank n - 2", {from({0, 0, 0, 3, 0, 0, 0, 0, 0}, {3, 3})}, of(det), true, false},
        {"0", {zeros({3, 3}, {.dtype = float64})}, of(det), true, false},
        {"1 x 1, 0", {zeros({1, 1}, {.dtype = float64})}, of(det)},
        {"singular and regular", {from({1, 2, 2, 4, 1, 2, 3, 4, 0, 0, 0, 0}, {3, 2, 2})}, of(det)},
        {"0 x 0", {sample_matrices({2, 0, 0}, 0, 0)}, of(det)},
        {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, of(det)}}});
  const auto logabsdet = of([](const Tensor& x) { return slogdet(x).logabsdet; });
  const auto sign = of([](const Tensor& x) { return slogdet(x).sign; });
  list.add({SlogDet::doc,
            {{"logarithm", {sample_matrices({2, 3, 3}, 0, 11)}, logabsdet},
             {"logarithm, two batches", {sample_matrices({2, 2, 2, 2}, 1, 12)}, logabsdet},
             {"sign", {sample_matrices({4, 2, 2}, 0, 13)}, sign},
             {"1 x 1", {sample_matrices({2, 1, 1}, 3, 14)}, logabsdet},
             {"one matrix", {sample_matrices({3, 3}, 2, 15)}, logabsdet, false},
             {"0 x 0", {sample_matrices({2, 0, 0}, 0, 0)}, logabsdet},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, logabsdet}}});
  list.add({{"logdet", "ln det A", "none for a singular matrix"},
            {{"batch", {sample_matrices({2, 3, 3}, 3, 21)}, of(logdet)},
             {"1 x 1", {sample_matrices({2, 1, 1}, 3, 22)}, of(logdet)},
             {"one matrix", {sample_matrices({3, 3}, 3, 23)}, of(logdet), false},
             {"0 x 0", {sample_matrices({0, 0}, 0, 0)}, of(logdet)},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, of(logdet)}}});
}

}  // namespace cadena
