#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/contract.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/triangle.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

void check_vectors(const char* operation, const Tensor& x, const Tensor& y) {
  const Shape& first = detail::impl_of(x, operation).shape;
  const Shape& second = detail::impl_of(y, operation).shape;
  if (first.size() != 1 || second.size() != 1) {
    fail("{}: expected two vectors, got {} and {}", operation, first, second);
  }
}

void check_numeric(const char* operation, const Tensor& x, const Tensor& y) {
  const Tensor both[] = {x, y};
  if (const Dtype dtype = result_dtype(both); dtype < Dtype::int64) {
    fail("{}: {} tensors hold data, not numbers to multiply; convert with to()", operation,
         name(dtype));
  }
}

/// The axes that are not among `axes`.
Axes others(const Axes& axes, int rank) {
  Axes result;
  for (int axis = 0; axis < rank; ++axis) {
    if (std::find(axes.begin(), axes.end(), axis) == axes.end()) {
      result.push_back(axis);
    }
  }
  return result;
}

Axes joined(const Axes& first, const Axes& second) {
  Axes result = first;
  for (const std::int64_t axis : second) {
    result.push_back(axis);
  }
  return result;
}

Shape sizes_of(const Tensor& x, const Axes& axes) {
  Shape result;
  for (const std::int64_t axis : axes) {
    result.push_back(x.shape()[static_cast<int>(axis)]);
  }
  return result;
}

/// Axes in the order given, in [0, rank), each once.
Axes in_order(const Axes& axes, int rank) {
  normalize_axes(axes, rank, "tensordot");
  Axes result;
  for (const std::int64_t axis : axes) {
    result.push_back(normalize_axis(axis, rank, "tensordot"));
  }
  return result;
}

}  // namespace

}  // namespace ops

Tensor dot(const Tensor& x, const Tensor& y) {
  ops::check_vectors("dot", x, y);
  ops::check_product_dtypes("dot", x, y);
  if (x.size(0) != y.size(0)) {
    fail("dot: sizes differ: {} and {} ({} against {})", x.shape(), y.shape(), x.size(0),
         y.size(0));
  }
  return matmul(x, y);
}

Tensor outer(const Tensor& x, const Tensor& y) {
  ops::check_vectors("outer", x, y);
  ops::check_numeric("outer", x, y);
  return unsqueeze(x, 1) * unsqueeze(y, 0);
}

Tensor tensordot(const Tensor& x, const Tensor& y, std::int64_t axes) {
  const int first = detail::impl_of(x, "tensordot").shape.size();
  const int second = detail::impl_of(y, "tensordot").shape.size();
  if (axes < 0 || axes > std::min(first, second)) {
    fail("tensordot: {} dimensions to sum over, expected 0 to {} for {} and {}", axes,
         std::min(first, second), x.shape(), y.shape());
  }
  Axes x_axes, y_axes;
  for (int i = 0; i < static_cast<int>(axes); ++i) {
    x_axes.push_back(first - axes + i);
    y_axes.push_back(i);
  }
  return tensordot(x, y, x_axes, y_axes);
}

Tensor tensordot(const Tensor& x, const Tensor& y, const Axes& x_axes, const Axes& y_axes) {
  ops::check_product_dtypes("tensordot", x, y);
  if (x_axes.size() != y_axes.size()) {
    fail("tensordot: axes {} and {} do not pair", x_axes, y_axes);
  }
  // No axes would mean all of them to normalize_axes.
  const Axes from_x = x_axes.empty() ? Axes{} : ops::in_order(x_axes, x.dim());
  const Axes from_y = y_axes.empty() ? Axes{} : ops::in_order(y_axes, y.dim());
  for (int i = 0; i < from_x.size(); ++i) {
    const std::int64_t a = x.size(from_x[i]), b = y.size(from_y[i]);
    if (a != b) {
      fail("tensordot: axis {} of {} and axis {} of {} differ ({} against {})", from_x[i],
           x.shape(), from_y[i], y.shape(), a, b);
    }
  }
  const Axes rest_x = ops::others(from_x, x.dim()), rest_y = ops::others(from_y, y.dim());
  if (rest_x.size() + rest_y.size() > max_rank) {
    fail("tensordot: the result of {} and {} would have {} dimensions, at most {} are possible",
         x.shape(), y.shape(), rest_x.size() + rest_y.size(), max_rank);
  }
  const Shape rows = ops::sizes_of(x, rest_x), columns = ops::sizes_of(y, rest_y);
  const std::int64_t inner = numel(ops::sizes_of(x, from_x));
  const Tensor left = reshape(permute(x, ops::joined(rest_x, from_x)), {numel(rows), inner});
  const Tensor right = reshape(permute(y, ops::joined(from_y, rest_y)), {inner, numel(columns)});
  return reshape(matmul(left, right), ops::joined(rows, columns));
}

Tensor trace(const Tensor& x, std::int64_t offset, std::int64_t axis1, std::int64_t axis2) {
  const Shape& shape = detail::impl_of(x, "trace").shape;
  if (shape.size() < 2) {
    fail("trace: expected at least two dimensions, got shape {}", shape);
  }
  const int first = normalize_axis(axis1, shape.size(), "trace");
  const int second = normalize_axis(axis2, shape.size(), "trace");
  if (first == second) {
    fail("trace: axes {} and {} of shape {} are the same", axis1, axis2, shape);
  }
  return sum(diagonal(x, offset, first, second), {-1});
}

Tensor kron(const Tensor& x, const Tensor& y) {
  const int rank =
      std::max(detail::impl_of(x, "kron").shape.size(), detail::impl_of(y, "kron").shape.size());
  if (rank > max_rank / 2) {
    fail("kron: expected at most {} dimensions, got {} and {}", max_rank / 2, x.shape(), y.shape());
  }
  ops::check_numeric("kron", x, y);
  Shape spread_x, spread_y, merged;
  for (int i = rank; i > 0; --i) {
    const std::int64_t a = i <= x.dim() ? x.size(-i) : 1, b = i <= y.dim() ? y.size(-i) : 1;
    spread_x = ops::joined(spread_x, {a, 1});
    spread_y = ops::joined(spread_y, {1, b});
    merged.push_back(a * b);
  }
  return reshape(reshape(x, spread_x) * reshape(y, spread_y), merged);
}

void ops::list_contractions(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -1, 1, seed);
  };
  const auto of_two = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0], in[1]); };
  };
  list.add({{"dot", "sum_i x_i y_i"},
            {{"vectors", {values({5}, 1), values({5}, 2)}, of_two(dot)},
             {"one element", {values({1}, 3), values({1}, 4)}, of_two(dot)},
             {"empty", {values({0}, 0), values({0}, 0)}, of_two(dot)}}});
  list.add({{"outer", "z_ij = x_i y_j"},
            {{"vectors", {values({3}, 5), values({4}, 6)}, of_two(outer), true, false},
             {"empty", {values({0}, 0), values({3}, 7)}, of_two(outer)}}});
  const auto over = [](const Axes& x_axes, const Axes& y_axes) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return tensordot(in[0], in[1], x_axes, y_axes); };
  };
  const auto counted = [](std::int64_t axes) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return tensordot(in[0], in[1], axes); };
  };
  list.add({{"tensordot", "z[i, j] = sum_k x[i, k] y[k, j], i, j and k of many dimensions"},
            {{"two axes", {values({2, 3, 4}, 11), values({3, 4, 2}, 12)}, counted(2)},
             {"one axis", {values({2, 3}, 13), values({3, 2, 2}, 14)}, counted(1)},
             {"no axes", {values({2, 3}, 15), values({2}, 16)}, counted(0), true, false},
             {"0-d", {values({}, 17), values({2}, 18)}, counted(0)},
             {"pairs, negative ones too",
              {values({2, 3, 4}, 19), values({4, 2, 5}, 20)},
              over({-1, 0}, {0, 1})},
             {"all axes", {values({2, 3}, 21), values({3, 2}, 22)}, over({0, 1}, {1, 0})},
             {"nothing to sum", {values({2, 0}, 0), values({0, 3}, 0)}, counted(1)},
             {"empty", {values({0, 2}, 0), values({2, 3}, 23)}, counted(1)}}});
  const auto tracing = [](std::int64_t offset, std::int64_t a, std::int64_t b) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return trace(in[0], offset, a, b); };
  };
  list.add({{"trace", "sum_i x_ii"},
            {{"square", {values({3, 3}, 31)}, tracing(0, 0, 1)},
             {"wide", {values({2, 4}, 32)}, tracing(0, 0, 1)},
             {"tall, below the diagonal", {values({4, 2}, 33)}, tracing(-1, 0, 1)},
             {"above, last axes turned", {values({2, 3, 3}, 34)}, tracing(1, -1, -2)},
             {"outer axes", {values({3, 2, 3}, 35)}, tracing(0, 0, 2)},
             {"beyond the corner", {values({2, 3}, 36)}, tracing(3, 0, 1)},
             {"empty", {values({0, 3}, 0)}, tracing(0, 0, 1)}}});
  list.add(
      {{"kron", "z[i q + k, j r + l] = x[i, j] y[k, l], y [q, r]"},
       {{"matrices", {values({2, 3}, 41), values({3, 2}, 42)}, of_two(kron), true, false},
        {"matrix and vector", {values({2, 2}, 43), values({3}, 44)}, of_two(kron), true, false},
        {"three dimensions",
         {values({2, 1, 2}, 45), values({1, 2, 2}, 46)},
         of_two(kron),
         true,
         false},
        {"0-d", {values({}, 47), values({2}, 48)}, of_two(kron)},
        {"empty", {values({0, 2}, 0), values({2, 2}, 49)}, of_two(kron)}}});
}

}  // namespace cadena
