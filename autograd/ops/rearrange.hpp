#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

namespace cadena {

/// The values in reverse order along axes (all if none are named); a copy.
Tensor flip(const Tensor& x, const Axes& axes = {});

/// The values moved on by shifts[k] places along axes[k]; what leaves at the end comes in at the
/// beginning, and negative shifts go the other way: roll(x, 1, -1), roll(x, {1, -2}, {0, 1}).
/// Without axes one shift goes through all values in row-major order. An axis may be named more
/// than once. A copy.
Tensor roll(const Tensor& x, const Dims& shifts, const Axes& axes = {});

/// x repeats[k] times over along dimension k: the shape is multiplied by repeats. More repeats than
/// dimensions add dimensions in front; fewer are an Error.
Tensor repeat(const Tensor& x, const Dims& repeats);

/// As `repeat`, but fewer repeats than dimensions count from the last one (NumPy's tile).
Tensor tile(const Tensor& x, const Dims& repeats);

/// Each slice along an axis `repeats` times in a row: a a b b. Without an axis each value of x, in
/// row-major order, [n].
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats,
                         std::optional<std::int64_t> axis = {});

/// Dimension source[k] becomes number destination[k]; the others keep their order. A view.
Tensor movedim(const Tensor& x, const Axes& source, const Axes& destination);

/// Dimension `axis` divided into dimensions of these sizes, of which one may be -1.
Tensor unflatten(const Tensor& x, std::int64_t axis, const Shape& sizes);

/// Which dimension of a mesh the first tensor runs along: the first, as for the indices of a matrix
/// (ij), or the second, as for the coordinates of a plane (xy).
enum class Indexing { ij, xy };

/// One tensor of the shape of all sizes for each of the given ones (0-d or [n]), which runs along a
/// dimension of its own and is the same along the others. Views.
std::vector<Tensor> meshgrid(std::span<const Tensor> tensors, Indexing indexing = Indexing::ij);
std::vector<Tensor> meshgrid(std::initializer_list<Tensor> tensors,
                             Indexing indexing = Indexing::ij);

}  // namespace cadena
