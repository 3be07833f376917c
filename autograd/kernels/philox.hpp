#pragma once

#include <cstdint>

namespace cadena::kernels {

/// One stream of random numbers. A value depends on seed, stream and its index alone, so that the
/// number of threads does not matter and each draw is repeatable. Generator: Philox4x32-10 (Salmon
/// et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), key = seed, counter = (block,
/// stream): two draws with different stream numbers never overlap.
struct RandomStream {
  std::uint64_t seed, stream;
};

/// Uniform in [0, 1): float has 24 random bits, double 53.
template <class T> void random_uniform(RandomStream stream, std::int64_t n, T* out);

/// Standard normal numbers by Box and Muller's formula, always finite (at most 6.8 from zero in
/// float, 8.7 in double).
template <class T> void random_normal(RandomStream stream, std::int64_t n, T* out);

/// True with probability p, rounded to a multiple of 2^-32; 0 <= p <= 1.
void random_bernoulli(RandomStream stream, std::int64_t n, double p, bool* out);
/// 1 where the number of random_uniform is below p[i], else 0.
template <class T> void random_bernoulli(RandomStream stream, std::int64_t n, const T* p, T* out);

/// Uniform in [low, high), low < high; no value is more likely than another by more than one part
/// in 2^64 / (high - low).
void random_integers(RandomStream stream, std::int64_t n, std::int64_t low, std::int64_t high,
                     std::int64_t* out);

/// The numbers 0 ... n - 1 in random order (Fisher and Yates' shuffle, serial).
void random_permutation(RandomStream stream, std::int64_t n, std::int64_t* out);

}  // namespace cadena::kernels
