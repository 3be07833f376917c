#pragma once

#include <cadena/autograd/core/dtype.hpp>
#include <cadena/autograd/core/shape.hpp>

#include <cstddef>

namespace cadena::kernels {

/// Elements paired with those of a tensor that is indexed along one axis: element p of `data` (what
/// a gather writes, what a scatter reads) belongs to target[p with indices[p] at the axis].
struct Indexed {
  Shape shape;  ///< Of the data.
  int axis;
  std::int64_t step;  ///< Distance of neighbours of the target along the axis, in elements.
  std::int64_t size;  ///< Of the target along the axis.
  Strides indices;    ///< 0 in dimensions where an index counts for all elements.
  Strides data;
  Strides target;  ///< 0 at the axis.
};

/// The position in row-major order of the first index outside [0, size), -1 if there is none.
std::int64_t first_outside(const Shape& shape, const Strides& strides, const std::int64_t* indices,
                           std::int64_t size);

/// out[p] = x[p with indices[p] at the axis]. The indices must have been checked.
void gather(Dtype dtype, const Indexed& indexed, const std::int64_t* indices, const std::byte* x,
            std::byte* out);

/// target[p with indices[p] at the axis] += source[p], for int64, float32 and float64. Each element
/// of the target takes its addends in the order of the source. A long source with one dimension
/// beside a short target is cut in at most 8 blocks, many addends of a row in blocks of 1024, whose
/// sums are added in order. Where an element may have more than 1024 addends of float32, they are
/// summed in float64. All this depends on shapes and indices alone: the same bits for any number of
/// threads. The indices must have been checked.
void scatter_add(Dtype dtype, const Indexed& indexed, const std::int64_t* indices,
                 const std::byte* source, std::byte* target);

/// target[p with indices[p] at the axis] = source[p]; where several meet, the last one in row-major
/// order stays, for any number of threads. The indices must have been checked.
void scatter_assign(Dtype dtype, const Indexed& indexed, const std::int64_t* indices,
                    const std::byte* source, std::byte* target);

/// A target of `rows` rows and a source of `count` rows of `width` elements, all contiguous.
struct Rows {
  std::int64_t rows, width, count;
  std::int64_t skipped = -1;  ///< What goes to this row is left out.
};

/// target[r] = the sum of the source[i] with indices[i] = r, in order, for int64, float32 and
/// float64: in parallel over the rows of the target, and over blocks of 1024 where a row has more
/// addends, which are summed in float64. The indices must have been checked.
void sum_rows(Dtype dtype, const Rows& rows, const std::int64_t* indices, const std::byte* source,
              std::byte* target);

}  // namespace cadena::kernels
