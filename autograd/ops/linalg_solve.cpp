#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/linalg_parts.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

/// What to say of a singular matrix; nothing is said if `operation` is null.
struct Complaint {
  const char* operation;
  const char* consequence = "";

  void check(const Shape& shape, const std::optional<kernels::Failure>& failure) const {
    if (operation != nullptr && failure) {
      fail("{}: {} is singular (pivot {} is 0){}", operation, which(shape, failure->matrix),
           static_cast<std::int64_t>(failure->outcome), consequence);
    }
  }
  bool operator==(const Complaint&) const = default;
};

struct Inverse {
  Complaint complaint;
  static constexpr Doc doc{"inverse", "A^-1"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    const std::int64_t count = numel(batch_of(shape)), n = shape.back();
    if (in[0].numel() > 0) {
      dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
        complaint.check(shape, kernels::solve_by_lu<T>(count, n, n, in[0].data<T>(), nullptr,
                                                       out[0].data<T>()));
      });
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor turned = transpose(b.out());
    return {-matmul(matmul(turned, b.grad()), turned)};
  }
  bool operator==(const Inverse&) const = default;
};

/// A [..., n, n] and B [..., n, k] with equal batches.
struct Solve {
  static constexpr Doc doc{"solve", "A^-1 B"};
  static constexpr Keep keep{0b1, true};
  Types infer(std::span<const Type> in) const { return {in[1]}; }
  void run(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    const std::int64_t count = numel(batch_of(shape)), n = shape.back();
    if (out[0].numel() > 0) {
      dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
        Complaint{doc.name}.check(
            shape, kernels::solve_by_lu<T>(count, n, in[1].shape().back(), in[0].data<T>(),
                                           in[1].data<T>(), out[0].data<T>()));
      });
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor to_b = bind(Solve{}, transpose(b.in(0)), b.grad());
    return {b.needs(0) ? -matmul(to_b, transpose(b.out())) : Tensor(), to_b};
  }
  bool operator==(const Solve&) const = default;
};

struct SolveTriangular {
  bool upper, unit;
  static constexpr Doc doc{"solve_triangular", "A^-1 B, A triangular"};
  static constexpr Keep keep{0b1, true};
  Types infer(std::span<const Type> in) const { return {in[1]}; }
  void run(Inputs in, Outputs out) const {
    const std::int64_t count = numel(batch_of(in[0].shape())), n = in[0].shape().back();
    if (out[0].numel() > 0) {
      dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
        kernels::solve_triangular<T>(count, n, in[1].shape().back(), upper, unit, in[0].data<T>(),
                                     in[1].data<T>(), out[0].data<T>());
      });
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor to_b = bind(SolveTriangular{!upper, unit}, transpose(b.in(0)), b.grad());
    if (!b.needs(0)) {
      return {Tensor(), to_b};
    }
    const std::int64_t n = b.in(0).size(-1);
    const Tensor outer = matmul(to_b, transpose(b.out()));
    const Tensor read = upper ? lower_mask(n, n, unit ? 0 : -1) : lower_mask(n, n, unit ? -1 : 0);
    return {upper ? where(read, 0.0, -outer) : where(read, -outer, 0.0), to_b};
  }
  std::string attributes() const {
    return fmt::format("{}{}", upper ? "upper" : "lower", unit ? ", unit diagonal" : "");
  }
  bool operator==(const SolveTriangular&) const = default;
};

void check_diagonal(const Tensor& a) {
  const NoGrad none;
  const std::int64_t n = a.size(-1);
  cadena::detail::check_values(
      "solve_triangular", sum((a == 0.0) & diagonal_mask(n), {-1}),
      [n, shape = a.shape()](const Input& zeros) {
        const std::int64_t* begin = zeros.data<std::int64_t>();
        const std::int64_t* end = begin + zeros.numel();
        const std::int64_t* first = std::find_if(begin, end, [](std::int64_t k) { return k > 0; });
        if (first != end) {
          fail("solve_triangular: {} is singular: element {} of its diagonal is 0",
               which(shape, (first - begin) / n), (first - begin) % n);
        }
      });
}

/// The checks and the arrangement that solve and solve_triangular share; solution(A, B) takes equal
/// batches.
template <class Solution>
Tensor solve_batches(const char* operation, const Tensor& a, const Tensor& b,
                     const Solution& solution) {
  const std::int64_t n = a.size(-1);
  if (b.dim() == 1) {
    if (b.size(0) != n) {
      fail("{}: expected B [{}] for A {}, got {}", operation, n, a.shape(), b.shape());
    }
    return squeeze(solve_batches(operation, a, unsqueeze(b, 1), solution), {-1});
  }
  if (b.dim() == 0 || b.size(-2) != n) {
    fail("{}: expected B [{}] or [..., {}, k] for A {}, got {}", operation, n, n, a.shape(),
         b.shape());
  }
  if (a.dim() == 2 && b.dim() > 2) {  // one matrix for all: factorised once
    const int rank = b.dim();
    Axes to_front{rank - 2}, back;
    for (int axis = 0; axis < rank - 2; ++axis) {
      to_front.push_back(axis);
      back.push_back(axis + 1);
    }
    to_front.push_back(rank - 1);
    back.push_back(0);
    back.push_back(rank - 1);
    const Tensor turned = permute(b, to_front);
    const std::int64_t columns = numel(batch_of(b.shape())) * b.size(-1);
    const Tensor x = solution(a, reshape(turned, {n, columns}));
    return permute(reshape(x, turned.shape()), back);
  }
  const Shape batch = broadcast_shapes(batch_of(a.shape()), batch_of(b.shape()), operation);
  const auto with_batch = [&](const Tensor& x) {
    Shape shape = batch;
    shape.push_back(x.size(-2));
    shape.push_back(x.size(-1));
    return expand(x, shape);
  };
  return solution(with_batch(a), with_batch(b));
}

void check_operands(const char* operation, const Tensor& a, const Tensor& b) {
  check_square(operation, a);
  detail::impl_of(b, operation);
  check_same_dtype(operation, a, b);
}

}  // namespace

Tensor inverse_or_infinite(const Tensor& x) { return bind(Inverse{{nullptr}}, x); }

Tensor inverse_in_gradient(const char* operation, const Tensor& x) {
  return bind(Inverse{{operation, ": there is no gradient"}}, x);
}

Tensor triangular_solution(const Tensor& a, const Tensor& b, bool upper, bool unit) {
  return bind(SolveTriangular{upper, unit}, a, b);
}

}  // namespace ops

Tensor inverse(const Tensor& x) {
  ops::check_square("inverse", x);
  return bind(ops::Inverse{{"inverse"}}, x);
}

Tensor solve(const Tensor& a, const Tensor& b) {
  ops::check_operands("solve", a, b);
  return ops::solve_batches("solve", a, b, [](const Tensor& matrices, const Tensor& right) {
    return bind(ops::Solve{}, matrices, right);
  });
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, SolveTriangularOptions options) {
  constexpr const char* operation = "solve_triangular";
  ops::check_operands(operation, a, b);
  if (!options.left) {
    if (b.dim() < 2 || b.size(-1) != a.size(-1)) {
      fail("{}: expected B [..., k, {}] for X A = B with A {}, got {}", operation, a.size(-1),
           a.shape(), b.shape());
    }
    return transpose(
        solve_triangular(transpose(a), transpose(b),
                         {.upper = !options.upper, .unitriangular = options.unitriangular}));
  }
  if (!options.unitriangular) {
    ops::check_diagonal(a);
  }
  return ops::solve_batches(operation, a, b, [&](const Tensor& matrices, const Tensor& right) {
    return ops::triangular_solution(matrices, right, options.upper, options.unitriangular);
  });
}

void ops::list_solvers(OpList& list) {
  const auto right = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -1, 1, seed);
  };
  const OperatorCall inverting = [](std::span<const Tensor> in) { return inverse(in[0]); };
  list.add({Inverse::doc,
            {{"batch", {sample_matrices({2, 3, 3}, 3, 1)}, inverting},
             {"two batches", {sample_matrices({2, 2, 2, 2}, 2, 2)}, inverting},
             {"pivots out of order", {sample_matrices({3, 4, 4}, 0, 3)}, inverting},
             {"1 x 1", {sample_matrices({1, 1}, 2, 4)}, inverting},
             // Its broadcast from one row would be singular.
             {"one matrix", {sample_matrices({3, 3}, 3, 5)}, inverting, false},
             {"0 x 0", {sample_matrices({2, 0, 0}, 0, 0)}, inverting},
             {"empty", {sample_matrices({0, 3, 3}, 0, 0)}, inverting}}});
  const OperatorCall solving = [](std::span<const Tensor> in) { return solve(in[0], in[1]); };
  list.add(
      {Solve::doc,
       {{"batches", {sample_matrices({2, 3, 3}, 3, 11), right({2, 3, 2}, 12)}, solving},
        {"batches and a vector", {sample_matrices({2, 3, 3}, 3, 13), right({3}, 14)}, solving},
        {"broadcast batches",
         {sample_matrices({2, 1, 2, 2}, 2, 15), right({3, 2, 2}, 16)},
         solving},
        {"one matrix for all", {sample_matrices({1, 1}, 2, 17), right({2, 1, 3}, 18)}, solving},
        {"one matrix", {sample_matrices({3, 3}, 3, 19), right({2, 2, 3, 2}, 20)}, solving, false},
        {"nothing to solve for", {sample_matrices({2, 3, 3}, 3, 21), right({3, 0}, 0)}, solving},
        {"empty", {sample_matrices({2, 0, 0}, 0, 0), right({0}, 0)}, solving}}});
  const auto triangular = [](SolveTriangularOptions options) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return solve_triangular(in[0], in[1], options); };
  };
  list.add({SolveTriangular::doc,
            {{"lower", {sample_matrices({2, 3, 3}, 3, 31), right({2, 3, 2}, 32)}, triangular({})},
             {"upper, a vector",
              {sample_matrices({2, 3, 3}, 3, 33), right({3}, 34)},
              triangular({.upper = true})},
             {"from the right",
              {sample_matrices({3, 1, 2, 2}, 2, 35), right({2, 3, 2}, 36)},
              triangular({.left = false})},
             {"unit diagonal, one matrix",
              {sample_matrices({3, 3}, 0, 37), right({2, 3, 2}, 38)},
              triangular({.unitriangular = true})},
             {"upper unit diagonal",
              {sample_matrices({2, 3, 3}, 0, 39), right({3, 1}, 40)},
              triangular({.upper = true, .unitriangular = true})},
             {"empty", {sample_matrices({0, 2, 2}, 0, 0), right({2}, 41)}, triangular({})}}});
}

}  // namespace cadena
