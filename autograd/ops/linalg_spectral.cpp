#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>

#include <algorithm>
#include <string_view>

namespace cadena {
namespace ops {
namespace {

/// a / b, and 0 where `none` holds, in all derivatives too.
Tensor quotient_unless(const Tensor& none, const Tensor& a, const Tensor& b) {
  return where(none, 0.0, a / where(none, 1.0, b));
}

/// Where neither x_ij nor x_ji is anything but 0. Constant in between: not recorded.
Tensor no_pair(const Tensor& x) { return (x.detach() == 0.0) & (transpose(x.detach()) == 0.0); }

struct EighOperator {
  const char* caller;  ///< Whom errors speak of.
  static constexpr Doc doc{"eigh", "(A + A^T) / 2 = V diag(w) V^T",
                           "none for eigenvectors of equal eigenvalues"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const {
    Shape values = in[0].shape;
    values.erase(values.size() - 1);
    return {{in[0].dtype, values}, in[0]};
  }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    if (in[0].numel() > 0) {
      dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
        check_spectrum(caller, shape,
                       kernels::eigh<T>(numel(batch_of(shape)), shape.back(), in[0].data<T>(),
                                        out[0].data<T>(), out[1].data<T>()));
      });
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor values = b.out(0), v = b.out(1);
    const Tensor w = matmul(transpose(v), b.grad(1));
    const Tensor distance = unsqueeze(values, -2) - unsqueeze(values, -1);
    const Tensor on_diagonal = diagonal_mask(v.size(-1));
    // A pair to which nothing flows adds nothing, its eigenvalues be equal or not.
    const Tensor none = on_diagonal | ((distance.detach() == 0.0) & no_pair(w));
    const Tensor between = quotient_unless(none, 0.5 * (w - transpose(w)), distance);
    const Tensor inner = where(on_diagonal, unsqueeze(b.grad(0), -1), between);
    return {matmul(matmul(v, inner), transpose(v))};
  }
  bool operator==(const EighOperator& other) const {
    return std::string_view(caller) == other.caller;
  }
};

struct SvdOperator {
  const char* caller;  ///< Whom errors speak of.
  static constexpr Doc doc{"svd", "A = U diag(s) V^T",
                           "none for vectors of equal singular values; U diag(g) V^T for a "
                           "singular value of 0, a kink"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const {
    const Shape& shape = in[0].shape;
    const std::int64_t m = shape[shape.size() - 2], n = shape.back(), k = std::min(m, n);
    Shape values = batch_of(shape);
    values.push_back(k);
    return {{in[0].dtype, matrices_like(shape, m, k)},
            {in[0].dtype, values},
            {in[0].dtype, matrices_like(shape, k, n)}};
  }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    if (in[0].numel() > 0) {
      dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
        check_spectrum(
            caller, shape,
            kernels::svd<T>(numel(batch_of(shape)), shape[shape.size() - 2], shape.back(),
                            in[0].data<T>(), out[0].data<T>(), out[1].data<T>(), out[2].data<T>()));
      });
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor u = b.out(0), s = b.out(1), vh = b.out(2), v = transpose(vh);
    const Tensor to_u = b.grad(0), to_v = transpose(b.grad(2));
    const std::int64_t m = u.size(-2), n = vh.size(-1), k = s.size(-1);
    const Tensor wu = matmul(transpose(u), to_u), wv = matmul(vh, to_v);
    const Tensor along = unsqueeze(s, -2), down = unsqueeze(s, -1);  // s_j, s_i
    // Of (s_j^2 - s_i^2), whose squares could over- or underflow, one factor at a time.
    const Tensor distance = along - down, both = along + down;
    const Tensor no_both = both.detach() == 0.0;
    const Tensor on_diagonal = diagonal_mask(k);
    const Tensor none = on_diagonal | ((distance.detach() == 0.0) & no_pair(wu) & no_pair(wv));
    const Tensor between =
        quotient_unless(none,
                        (wu - transpose(wu)) * quotient_unless(no_both & none, along, both) +
                            (wv - transpose(wv)) * quotient_unless(no_both & none, down, both),
                        distance);
    const Tensor inner = where(on_diagonal, unsqueeze(b.grad(1), -1), between);
    Tensor result = matmul(matmul(u, inner), vh);
    // What flows to directions outside of those that U or V span.
    const auto outside = [&](const Tensor& basis, const Tensor& to, const Tensor& w) {
      const Tensor rest = to - matmul(basis, w);
      return quotient_unless((rest.detach() == 0.0) & (along.detach() == 0.0), rest, along);
    };
    if (m > k) {
      result = result + matmul(outside(u, to_u, wu), vh);
    }
    if (n > k) {
      result = result + matmul(u, transpose(outside(v, to_v, wv)));
    }
    return {result};
  }
  bool operator==(const SvdOperator& other) const {
    return std::string_view(caller) == other.caller;
  }
};

}  // namespace
}  // namespace ops

namespace {

Tensors eigh_for(const char* operation, const Tensor& x) {
  ops::check_square(operation, x);
  return bind_all(ops::EighOperator{operation}, {&x, 1});
}

Tensors svd_for(const char* operation, const Tensor& x) {
  ops::check_matrices(operation, x);
  return bind_all(ops::SvdOperator{operation}, {&x, 1});
}

}  // namespace

Eigh eigh(const Tensor& x) {
  const Tensors both = eigh_for("eigh", x);
  return {both[0], both[1]};
}

Tensor eigvalsh(const Tensor& x) { return eigh_for("eigvalsh", x)[0]; }

Svd svd(const Tensor& x) {
  const Tensors all = svd_for("svd", x);
  return {all[0], all[1], all[2]};
}

Tensor svdvals(const Tensor& x) { return svd_for("svdvals", x)[1]; }

void ops::list_spectra(OpList& list) {
  const auto of = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  // e^A of a symmetric A, and what does not depend on the signs of vectors.
  const auto exponential = of([](const Tensor& x) {
    const Eigh e = eigh(x);
    return matmul(e.eigenvectors * unsqueeze(exp(e.eigenvalues), -2), transpose(e.eigenvectors));
  });
  const auto squares = of([](const Tensor& x) { return square(eigh(x).eigenvectors); });
  list.add({EighOperator::doc,
            {{"function of a matrix", {sample_matrices({2, 3, 3}, 0, 1)}, exponential},
             {"squares of vectors", {sample_matrices({2, 3, 3}, 0, 2)}, squares},
             {"1 x 1", {sample_matrices({2, 1, 1}, 0, 3)}, exponential},
             {"0 x 0", {sample_matrices({2, 0, 0}, 0, 0)}, squares},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, exponential}}});
  list.add({{"eigvalsh", "eigenvalues of (A + A^T) / 2",
             "of equal eigenvalues: v v^T of their vectors as they come"},
            {{"batch", {sample_matrices({2, 3, 3}, 0, 11)}, of(eigvalsh)},
             {"one matrix", {sample_matrices({3, 3}, 0, 12)}, of(eigvalsh)},
             {"1 x 1", {sample_matrices({1, 1}, 0, 13)}, of(eigvalsh)},
             {"equal ones", {2 * eye(3, {}, {.dtype = float64})}, of(eigvalsh), false},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, of(eigvalsh)}}});
  const auto matrix_square = of([](const Tensor& x) {
    const Svd d = svd(x);
    return matmul(d.u * unsqueeze(square(d.s), -2), d.vh);
  });
  const auto squares_of_u = of([](const Tensor& x) { return square(svd(x).u); });
  const auto squares_of_v = of([](const Tensor& x) { return square(svd(x).vh); });
  list.add({SvdOperator::doc,
            {{"square", {sample_matrices({2, 3, 3}, 0, 21)}, matrix_square},
             {"tall", {sample_matrices({2, 4, 2}, 0, 22)}, matrix_square},
             {"wide", {sample_matrices({2, 2, 4}, 0, 23)}, matrix_square},
             {"left vectors", {sample_matrices({2, 3, 2}, 0, 24)}, squares_of_u},
             {"right vectors", {sample_matrices({2, 2, 3}, 0, 25)}, squares_of_v},
             {"one column", {sample_matrices({2, 3, 1}, 0, 26)}, matrix_square},
             {"1 x 1", {sample_matrices({2, 1, 1}, 2, 27)}, matrix_square},
             {"no columns", {sample_matrices({2, 3, 0}, 0, 0)}, matrix_square},
             {"empty", {sample_matrices({0, 3, 2}, 0, 0)}, matrix_square}}});
  list.add({{"svdvals", "singular values of A", "U diag(g) V^T at 0"},
            {{"tall", {sample_matrices({2, 4, 2}, 0, 31)}, of(svdvals)},
             {"wide", {sample_matrices({2, 2, 3}, 0, 32)}, of(svdvals)},
             {"1 x 1", {sample_matrices({2, 1, 1}, 2, 33)}, of(svdvals)},
             {"singular", {zeros({3, 2}, {.dtype = float64})}, of(svdvals), false},
             {"empty", {sample_matrices({0, 3, 2}, 0, 0)}, of(svdvals)}}});
}

}  // namespace cadena
