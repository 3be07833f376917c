#pragma once

#include <cadena/autograd/compile/memory_plan.hpp>

#include <string>

namespace cadena::detail {

/// A program in words: each instruction with its operations and the memory that it reads and
/// writes, what runs together and why the rest does not, and where the values on the way lie.
std::string explain(const Listing& captured, const Listing& optimized, const MemoryPlan& plan);

}  // namespace cadena::detail
