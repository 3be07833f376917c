#pragma once

#include <cadena/autograd/compile/listing.hpp>

#include <memory>
#include <span>

namespace cadena::detail {

/// Makes the results that are marked so the outputs of one node, whose inputs are all that the
/// function reads, in the order of the listing's values. Its derivative runs the operators of the
/// function again, one by one: it is right to any order, and costs what an eager step costs.
void connect_to_program(const std::shared_ptr<const Listing>& listing,
                        std::span<const Tensor> origins, Tensors& results);

/// A place in a graph that a backward has used up.
const Ref<Node>& released_node();

}  // namespace cadena::detail
