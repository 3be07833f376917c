#pragma once

#include <cadena/autograd/ops/einsum_parse.hpp>

#include <optional>

// In which order einsum contracts its operands.

namespace cadena::ops {

/// Two operands to contract: the result takes the place of `first`, `second` is gone and those
/// behind it move up by one.
struct Contraction {
  std::size_t first, second;
  bool operator==(const Contraction&) const = default;
};

/// The order for operands with these labels, each of which the output or another operand has;
/// sizes[k] is that of label k. No result has more labels than max_rank; nothing if no such order
/// was found. The cost is the sum, over the contractions, of the product of the sizes of all labels
/// involved: the least there is for up to eight operands, and of equal ones that with the least
/// sum of the results' sizes. More operands are brought down to eight greedily.
std::optional<std::vector<Contraction>> contraction_order(std::span<const Labels> operands,
                                                          Labels output,
                                                          std::span<const std::int64_t> sizes);

}  // namespace cadena::ops
