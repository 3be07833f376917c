#include <cadena/autograd/core/shape.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

namespace cadena {

void Dims::too_many(std::size_t size) {
  fail("shape: a tensor has at most {} dimensions, got {}", max_rank, size);
}

std::string to_string(const Dims& dims) {
  std::string text = "[";
  for (int i = 0; i < dims.size(); ++i) {
    text += (i ? ", " : "") + std::to_string(dims[i]);
  }
  return text + "]";
}

std::ostream& operator<<(std::ostream& stream, const Dims& dims) {
  return stream << to_string(dims);
}

Strides contiguous_strides(const Shape& shape) noexcept {
  Strides strides = shape;
  std::int64_t step = 1;
  for (int i = shape.size(); i-- > 0;) {
    strides[i] = step;
    step *= shape[i];
  }
  return strides;
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* operation) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const int lead = longer.size() - shorter.size();
  for (int i = 0; i < shorter.size(); ++i) {
    std::int64_t& dimension = result[lead + i];
    if (dimension == 1) {
      dimension = shorter[i];
    } else if (shorter[i] != 1 && shorter[i] != dimension) {
      fail("{}: shapes do not broadcast: {} and {} (dimension {}: {} against {})", operation, a, b,
           lead + i, longer[lead + i], shorter[i]);
    }
  }
  return result;
}

int normalize_axis(std::int64_t axis, int rank, const char* operation) {
  if (axis < -rank || axis >= rank) {
    fail("{}: axis {} is outside [{}, {}) of a tensor with {} dimensions", operation, axis, -rank,
         rank, rank);
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Axes normalize_axes(const Axes& axes, int rank, const char* operation) {
  Axes result;
  if (axes.empty()) {
    for (int i = 0; i < rank; ++i) {
      result.push_back(i);
    }
    return result;
  }
  for (std::int64_t axis : axes) {
    // A 0-d tensor takes 0 and -1, as if it had one axis.
    const int normal = normalize_axis(axis, std::max(rank, 1), operation);
    if (std::find(result.begin(), result.end(), normal) != result.end()) {
      fail("{}: axis {} is named twice in {}", operation, normal, axes);
    }
    result.push_back(normal);
  }
  if (rank == 0) {
    return {};
  }
  std::sort(result.begin(), result.end());
  return result;
}

void check_shape(const Shape& shape, const char* operation) {
  std::int64_t count = 1;
  for (std::int64_t dimension : shape) {
    if (dimension < 0) {
      fail("{}: expected dimensions of at least 0, got {}", operation, shape);
    }
    const bool overflow =
        __builtin_mul_overflow(count, std::max<std::int64_t>(dimension, 1), &count);
    if (overflow || count > max_elements) {
      fail("{}: shape {} has more than 2^56 elements", operation, shape);
    }
  }
}

Dims unravel(std::int64_t position, const Shape& shape) noexcept {
  Dims index = shape;
  for (int axis = shape.size(); axis-- > 0;) {
    index[axis] = position % shape[axis];
    position /= shape[axis];
  }
  return index;
}

Shape reduced_shape(const Shape& shape, const Axes& axes, bool keepdim) {
  Shape result;
  for (int i = 0; i < shape.size(); ++i) {
    const bool reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
    if (!reduced) {
      result.push_back(shape[i]);
    } else if (keepdim) {
      result.push_back(1);
    }
  }
  return result;
}

}  // namespace cadena

fmt::format_context::iterator fmt::formatter<cadena::Dims>::format(
    const cadena::Dims& dims, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(cadena::to_string(dims), context);
}
