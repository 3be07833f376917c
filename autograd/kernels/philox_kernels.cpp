#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/philox_kernels.hpp>

#include <Random123/philox.h>

namespace cadena::kernels {
namespace {

CADENA_INLINE float uniform_of(const std::uint32_t* words, std::int64_t i, float) {
  return static_cast<float>(words[i] >> 8) * 0x1p-24f;
}
CADENA_INLINE double uniform_of(const std::uint32_t* words, std::int64_t i, double) {
  return static_cast<double>(word64(words, i) >> 11) * 0x1p-53;
}

// In (0, 1], with all bits that the type can take: their logarithms are finite.
CADENA_INLINE float positive_of(const std::uint32_t* words, std::int64_t i, float) {
  return static_cast<float>(words[i]) * 0x1p-32f + 0x1p-33f;
}
CADENA_INLINE double positive_of(const std::uint32_t* words, std::int64_t i, double) {
  return static_cast<double>(word64(words, i) >> 11) * 0x1p-53 + 0x1p-54;
}

template <class T>
CADENA_INLINE void normal_pairs(const std::uint32_t* words, std::int64_t n, T* out) {
  using L = Lane<T, Arch>;
  constexpr std::int64_t most = random_words_at_once / 2;
  static_assert(most % L::width == 0);
  alignas(64) T positive[most], turn[most];
  const std::int64_t pairs = n / 2;
  const std::int64_t padded = (pairs + L::width - 1) / L::width * L::width;
  for (std::int64_t i = 0; i < pairs; ++i) {
    positive[i] = positive_of(words, 2 * i, T());
    turn[i] = uniform_of(words, 2 * i + 1, T());
  }
  for (std::int64_t i = pairs; i < padded; ++i) positive[i] = turn[i] = T(1);
  for (std::int64_t i = 0; i < padded; i += L::width) {
    const L radius = sqrt(-2.0 * log(L::load(positive + i)));
    const L angle = 6.283185307179586 * L::load(turn + i);
    (radius * cos(angle)).store(positive + i);
    (radius * sin(angle)).store(turn + i);
  }
  for (std::int64_t i = 0; i < pairs; ++i) {
    out[2 * i] = positive[i];
    out[2 * i + 1] = turn[i];
  }
}

template <class T> CADENA_INLINE void uniform(const std::uint32_t* words, std::int64_t n, T* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = uniform_of(words, i, T());
}

}  // namespace

template <class Arch>
void philox_words(RandomStream stream, std::uint64_t first, std::int64_t n, std::uint32_t* words) {
  const auto low = [](std::uint64_t word) { return static_cast<std::uint32_t>(word); };
  const auto high = [](std::uint64_t word) { return static_cast<std::uint32_t>(word >> 32); };
  const r123::Philox4x32::key_type key{{low(stream.seed), high(stream.seed)}};
  for (std::int64_t i = 0; i < n; i += 4, ++first) {
    const r123::Philox4x32::ctr_type counter{
        {low(first), high(first), low(stream.stream), high(stream.stream)}};
    const r123::Philox4x32::ctr_type block = r123::Philox4x32()(counter, key);
    for (std::size_t k = 0; k < 4; ++k) words[i + static_cast<std::int64_t>(k)] = block[k];
  }
}

template <class Arch>
void bernoulli_from_words(const std::uint32_t* words, std::int64_t n, std::uint32_t last,
                          bool* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = words[i] <= last;
}

template <class Arch>
void uniform_from_words(const std::uint32_t* words, std::int64_t n, float* out) {
  uniform(words, n, out);
}
template <class Arch>
void uniform_from_words(const std::uint32_t* words, std::int64_t n, double* out) {
  uniform(words, n, out);
}
template <class Arch>
void normal_from_words(const std::uint32_t* words, std::int64_t n, float* out) {
  normal_pairs(words, n, out);
}
template <class Arch>
void normal_from_words(const std::uint32_t* words, std::int64_t n, double* out) {
  normal_pairs(words, n, out);
}

template void philox_words<Arch>(RandomStream, std::uint64_t, std::int64_t, std::uint32_t*);
template void bernoulli_from_words<Arch>(const std::uint32_t*, std::int64_t, std::uint32_t, bool*);
template void uniform_from_words<Arch>(const std::uint32_t*, std::int64_t, float*);
template void uniform_from_words<Arch>(const std::uint32_t*, std::int64_t, double*);
template void normal_from_words<Arch>(const std::uint32_t*, std::int64_t, float*);
template void normal_from_words<Arch>(const std::uint32_t*, std::int64_t, double*);

}  // namespace cadena::kernels
