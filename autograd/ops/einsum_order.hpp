#pragma once

#include <cstdint>
#include <span>
#include <vector>

// In which order einsum contracts its operands.

namespace cadena::ops {

/// A set of labels, one bit each.
using Labels = std::uint64_t;

/// Two operands to contract: the result takes the place of `first`, `second` is gone and those
/// behind it move up by one.
struct Contraction {
  std::size_t first, second;
};

/// The order for operands with these labels, after sums over labels that one of them has alone;
/// sizes[k] is that of label k. Its cost is the sum, over
/// the contractions, of the product of the sizes of all labels involved: the least there is for up
/// to eight operands.
std::vector<Contraction> contraction_order(std::span<const Labels> operands, Labels output,
                                           std::span<const std::int64_t> sizes);

}  // namespace cadena::ops
