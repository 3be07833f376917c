#pragma once

// How an index expression is read; index.cpp carries it out.

#include <cadena/autograd/ops/grid.hpp>
#include <cadena/autograd/ops/index.hpp>

namespace cadena::ops {

/// Elements of a tensor: a grid, in which tensors of indices may stand for some of the dimensions.
/// What is selected has the grid's dimensions without those of `axes`, and the indices as one
/// dimension at `place` if `advanced`.
struct Selection {
  Grid grid;      ///< Whole along `axes`.
  Axes axes;      ///< One for each tensor of indices.
  Shape indices;  ///< What the tensors of indices were before they were flattened.
  int place = 0;  ///< Of their dimension.
  bool advanced = false;

  Shape shape() const;
  bool operator==(const Selection&) const = default;
};

/// An index expression, applied to a shape.
struct IndexPlan {
  Selection selection;
  std::vector<Tensor> indices;  ///< Of one length, one for each of the selection's axes.
  Axes backwards;               ///< Dimensions of what is selected that go the other way.
  Shape result;                 ///< What is selected, reshaped.
};

IndexPlan plan_index(const char* operation, const Shape& shape, const std::vector<Index>& indices);

}  // namespace cadena::ops
