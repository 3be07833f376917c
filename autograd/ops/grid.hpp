#pragma once

// Regular grids inside of tensors: what slices are made of.

#include <cadena/autograd/core/tensor.hpp>

namespace cadena::ops {

/// A regular grid inside of a shape: place i lies at start + i step.
struct Grid {
  Dims start, size, step;
  bool operator==(const Grid&) const = default;
};

/// All of a shape.
Grid whole(const Shape& shape);

/// The values of x on a grid, a view; x itself if that is all of it.
Tensor view_of_grid(const Tensor& x, const Grid& grid);

/// Whether a dtype has the value.
bool represents(Dtype dtype, double value);

}  // namespace cadena::ops
