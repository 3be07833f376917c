#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/rearrange.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

/// x with `count` copies of each block of `size` elements, [n * size] as [n * count * size].
Tensor repeat_blocks(const Tensor& x, std::int64_t size, std::int64_t count, const Shape& shape) {
  const std::int64_t blocks = size > 0 ? x.numel() / size : 0;
  return reshape(expand(reshape(x, {blocks, 1, size}), {blocks, count, size}), shape);
}

Tensor repeat(const char* operation, const Tensor& x, const Dims& repeats) {
  Shape shape = Dims::filled(repeats.size() - x.dim(), 1);
  for (std::int64_t dimension : x.shape()) {
    shape.push_back(dimension);
  }
  Shape whole = shape;
  for (int i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0) {
      fail("{}: expected repeats of at least 0, got {} for a tensor of shape {}", operation,
           repeats, x.shape());
    }
    if (__builtin_mul_overflow(shape[i], repeats[i], &whole[i])) {
      fail("{}: repeats {} of a tensor of shape {} are more than a tensor holds", operation,
           repeats, x.shape());
    }
  }
  check_shape(whole, operation);
  Tensor result = x.shape() == shape ? x : reshape(x, shape);
  std::int64_t size = 1;  // of what is repeated as a whole
  for (int i = repeats.size(); i-- > 0;) {
    size *= shape[i];
    if (repeats[i] != 1) {
      shape[i] = whole[i];
      result = repeat_blocks(result, size, repeats[i], shape);
      size *= repeats[i];
    }
  }
  return result;
}

}  // namespace
}  // namespace ops

Tensor repeat(const Tensor& x, const Dims& repeats) {
  const Shape& shape = detail::impl_of(x, "repeat").shape;
  if (repeats.size() < shape.size()) {
    fail(
        "repeat: {} repeats {} for a tensor of shape {}, expected one a dimension (tile takes "
        "fewer)",
        repeats.size(), repeats, shape);
  }
  return ops::repeat("repeat", x, repeats);
}

Tensor tile(const Tensor& x, const Dims& repeats) {
  Dims all = Dims::filled(std::max(detail::impl_of(x, "tile").shape.size() - repeats.size(), 0), 1);
  for (std::int64_t count : repeats) {
    all.push_back(count);
  }
  return ops::repeat("tile", x, all);
}

Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, std::optional<std::int64_t> axis) {
  const char* operation = "repeat_interleave";
  Shape shape = detail::impl_of(x, operation).shape;
  if (!axis) {
    return repeat_interleave(reshape(x, {x.numel()}), repeats, 0);
  }
  const int a = normalize_axis(*axis, shape.size(), operation);
  std::int64_t size = 1;
  for (int i = a + 1; i < shape.size(); ++i) {
    size *= shape[i];
  }
  if (repeats < 0 || __builtin_mul_overflow(shape[a], repeats, &shape[a])) {
    fail("{}: {} repeats of axis {} of shape {}: expected at least 0, and not that many", operation,
         repeats, a, x.shape());
  }
  check_shape(shape, operation);
  return ops::repeat_blocks(x, size, repeats, shape);
}

std::vector<Tensor> meshgrid(std::span<const Tensor> tensors, Indexing indexing) {
  const int rank = static_cast<int>(tensors.size());
  if (tensors.empty() || rank > max_rank) {
    fail("meshgrid: expected 1 to {} tensors, one a dimension, got {}", max_rank, tensors.size());
  }
  const auto dimension_of = [&](int k) {
    return indexing == Indexing::xy && rank > 1 && k < 2 ? 1 - k : k;
  };
  Shape shape = Dims::filled(rank, 1);
  for (int k = 0; k < rank; ++k) {
    const Shape& has = detail::impl_of(tensors[static_cast<std::size_t>(k)], "meshgrid").shape;
    if (has.size() > 1) {
      fail("meshgrid: tensor {} has shape {}, expected at most one dimension", k, has);
    }
    shape[dimension_of(k)] = numel(has);
  }
  check_shape(shape, "meshgrid");
  std::vector<Tensor> result;
  for (int k = 0; k < rank; ++k) {
    const Tensor& tensor = tensors[static_cast<std::size_t>(k)];
    Shape line = Dims::filled(rank, 1);
    line[dimension_of(k)] = tensor.numel();
    result.push_back(expand(reshape(tensor, line), shape));
  }
  return result;
}

std::vector<Tensor> meshgrid(std::initializer_list<Tensor> tensors, Indexing indexing) {
  return meshgrid(std::span<const Tensor>(tensors.begin(), tensors.size()), indexing);
}

}  // namespace cadena
