#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/triangle.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

template <bool lower> struct Triangle {
  std::int64_t k;
  static constexpr Doc doc = lower ? Doc{"tril", "x where column - row <= k, else 0"}
                                   : Doc{"triu", "x where column - row >= k, else 0"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const int rank = in[0].shape().size();
    const std::int64_t rows = in[0].size(rank - 2), columns = in[0].size(rank - 1);
    if (in[0].numel() == 0) {
      return;
    }
    dispatch(in[0].dtype(), [&]<class T>() {
      const T* from = in[0].data<T>();
      T* to = out[0].data<T>();
      const std::int64_t grain = kernels::moving_grain(in[0].numel()) / columns;
      parallel_for(in[0].numel() / columns, grain, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          const T* x = from + row * columns;
          T* y = to + row * columns;
          // The first column above the diagonal, or on it.
          const std::int64_t cut =
              std::clamp<std::int64_t>(row % rows + k + (lower ? 1 : 0), 0, columns);
          if (lower) {
            std::fill(std::copy_n(x, cut, y), y + columns, T{0});
          } else {
            std::copy(x + cut, x + columns, std::fill_n(y, cut, T{0}));
          }
        }
      });
    });
  }
  Gradients vjp(const Backward& b) const { return {bind(Triangle{k}, b.grad())}; }
  std::string attributes() const { return fmt::format("diagonal {}", k); }
  bool operator==(const Triangle&) const = default;
};

template <bool lower> Tensor triangle(const Tensor& x, std::int64_t diagonal) {
  const char* operation = Triangle<lower>::doc.name;
  const Shape& shape = cadena::detail::impl_of(x, operation).shape;
  const int rank = shape.size();
  if (rank < 2) {
    fail("{}: expected at least two dimensions, got shape {}", operation, shape);
  }
  // What is beyond all elements is all the same.
  const std::int64_t bounded = std::clamp(diagonal, -shape[rank - 2] - 1, shape[rank - 1] + 1);
  return bind(Triangle<lower>{bounded}, x);
}

/// A diagonal of two dimensions.
struct Place {
  std::int64_t offset;
  int rows, columns;  ///< The axes.

  Layout of(const Layout& x) const {
    const std::int64_t row = std::max<std::int64_t>(-offset, 0),
                       column = std::max<std::int64_t>(offset, 0);
    const std::int64_t length =
        std::max<std::int64_t>(std::min(x.shape[rows] - row, x.shape[columns] - column), 0);
    Layout y = x;
    for (int axis : {std::max(rows, columns), std::min(rows, columns)}) {
      y.shape.erase(axis);
      y.strides.erase(axis);
    }
    y.shape.push_back(length);
    y.strides.push_back(x.strides[rows] + x.strides[columns]);
    y.offset += length > 0 ? row * x.strides[rows] + column * x.strides[columns] : 0;
    return y;
  }
  std::string attributes() const {
    return fmt::format("offset {}, axes {} and {}", offset, rows, columns);
  }
  bool operator==(const Place&) const = default;
};

/// Zeros with x on a diagonal: the transpose of Diagonal.
struct DiagEmbed {
  Place place;
  Shape shape;
  static constexpr Doc doc{"diag_embed", "y[..., i, i + offset] = x[..., i], 0 elsewhere"};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {{in[0].dtype, shape}}; }
  void run(Inputs in, Outputs out) const {
    const Strides strides = contiguous_strides(shape);
    const Layout diagonal = place.of({shape, strides, 0});
    dispatch(in[0].dtype(), [&]<class T>() {
      T* to = out[0].data<T>();
      const T zero{};
      kernels::copy_elements(shape, to, strides, &zero, Dims::filled(shape.size(), 0));
      kernels::copy_elements(diagonal.shape, to + diagonal.offset, diagonal.strides,
                             in[0].data<T>(), in[0].strides());
    });
  }
  Gradients vjp(const Backward& b) const;
  std::string attributes() const { return place.attributes(); }
  bool operator==(const DiagEmbed&) const = default;
};

struct Diagonal {
  Place place;
  static constexpr Doc doc{"diagonal", "y[..., i] = x[..., i, ..., i + offset, ...]"};
  Layout view(const Layout& x) const { return place.of(x); }
  Gradients vjp(const Backward& b) const {
    return {bind(DiagEmbed{place, b.in_shape(0)}, b.grad())};
  }
  std::string attributes() const { return place.attributes(); }
  bool operator==(const Diagonal&) const = default;
};

Gradients DiagEmbed::vjp(const Backward& b) const { return {bind(Diagonal{place}, b.grad())}; }

Place diagonal_of(const char* operation, std::int64_t offset, std::int64_t axis1,
                  std::int64_t axis2, const Shape& shape, int rank) {
  if (rank < 2) {
    fail("{}: expected at least two dimensions, got shape {}", operation, shape);
  }
  const Place place{std::clamp(offset, -max_elements, max_elements),
                    normalize_axis(axis1, rank, operation), normalize_axis(axis2, rank, operation)};
  if (place.rows == place.columns) {
    fail("{}: rows and columns are both axis {} ({} and {}) of {} dimensions", operation,
         place.rows, axis1, axis2, rank);
  }
  return place;
}

}  // namespace
}  // namespace ops

Tensor tril(const Tensor& x, std::int64_t diagonal) { return ops::triangle<true>(x, diagonal); }
Tensor triu(const Tensor& x, std::int64_t diagonal) { return ops::triangle<false>(x, diagonal); }

Tensor diagonal(const Tensor& x, std::int64_t offset, std::int64_t axis1, std::int64_t axis2) {
  const Shape& shape = detail::impl_of(x, "diagonal").shape;
  return bind(
      ops::Diagonal{ops::diagonal_of("diagonal", offset, axis1, axis2, shape, shape.size())}, x);
}

Tensor diag_embed(const Tensor& x, std::int64_t offset, std::int64_t axis1, std::int64_t axis2) {
  const char* operation = "diag_embed";
  const Shape& shape = detail::impl_of(x, operation).shape;
  if (shape.empty() || shape.size() == max_rank) {
    fail("{}: expected 1 to {} dimensions, got shape {}", operation, max_rank - 1, shape);
  }
  const ops::Place place =
      ops::diagonal_of(operation, offset, axis1, axis2, shape, shape.size() + 1);
  const std::int64_t size = shape.back() + std::abs(place.offset);
  Shape embedded = shape;
  embedded.erase(shape.size() - 1);
  embedded.insert(std::min(place.rows, place.columns), size);
  embedded.insert(std::max(place.rows, place.columns), size);
  check_shape(embedded, operation);
  return bind(ops::DiagEmbed{place, embedded}, x);
}

Tensor diag(const Tensor& x, std::int64_t k) {
  const Shape& shape = detail::impl_of(x, "diag").shape;
  if (shape.size() != 1 && shape.size() != 2) {
    fail(
        "diag: expected a vector or a matrix, got shape {} (diagonal and diag_embed take more "
        "dimensions)",
        shape);
  }
  return shape.size() == 1 ? diag_embed(x, k) : diagonal(x, k);
}

void ops::list_triangles(OpList& list) {
  std::uint64_t seed = 0;
  const auto values = [&](const Shape& shape) { return sample_values(shape, -2, 2, ++seed); };
  const auto one = [](auto f) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  const auto triangular = [&](const Doc& doc, Tensor (*f)(const Tensor&, std::int64_t)) {
    list.add({doc,
              {{"square", {values({3, 3})}, one([f](auto& x) { return f(x, 0); })},
               {"above", {values({3, 5})}, one([f](auto& x) { return f(x, 1); })},
               {"below, batches", {values({2, 4, 3})}, one([f](auto& x) { return f(x, -2); })},
               {"beyond", {values({2, 3})}, one([f](auto& x) { return f(x, 9); })},
               {"strided", {transpose(values({3, 2}))}, one([f](auto& x) { return f(x, 0); })},
               {"empty", {values({2, 0, 3})}, one([f](auto& x) { return f(x, 0); })}}});
  };
  triangular(Triangle<true>::doc, tril);
  triangular(Triangle<false>::doc, triu);
  list.add({Diagonal::doc,
            {{"main", {values({3, 4})}, one([](auto& x) { return diagonal(x); })},
             {"above", {values({3, 4})}, one([](auto& x) { return diagonal(x, 2); })},
             {"below, of a transposed tensor", {transpose(values({3, 4}))}, one([](auto& x) {
                return diagonal(x, -1);
              })},
             {"batches, axes the other way round", {values({3, 2, 4})}, one([](auto& x) {
                return diagonal(x, 1, -1, 0);
              })},
             {"outside", {values({2, 3})}, one([](auto& x) { return diagonal(x, 3); })},
             {"empty", {values({0, 3})}, one([](auto& x) { return diagonal(x); })}}});
  list.add({DiagEmbed::doc,
            {{"vector", {values({3})}, one([](auto& x) { return diag_embed(x); }), true, false},
             {"batches, below",
              {values({2, 3})},
              one([](auto& x) { return diag_embed(x, -1); }),
              true,
              false},
             {"axes",
              {transpose(values({3, 2}))},
              one([](auto& x) { return diag_embed(x, 1, 2, 0); }),
              true,
              false},
             {"empty", {values({2, 0})}, one([](auto& x) { return diag_embed(x, 1); })}}});
  list.add({{"diag", "diag_embed of a vector, diagonal of a matrix"},
            {{"of a vector", {values({3})}, one([](auto& x) { return diag(x, 1); }), true, false},
             {"of a matrix", {values({3, 4})}, one([](auto& x) { return diag(x, -1); })},
             {"empty", {values({0})}, one([](auto& x) { return diag(x); })}}});
}

}  // namespace cadena
