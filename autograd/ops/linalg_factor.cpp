#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

struct Cholesky {
  static constexpr Doc doc{"cholesky", "L with L L^T = (A + A^T) / 2, L lower triangular"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    if (in[0].numel() == 0) {
      return;
    }
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const std::optional<kernels::Failure> failure = kernels::cholesky<T>(
          numel(batch_of(shape)), shape.back(), in[0].data<T>(), out[0].data<T>());
      if (failure) {
        fail("{}: {} is not positive definite (pivot {} is not positive)", doc.name,
             which(shape, failure->matrix), static_cast<std::int64_t>(failure->outcome));
      }
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor l = b.out(), turned = transpose(l);
    const std::int64_t n = l.size(-1);
    const Tensor product = matmul(turned, b.grad());
    const Tensor phi =
        where(lower_mask(n, n, -1), product, where(diagonal_mask(n), 0.5 * product, 0.0));
    const Tensor left = triangular_solution(turned, phi, true);
    const Tensor s = triangular_solution(turned, transpose(left), true);
    return {0.5 * (s + transpose(s))};
  }
  bool operator==(const Cholesky&) const = default;
};

/// Errors if R of an [..., m, n] with m >= n has a 0 on its diagonal.
void check_rank(const Shape& shape, const Tensor& r) {
  const NoGrad none;
  const std::int64_t n = r.size(-1);
  cadena::detail::check_values(
      "qr", sum((r == 0.0) & diagonal_mask(n), {-2, -1}), [n, shape](const Input& zeros) {
        const std::int64_t* begin = zeros.data<std::int64_t>();
        const std::int64_t* end = begin + zeros.numel();
        const std::int64_t* first = std::find_if(begin, end, [](std::int64_t k) { return k > 0; });
        if (first != end) {
          fail("qr: the first {} columns of {} are dependent: there is no gradient", n,
               which(shape, first - begin));
        }
      });
}

/// The gradient for m >= n.
Tensor qr_gradient(const Shape& shape, const Tensor& q, const Tensor& r, const Tensor& to_q,
                   const Tensor& to_r) {
  check_rank(shape, r);
  const std::int64_t n = r.size(-1);
  // Q̄ + Q·C without what cancels in it.
  const Tensor along = matmul(transpose(q), to_q), product = matmul(r, transpose(to_r));
  const Tensor inner = where(lower_mask(n, n), product, transpose(product)) +
                       where(lower_mask(n, n, -1), along - transpose(along), 0.0);
  const Tensor inside = matmul(q, inner);
  const Tensor w = q.size(-2) == n ? inside : inside + (to_q - matmul(q, along));
  return transpose(triangular_solution(r, transpose(w), true));
}

struct QrOperator {
  static constexpr Doc doc{"qr", "A = Q R with Q^T Q = 1, R upper triangular, r_ii >= 0",
                           "none where r_ii = 0"};
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const {
    const Shape& shape = in[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    return {{in[0].dtype, matrices_like(shape, m, k)}, {in[0].dtype, matrices_like(shape, k, n)}};
  }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    if (in[0].numel() == 0) {
      return;  // so is every result
    }
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::qr<T>(numel(batch_of(shape)), shape[shape.size() - 2], shape.back(), in[0].data<T>(),
                     out[0].data<T>(), out[1].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const Shape& shape = b.in(0).shape();
    const Tensor q = b.out(0), r = b.out(1);
    const std::int64_t m = q.size(-2), n = r.size(-1);
    if (m >= n) {
      return {qr_gradient(shape, q, r, b.grad(0), b.grad(1))};
    }
    const Tensor rest = slice(b.in(0), -1, m), to_rest = slice(b.grad(1), -1, m);
    const Tensor first =
        qr_gradient(shape, q, slice(r, -1, 0, m), b.grad(0) + matmul(rest, transpose(to_rest)),
                    slice(b.grad(1), -1, 0, m));
    return {cat({first, matmul(q, to_rest)}, -1)};
  }
  bool operator==(const QrOperator&) const = default;
};

}  // namespace
}  // namespace ops

Tensor cholesky(const Tensor& x) {
  ops::check_square("cholesky", x);
  return bind(ops::Cholesky{}, x);
}

Qr qr(const Tensor& x) {
  ops::check_matrices("qr", x);
  const Tensors both = bind_all(ops::QrOperator{}, {&x, 1});
  return {both[0], both[1]};
}

void ops::list_factorizations(OpList& list) {
  const auto of = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  const auto positive = [](const Shape& shape, std::uint64_t seed) {
    const Tensor x = sample_matrices(shape, 0, seed);
    return matmul(x, transpose(x)) + eye(shape.back(), {}, {.dtype = float64});
  };
  list.add({Cholesky::doc,
            {{"batch", {positive({2, 3, 3}, 1)}, of(cholesky)},
             {"not symmetric", {sample_matrices({2, 2, 2}, 3, 2)}, of(cholesky)},
             {"1 x 1", {sample_matrices({2, 1, 1}, 3, 3)}, of(cholesky)},
             {"one matrix", {positive({4, 4}, 4)}, of(cholesky), false},
             {"0 x 0", {sample_matrices({2, 0, 0}, 0, 0)}, of(cholesky)},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, of(cholesky)}}});
  const auto q = of([](const Tensor& x) { return qr(x).q; });
  const auto r = of([](const Tensor& x) { return qr(x).r; });
  const auto both = of([](const Tensor& x) {
    const Qr factors = qr(x);
    return matmul(square(factors.q), factors.r);
  });
  list.add({QrOperator::doc,
            {{"square, both", {sample_matrices({2, 3, 3}, 0, 11)}, both},
             {"tall, q", {sample_matrices({2, 4, 2}, 0, 12)}, q},
             {"tall, r", {sample_matrices({2, 4, 2}, 0, 13)}, r},
             {"wide, both", {sample_matrices({2, 2, 4}, 0, 14)}, both},
             {"one column", {sample_matrices({2, 3, 1}, 0, 15)}, both},
             {"one row", {sample_matrices({2, 1, 3}, 0, 16)}, both},
             {"1 x 1", {sample_matrices({2, 2, 1, 1}, 2, 17)}, r},
             {"one matrix", {sample_matrices({4, 3}, 0, 18)}, r, false},
             {"no columns", {sample_matrices({2, 3, 0}, 0, 0)}, r},
             {"no rows", {sample_matrices({2, 0, 3}, 0, 0)}, q},
             {"empty", {sample_matrices({0, 3, 2}, 0, 0)}, r}}});
}

}  // namespace cadena
