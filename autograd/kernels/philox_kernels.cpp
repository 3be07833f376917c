#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/philox_kernels.hpp>

namespace cadena::kernels {
namespace {

// Blocks made side by side, for the compiler to vectorise.
constexpr int blocks = 16;

CADENA_INLINE void philox_blocks(RandomStream stream, std::uint64_t first, std::uint32_t* words) {
  std::uint32_t c0[blocks], c1[blocks], c2[blocks], c3[blocks];
  for (int i = 0; i < blocks; ++i) {
    const std::uint64_t block = first + static_cast<std::uint64_t>(i);
    c0[i] = static_cast<std::uint32_t>(block);
    c1[i] = static_cast<std::uint32_t>(block >> 32);
    c2[i] = static_cast<std::uint32_t>(stream.stream);
    c3[i] = static_cast<std::uint32_t>(stream.stream >> 32);
  }
  std::uint32_t k0 = static_cast<std::uint32_t>(stream.seed);
  std::uint32_t k1 = static_cast<std::uint32_t>(stream.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < blocks; ++i) {
      const std::uint64_t p0 = std::uint64_t{0xd2511f53} * c0[i];
      const std::uint64_t p1 = std::uint64_t{0xcd9e8d57} * c2[i];
      c0[i] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = static_cast<std::uint32_t>(p1);
      c2[i] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  for (int i = 0; i < blocks; ++i) {
    words[4 * i] = c0[i];
    words[4 * i + 1] = c1[i];
    words[4 * i + 2] = c2[i];
    words[4 * i + 3] = c3[i];
  }
}

CADENA_INLINE std::uint64_t word64(const std::uint32_t* words, std::int64_t i) {
  return words[2 * i] | static_cast<std::uint64_t>(words[2 * i + 1]) << 32;
}

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
  std::int64_t i = 0;
  for (; i + 4 * blocks <= n; i += 4 * blocks) {
    philox_blocks(stream, first + static_cast<std::uint64_t>(i / 4), words + i);
  }
  if (i == n) return;
  std::uint32_t last[4 * blocks];
  philox_blocks(stream, first + static_cast<std::uint64_t>(i / 4), last);
  for (std::int64_t k = 0; i < n; ++i, ++k) words[i] = last[k];
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
template void uniform_from_words<Arch>(const std::uint32_t*, std::int64_t, float*);
template void uniform_from_words<Arch>(const std::uint32_t*, std::int64_t, double*);
template void normal_from_words<Arch>(const std::uint32_t*, std::int64_t, float*);
template void normal_from_words<Arch>(const std::uint32_t*, std::int64_t, double*);

}  // namespace cadena::kernels
