#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/product.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

using kernels::ProductShape;
using kernels::Transpose;

/// How the last two dimensions of an operand lie in memory: in rows, or as the transpose of rows.
struct Arrangement {
  bool usable = false;
  Transpose transposed = Transpose::no;
  std::int64_t stride = 1;
};

Arrangement arrangement(const Shape& shape, const Strides& strides) {
  const int rank = shape.size();
  const std::int64_t rows = shape[rank - 2], columns = shape[rank - 1];
  const std::int64_t down = strides[rank - 2], across = strides[rank - 1];
  if ((across == 1 || columns <= 1) && (rows <= 1 || down >= std::max<std::int64_t>(columns, 1))) {
    return {true, Transpose::no, rows <= 1 ? std::max<std::int64_t>(columns, 1) : down};
  }
  if ((down == 1 || rows <= 1) && (columns <= 1 || across >= std::max<std::int64_t>(rows, 1))) {
    return {true, Transpose::yes, columns <= 1 ? std::max<std::int64_t>(rows, 1) : across};
  }
  return {};
}

/// The tensor itself, or a copy if a product could not read it as it lies.
Tensor readable(const Tensor& x) {
  return x.is_contiguous() || arrangement(x.shape(), x.strides()).usable ? x : contiguous(x);
}

ProductShape product_shape(const Input& x, const Input& y, const Arrangement& a,
                           const Arrangement& b) {
  const int rank = x.shape().size();
  return {x.size(rank - 2), y.size(rank - 1), x.size(rank - 1), a.transposed, b.transposed};
}

/// [..., m, k] x [..., k, n] with equal leading dimensions, broadcast by views.
struct Matmul {
  static constexpr Doc doc{"matmul", "z_ij = sum_k x_ik y_kj"};
  static constexpr Keep keep = Keep::inputs;
  static constexpr bool strided = true;

  Types infer(std::span<const Type> in) const {
    Shape shape = in[0].shape;
    shape[shape.size() - 1] = in[1].shape.back();
    return {{in[0].dtype, shape}};
  }
  double flop(std::span<const Type> in) const {
    return 2 * static_cast<double>(numel(in[0].shape)) * static_cast<double>(in[1].shape.back());
  }

  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() { run_as<T>(in, out); });
  }

  template <class T> void run_as(Inputs in, Outputs out) const {
    const Shape& shape = in[0].shape();
    const Strides x = in[0].strides(), y = in[1].strides();
    const Arrangement a = arrangement(shape, x), b = arrangement(in[1].shape(), y);
    const ProductShape product = product_shape(in[0], in[1], a, b);
    const std::int64_t size = product.rows * product.columns;
    if (out[0].numel() == 0) {
      return;
    }
    // Batches that can be walked with one stride run as one; the rest one after another.
    int first = shape.size() - 2;
    std::int64_t batch = 1, step_x = 0, step_y = 0;
    while (first > 0) {
      const int axis = first - 1;
      const bool merges = batch == 1 || (x[axis] == batch * step_x && y[axis] == batch * step_y);
      if (!merges && shape[axis] != 1) {
        break;
      }
      if (batch == 1) {
        step_x = x[axis];
        step_y = y[axis];
      }
      batch *= shape[axis];
      first = axis;
    }
    std::int64_t outer = 1;
    for (int axis = 0; axis < first; ++axis) {
      outer *= shape[axis];
    }
    for (std::int64_t i = 0; i < outer; ++i) {
      std::int64_t rest = i, offset_x = 0, offset_y = 0;
      for (int axis = first; axis-- > 0;) {
        offset_x += rest % shape[axis] * x[axis];
        offset_y += rest % shape[axis] * y[axis];
        rest /= shape[axis];
      }
      kernels::product_batch<T>(batch, product, {in[0].data<T>() + offset_x, a.stride, step_x},
                                {in[1].data<T>() + offset_y, b.stride, step_y},
                                {out[0].data<T>() + i * batch * size, product.columns, size});
    }
  }

  Gradients vjp(const Backward& b) const {
    const Shape& shape = b.grad().shape();
    if (shape.back() == 1 && shape[shape.size() - 2] == 1) {  // of dot products: multiples
      return {b.needs(0) ? b.grad() * transpose(b.in(1)) : Tensor(),
              b.needs(1) ? transpose(b.in(0)) * b.grad() : Tensor()};
    }
    return {b.needs(0) ? matmul(b.grad(), transpose(b.in(1))) : Tensor(),
            b.needs(1) ? matmul(transpose(b.in(0)), b.grad()) : Tensor()};
  }
  bool operator==(const Matmul&) const = default;
};

/// Adds the bias to a finished part of a product.
template <class T> struct AddBias {
  T* y;
  const T* bias;
  std::int64_t outputs;

  static void run(void* context, std::int64_t row, std::int64_t rows, std::int64_t column,
                  std::int64_t columns) {
    const AddBias& self = *static_cast<const AddBias*>(context);
    for (std::int64_t i = row; i < row + rows; ++i) {
      T* y = self.y + i * self.outputs;
      for (std::int64_t j = column; j < column + columns; ++j) {
        y[j] += self.bias[j];
      }
    }
  }
};

/// x [n, inputs], weight [outputs, inputs], and perhaps bias [outputs].
struct Linear {
  static constexpr Doc doc{"linear", "y = x W^T + b"};
  static constexpr Keep keep{0b11, false};
  static constexpr bool strided = true;

  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, {in[0].shape[0], in[1].shape[0]}}};
  }
  double flop(std::span<const Type> in) const {
    return 2 * static_cast<double>(numel(in[0].shape)) * static_cast<double>(in[1].shape[0]);
  }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const Arrangement a = arrangement(in[0].shape(), in[0].strides());
      const Arrangement w = arrangement(in[1].shape(), in[1].strides());
      const Transpose turned = w.transposed == Transpose::no ? Transpose::yes : Transpose::no;
      const std::int64_t outputs = in[1].size(0);
      const ProductShape shape{in[0].size(0), outputs, in[0].size(1), a.transposed, turned};
      AddBias<T> bias{out[0].data<T>(), in.size() > 2 ? in[2].data<T>() : nullptr, outputs};
      kernels::product<T>(shape, {in[0].data<T>(), a.stride}, {in[1].data<T>(), w.stride},
                          {out[0].data<T>(), outputs},
                          {in.size() > 2 ? &AddBias<T>::run : nullptr, &bias});
    });
  }
  Gradients vjp(const Backward& b) const {
    Gradients result{b.needs(0) ? matmul(b.grad(), b.in(1)) : Tensor(),
                     b.needs(1) ? matmul(transpose(b.grad()), b.in(0)) : Tensor()};
    if (b.inputs() > 2) {
      result.push_back(b.needs(2) ? sum(b.grad(), {0}) : Tensor());
    }
    return result;
  }
  bool operator==(const Linear&) const = default;
};

}  // namespace

void check_product_dtypes(const char* operation, const Tensor& x, const Tensor& y) {
  const Dtype dtype = detail::impl_of(x, operation).dtype;
  const Dtype other = detail::impl_of(y, operation).dtype;
  if (!is_floating(dtype) || !is_floating(other)) {
    fail("{}: expected float32 or float64, got {} x {}; convert with to(float32)", operation,
         name(dtype), name(other));
  }
  if (dtype != other) {
    fail("{}: dtypes differ: {} x {}; convert one with to()", operation, name(dtype), name(other));
  }
}

}  // namespace ops

Tensor matmul(const Tensor& x, const Tensor& y) {
  ops::check_product_dtypes("matmul", x, y);
  if (x.dim() == 0 || y.dim() == 0) {
    fail("matmul: expected at least one dimension, got {} x {}", x.shape(), y.shape());
  }
  if (x.size(-1) != y.size(y.dim() == 1 ? -1 : -2)) {
    fail("matmul: inner dimensions differ: {} x {} ({} against {})", x.shape(), y.shape(),
         x.size(-1), y.size(y.dim() == 1 ? -1 : -2));
  }
  if (x.dim() == 1 || y.dim() == 1) {
    const Tensor product =
        matmul(x.dim() == 1 ? unsqueeze(x, 0) : x, y.dim() == 1 ? unsqueeze(y, 1) : y);
    Shape shape = product.shape();
    if (y.dim() == 1) {
      shape.erase(shape.size() - 1);
    }
    if (x.dim() == 1) {
      shape.erase(shape.size() - (y.dim() == 1 ? 1 : 2));
    }
    return reshape(product, shape);
  }
  if (x.dim() == 2 && y.dim() == 2) {
    return bind(ops::Matmul{}, ops::readable(x), ops::readable(y));
  }
  if (y.dim() == 2) {  // one matrix for all batches: the batches are more rows
    Shape shape = x.shape();
    shape[shape.size() - 1] = y.size(-1);
    const std::int64_t rows = numel(shape) == 0 ? 0 : numel(shape) / y.size(-1);
    if (rows != 0) {
      return reshape(matmul(reshape(x, {rows, x.size(-1)}), y), shape);
    }
  }
  const auto leading = [](const Tensor& tensor) {
    Shape shape = tensor.shape();
    shape.erase(shape.size() - 1);
    shape.erase(shape.size() - 1);
    return shape;
  };
  const Shape batch = broadcast_shapes(leading(x), leading(y), "matmul");
  const auto with_batch = [&](const Tensor& tensor) {
    Shape shape = batch;
    shape.push_back(tensor.size(-2));
    shape.push_back(tensor.size(-1));
    return expand(ops::readable(tensor), shape);
  };
  return bind(ops::Matmul{}, with_batch(x), with_batch(y));
}

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  ops::check_product_dtypes("linear", x, weight);
  if (x.dim() == 0 || weight.dim() != 2) {
    fail("linear: expected x [..., inputs] and weight [outputs, inputs], got {} and {}", x.shape(),
         weight.shape());
  }
  if (x.size(-1) != weight.size(1)) {
    fail(
        "linear: expected x [..., inputs] and weight [outputs, inputs], got {} and {} ({} against "
        "{})",
        x.shape(), weight.shape(), x.size(-1), weight.size(1));
  }
  if (bias.defined()) {
    ops::check_product_dtypes("linear", x, bias);
    if (bias.dim() != 1 || bias.size(0) != weight.size(0)) {
      fail("linear: expected bias [{}], got {}", weight.size(0), bias.shape());
    }
  }
  if (x.dim() != 2) {
    Shape shape = x.shape();
    shape[shape.size() - 1] = weight.size(0);
    const std::int64_t rows = numel(x.shape()) == 0 ? 0 : x.numel() / x.size(-1);
    if (rows == 0) {  // nothing in, or nothing to sum over
      const Tensor product = matmul(x.dim() == 1 ? unsqueeze(x, 0) : x, transpose(weight));
      const Tensor shaped = reshape(product, shape);
      return bias.defined() ? shaped + bias : shaped;
    }
    return reshape(linear(reshape(x, {rows, x.size(-1)}), weight, bias), shape);
  }
  const Tensor rows = ops::readable(x), matrix = ops::readable(weight);
  return bias.defined() ? bind(ops::Linear{}, rows, matrix, contiguous(bias))
                        : bind(ops::Linear{}, rows, matrix);
}

void ops::list_products(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -1, 1, seed);
  };
  const OperatorCall product = [](std::span<const Tensor> in) { return matmul(in[0], in[1]); };
  list.add({Matmul::doc,
            {{"matrices", {values({3, 4}, 1), values({4, 5}, 2)}, product},
             {"vectors", {values({4}, 3), values({4}, 4)}, product},
             {"matrix and vector", {values({3, 4}, 5), values({4}, 6)}, product},
             {"vector and matrix", {values({4}, 7), values({4, 2}, 8)}, product},
             {"batches", {values({2, 3, 4}, 9), values({2, 4, 2}, 10)}, product},
             {"broadcast batches", {values({2, 1, 2, 3}, 11), values({3, 3, 2}, 12)}, product},
             {"one matrix for all", {values({2, 2, 3}, 13), values({3, 2}, 14)}, product},
             {"batches and a vector", {values({2, 2, 3}, 15), values({3}, 16)}, product},
             {"transposed views",
              {transpose(values({4, 3}, 17)), transpose(values({5, 4}, 18))},
              product},
             {"nothing to sum", {values({2, 0}, 0), values({0, 3}, 0)}, product},
             {"empty", {values({0, 2}, 0), values({2, 3}, 0)}, product}},
            true,
            {}});
  const OperatorCall affine = [](std::span<const Tensor> in) {
    return linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor());
  };
  list.add({Linear::doc,
            {{"rows", {values({3, 4}, 1), values({2, 4}, 2), values({2}, 3)}, affine},
             {"without bias", {values({3, 4}, 4), values({2, 4}, 5)}, affine},
             {"one vector", {values({4}, 6), values({2, 4}, 7), values({2}, 8)}, affine},
             {"batches", {values({2, 3, 4}, 9), values({2, 4}, 10), values({2}, 11)}, affine},
             {"no inputs", {values({3, 0}, 0), values({2, 0}, 0), values({2}, 12)}, affine},
             {"empty", {values({0, 4}, 0), values({2, 4}, 13), values({2}, 14)}, affine}},
            true,
            {}});
}

}  // namespace cadena
