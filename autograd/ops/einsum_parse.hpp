#pragma once

#include <cadena/autograd/core/shape.hpp>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

// What the letters of einsum's equation stand for.

namespace cadena::ops {

/// A set of labels, one bit each.
using Labels = std::uint64_t;
using LabelList = std::vector<int>;

inline Labels bit(int label) { return Labels{1} << label; }

inline Labels set_of(const LabelList& labels) {
  Labels set = 0;
  for (const int label : labels) {
    set |= bit(label);
  }
  return set;
}

/// An equation whose letters and "..." have been replaced by labels, one for each dimension.
struct EinsumEquation {
  std::vector<LabelList> operands;
  LabelList output;
  std::vector<std::int64_t> sizes;  ///< Of each label; an operand may have 1 instead.
};

/// Error if the equation is malformed or does not fit the shapes.
EinsumEquation parse_einsum(std::string_view equation, std::span<const Shape> shapes);

}  // namespace cadena::ops
