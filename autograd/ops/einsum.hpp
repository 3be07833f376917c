#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <initializer_list>
#include <span>
#include <string_view>

namespace cadena {

/// Einstein's summation as in NumPy: each dimension of an operand has a letter (a-z, A-Z), letters
/// that are not in the output are summed over. einsum("ij,jk->ik", {x, y}) is a matrix product,
/// "ii->i" a diagonal, "bij,bjk->bik" a batch of products.
///
/// - A letter that is repeated within an operand takes the diagonal of its dimensions.
/// - Without "->" the output has the letters that occur once, in the order of ASCII.
/// - "..." stands for any further dimensions, which broadcast from the right. Without "->" they
///   come first; an output without "..." sums over them.
/// - A size of 1 broadcasts. Blanks are ignored.
///
/// Operands are all float32 or all float64, as for matmul. Of several operands, two at a time are
/// contracted, by one (batched) matrix product or by a product of elements and a sum, after sums
/// over letters that nobody else has. No result on the way has more than eight dimensions of other
/// sizes than 1. Of the orders for which that holds, the one with the fewest multiplications is
/// taken for up to eight operands (of equal ones, that with the smallest results on the way); more
/// operands are brought down to eight greedily. Errors name the letter, its sizes and the operands.
Tensor einsum(std::string_view equation, std::span<const Tensor> operands);
Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands);

}  // namespace cadena
