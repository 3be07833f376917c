#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/indexing.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/indices.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

/// The table's gradient from that of the rows taken: the transpose of Embedding.
struct EmbeddingGradient {
  std::int64_t rows;
  std::int64_t padding;  ///< The row without a gradient, or -1.
  static constexpr Doc doc{"embedding_gradient", "y[r] = sum of g[i] over indices[i] = r"};
  static constexpr Keep keep = Keep::only_input(1);
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, {rows, in[0].shape.back()}}};
  }
  void run(Inputs in, Outputs out) const {
    kernels::sum_rows(in[0].dtype(), {rows, in[0].shape().back(), in[1].numel(), padding},
                      in[1].data<std::int64_t>(), in[0].bytes(), out[0].bytes());
  }
  Gradients vjp(const Backward& b) const;
  std::string attributes() const { return fmt::format("rows {} padding {}", rows, padding); }
  bool operator==(const EmbeddingGradient&) const = default;
};

struct Embedding {
  std::int64_t padding;  ///< The row without a gradient, or -1.
  static constexpr Doc doc{"embedding", "y[i, ...] = weight[indices[i], ...]",
                           "row padding_index: 0"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const {
    Shape shape = in[1].shape;
    shape.push_back(in[0].shape[1]);
    return {{in[0].dtype, shape}};
  }
  void run(Inputs in, Outputs out) const {
    check_indices(doc.name, in[1], in[0].shape(), 0);
    const Shape& shape = out[0].shape();
    const int last = shape.size() - 1;
    Strides indices = in[1].strides(), table = Dims::filled(last, 0);
    indices.push_back(0);
    table.push_back(in[0].strides()[1]);
    kernels::gather(
        in[0].dtype(),
        {shape, 0, in[0].strides()[0], in[0].size(0), indices, contiguous_strides(shape), table},
        in[1].data<std::int64_t>(), in[0].bytes(), out[0].bytes());
  }
  Gradients vjp(const Backward& b) const {
    return {bind(EmbeddingGradient{b.in_shape(0)[0], padding}, b.grad(), b.in(1)), {}};
  }
  std::string attributes() const { return fmt::format("padding {}", padding); }
  bool operator==(const Embedding&) const = default;
};

Gradients EmbeddingGradient::vjp(const Backward& b) const {
  const Tensor indices = b.in(1);
  const Tensor taken = bind(Embedding{padding}, b.grad(), indices);
  return {padding < 0 ? taken : where(unsqueeze(indices == padding, -1), 0.0, taken), {}};
}

struct OneHot {
  std::int64_t classes;
  Dtype dtype;
  static constexpr Doc doc{"one_hot", "y[..., c] = 1 if c = labels[...], else 0"};
  Types infer(std::span<const Type> in) const {
    Shape shape = in[0].shape;
    shape.push_back(classes);
    return {{dtype, shape}};
  }
  void run(Inputs in, Outputs out) const {
    const std::int64_t* labels = in[0].data<std::int64_t>();
    dispatch(dtype, [&]<class T>() {
      T* row = out[0].data<T>();
      std::fill_n(row, out[0].numel(), T{0});
      for (std::int64_t i = 0; i < in[0].numel(); ++i, row += classes) {
        if (labels[i] < 0 || labels[i] >= classes) {
          fail("one_hot: label {} (element {}) is outside [0, {}), in labels of shape {}",
               labels[i], i, classes, in[0].shape());
        }
        row[labels[i]] = T{1};
      }
    });
  }
  std::string attributes() const { return fmt::format("{} classes", classes); }
  bool operator==(const OneHot&) const = default;
};

}  // namespace
}  // namespace ops

Tensor embedding(const Tensor& indices, const Tensor& weight,
                 std::optional<std::int64_t> padding_index) {
  const char* operation = ops::Embedding::doc.name;
  ops::check_index_dtype(operation, indices);
  const detail::TensorImpl& table = detail::impl_of(weight, operation);
  if (table.shape.size() != 2) {
    fail("{}: expected a table [rows, width], got shape {}", operation, table.shape);
  }
  if (indices.dim() == max_rank) {
    fail("{}: indices of shape {} have {} dimensions, at most {} are possible", operation,
         indices.shape(), max_rank, max_rank - 1);
  }
  const std::int64_t rows = table.shape[0];
  const std::int64_t padding = padding_index.value_or(-1);
  if (padding_index && (padding < -rows || padding >= rows)) {
    fail("{}: padding_index {} is outside [{}, {}) of a table of shape {}", operation, padding,
         -rows, rows, table.shape);
  }
  return bind(ops::Embedding{padding_index && padding < 0 ? padding + rows : padding}, weight,
              indices);
}

Tensor one_hot(const Tensor& labels, std::int64_t classes, TensorOptions options) {
  const detail::TensorImpl& impl = detail::impl_of(labels, "one_hot");
  if (impl.dtype != Dtype::int64 && impl.dtype != Dtype::uint8) {
    fail("one_hot: expected int64 or uint8 labels, got {}", name(impl.dtype));
  }
  if (classes < 0) {
    fail("one_hot: expected at least 0 classes, got {}", classes);
  }
  Shape shape = impl.shape;
  shape.push_back(classes);
  check_shape(shape, "one_hot");
  const Tensor rows =
      bind(ops::OneHot{classes, options.dtype.value_or(Dtype::float32)}, labels.to(Dtype::int64));
  return options.requires_grad ? rows.requires_grad_leaf() : rows;
}

void ops::list_embedding(OpList& list) {
  const auto table = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -2, 2, seed);
  };
  const auto looking_up = [](std::optional<std::int64_t> padding) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return embedding(in[0], in[1], padding); };
  };
  const Tensor tokens = tensor({{2, 0, 2}, {1, 2, 0}});
  list.add(
      {Embedding::doc,
       {{"repeated rows", {tokens, table({3, 2}, 1)}, looking_up({}), true, false},
        {"padding", {tokens, table({4, 2}, 2)}, looking_up(2), false, false},
        {"padding from the end", {tokens, table({4, 2}, 3)}, looking_up(-4), false, false},
        {"strided", {transpose(tokens), transpose(table({3, 3}, 4))}, looking_up({}), true, false},
        {"rows of one number", {tokens, table({3, 1}, 8)}, looking_up({})},
        {"0-d index", {tensor(1), table({3, 2}, 5)}, looking_up({})},
        {"no index", {zeros({2, 0}, {.dtype = Dtype::int64}), table({3, 2}, 6)}, looking_up(0)},
        {"rows of nothing", {tokens, table({3, 0}, 7)}, looking_up({})}}});
  const auto hot = [](std::int64_t classes) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return one_hot(in[0], classes); };
  };
  list.add({OneHot::doc,
            {{"labels", {tensor({{0, 2}, {1, 2}})}, hot(3)},
             {"bytes", {tensor({1, 0, 1}, {.dtype = Dtype::uint8})}, hot(2)},
             {"0-d", {tensor(1)}, hot(2)},
             {"empty", {zeros({2, 0}, {.dtype = Dtype::int64})}, hot(3)}},
            false,
            {}});
}

}  // namespace cadena
