#pragma once

// Regular grids inside of tensors: what slices are made of.

#include <cadena/autograd/core/tensor.hpp>

#include <optional>

namespace cadena::ops {

/// A regular grid inside of a shape: place i lies at start + i step.
struct Grid {
  Dims start, size, step;
  bool operator==(const Grid&) const = default;
};

/// All of a shape.
Grid whole(const Shape& shape);

/// Cuts an axis of a whole grid to start, start + step, ... before stop, bounds read as Python
/// reads them. With a negative step these are the same places in rising order.
void cut(Grid& grid, int axis, std::optional<std::int64_t> start, std::optional<std::int64_t> stop,
         std::int64_t step);

/// The values of x on a grid, a view; x itself if that is all of it.
Tensor view_of_grid(const Tensor& x, const Grid& grid);

/// Whether a dtype has the value.
bool represents(Dtype dtype, double value);

}  // namespace cadena::ops
