#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <optional>
#include <variant>
#include <vector>

namespace cadena {

/// start:stop:step along one dimension, as in Python: negative bounds count from the end, bounds
/// beyond it are clipped, and Slice{} is all of it. A negative step goes backwards.
struct Slice {
  std::optional<std::int64_t> start = {}, stop = {};
  std::int64_t step = 1;
};

struct NewAxis {};
struct Ellipsis {};
/// A new dimension of size 1.
inline constexpr NewAxis newaxis;
/// All dimensions that the other indices leave; at the end if it is not said.
inline constexpr Ellipsis ellipsis;

/// One part of an index expression: a number, a Slice, newaxis, ellipsis, or a tensor of indices
/// (int64) or of truth values (a mask).
class Index {
 public:
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  Index(Integer index) : value_(static_cast<std::int64_t>(index)) {}
  Index(const Slice& slice) : value_(slice) {}
  Index(NewAxis axis) : value_(axis) {}
  Index(Ellipsis rest) : value_(rest) {}
  Index(const Tensor& indices) : value_(indices) {}

  const std::variant<std::int64_t, Slice, NewAxis, Ellipsis, Tensor>& value() const {
    return value_;
  }

 private:
  std::variant<std::int64_t, Slice, NewAxis, Ellipsis, Tensor> value_;
};

/// x[i, 1:5:2, None, ..., rows] by NumPy's rules: index(x, {i, Slice{1, 5, 2}, newaxis, ellipsis,
/// rows}). Numbers remove their dimension. int64 tensors broadcast together, and the dimensions of
/// that shape take the place of theirs; if slices, newaxis or an ellipsis stand between them, they
/// come first. (A number beside tensors counts as one of them here; PyTorch's rule differs.) A mask
/// has the shape of the dimensions that it stands for, and is short for the indices of what is true
/// in it, one tensor a dimension. Negative indices count from the end. Without tensors the result
/// is a view, but for slices that go backwards. Error if an index is outside: it names the axis,
/// the index and the size. The gradient is added up in order where an element was taken twice: the
/// same bits for any number of threads.
Tensor index(const Tensor& x, const std::vector<Index>& indices);

/// x with `values`, which broadcast to the shape of index(x, indices), in the place of that:
/// x[i, 1:5:2] = values as a function. Where an element is named twice, the last value in row-major
/// order of that shape stays, and the others have no gradient. With `accumulate` the values are
/// added, in that order, to what is there (int64, float32 or float64). Values have x's dtype; a
/// number takes it if it can.
Tensor index_put(const Tensor& x, const std::vector<Index>& indices, const Tensor& values,
                 bool accumulate = false);

}  // namespace cadena
