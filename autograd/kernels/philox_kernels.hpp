#pragma once

#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/philox.hpp>

namespace cadena::kernels {

// The parts of random numbers that are compiled once per architecture.

/// Words that are made at a time, at most.
inline constexpr std::int64_t random_words_at_once = 1024;

/// The four words of each of the blocks [first, first + n / 4); n is a multiple of 4.
template <class Arch>
void philox_words(RandomStream stream, std::uint64_t first, std::int64_t n, std::uint32_t* words);

/// Word i of 64 bits.
CADENA_INLINE std::uint64_t word64(const std::uint32_t* words, std::int64_t i) {
  return words[2 * i] | static_cast<std::uint64_t>(words[2 * i + 1]) << 32;
}

/// Whether each word is at most `last`.
template <class Arch>
void bernoulli_from_words(const std::uint32_t* words, std::int64_t n, std::uint32_t last,
                          bool* out);

/// n uniform or normal numbers: float takes one word, double two. For normal numbers n is even and
/// at most random_words_at_once.
template <class Arch>
void uniform_from_words(const std::uint32_t* words, std::int64_t n, float* out);
template <class Arch>
void uniform_from_words(const std::uint32_t* words, std::int64_t n, double* out);
template <class Arch>
void normal_from_words(const std::uint32_t* words, std::int64_t n, float* out);
template <class Arch>
void normal_from_words(const std::uint32_t* words, std::int64_t n, double* out);

}  // namespace cadena::kernels
