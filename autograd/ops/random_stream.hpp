#pragma once

#include <cadena/autograd/core/operand.hpp>
#include <cadena/autograd/kernels/philox.hpp>

#include <bit>

namespace cadena::ops {

/// The stream of random numbers of a draw: its operand is the state of a generator.
inline kernels::RandomStream stream_of(const Input& state) {
  const std::int64_t* words = state.data<std::int64_t>();
  return {std::bit_cast<std::uint64_t>(words[0]), std::bit_cast<std::uint64_t>(words[1])};
}

}  // namespace cadena::ops
