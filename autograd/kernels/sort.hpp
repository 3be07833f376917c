#pragma once

#include <cadena/autograd/core/dtype.hpp>
#include <cadena/autograd/core/shape.hpp>

namespace cadena::kernels {

/// Lines of a tensor along an axis, and of a result with as many of them: what lies beside the
/// axis, and the distance of neighbours in a line, all in elements.
struct SortLines {
  Shape beside;
  Strides x, result;
  std::int64_t length, x_step, result_step;
};

/// Sorts each line by order_key (order.hpp), the largest first if `descending`; equal elements stay
/// in the order they have. indices[i] is where values[i] stood. Long lines are sorted by their
/// bytes, the lowest one first, in blocks at once.
template <class T>
void sort(const SortLines& lines, bool descending, const T* x, T* values, std::int64_t* indices);

/// The first `count` <= length of each sorted line; unless `sorted`, in the order they stand in x.
template <class T>
void first_of_sorted(const SortLines& lines, std::int64_t count, bool descending, bool sorted,
                     const T* x, T* values, std::int64_t* indices);

}  // namespace cadena::kernels
