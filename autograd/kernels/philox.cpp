#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/philox.hpp>
#include <cadena/autograd/kernels/philox_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace cadena::kernels {
namespace {

// Calls use(words, begin, end) with the words of the values [begin, end), each made of
// `words_a_value`; `begin` is even.
template <int words_a_value, class Use>
void with_words(RandomStream stream, std::int64_t n, Use use) {
  constexpr std::int64_t at_once = random_words_at_once / words_a_value;
  parallel_for(n, 16 * at_once, [&](std::int64_t piece_begin, std::int64_t piece_end) {
    std::uint32_t words[random_words_at_once];
    for (std::int64_t begin = piece_begin; begin < piece_end; begin += at_once) {
      const std::int64_t end = std::min(begin + at_once, piece_end);
      const std::int64_t count = ((end - begin) * words_a_value + 3) / 4 * 4;
      const auto first = static_cast<std::uint64_t>(begin * words_a_value / 4);
      at_level([&]<class Arch>() { philox_words<Arch>(stream, first, count, words); });
      use(words, begin, end);
    }
  });
}

// x·range / 2^64, which is uniform in [0, range) when x is uniform.
std::uint64_t scaled(std::uint64_t x, std::uint64_t range) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(x) * range >> 64);
}

}  // namespace

template <class T> void random_uniform(RandomStream stream, std::int64_t n, T* out) {
  constexpr int words_a_value = sizeof(T) / 4;
  const auto use = [=](const std::uint32_t* words, std::int64_t begin, std::int64_t end) {
    at_level([&]<class Arch>() { uniform_from_words<Arch>(words, end - begin, out + begin); });
  };
  with_words<words_a_value>(stream, n, use);
}

template <class T> void random_normal(RandomStream stream, std::int64_t n, T* out) {
  constexpr int words_a_value = sizeof(T) / 4;
  const auto use = [=](const std::uint32_t* words, std::int64_t begin, std::int64_t end) {
    const std::int64_t count = end - begin, pairs = count / 2 * 2;
    at_level([&]<class Arch>() {
      normal_from_words<Arch>(words, pairs, out + begin);
      if (pairs == count) return;
      T last[2];
      normal_from_words<Arch>(words + pairs * words_a_value, 2, last);
      out[end - 1] = last[0];
    });
  };
  with_words<words_a_value>(stream, n, use);
}

void random_bernoulli(RandomStream stream, std::int64_t n, double p, bool* out) {
  const std::int64_t bound = std::llround(p * 0x1p32);  // of 2^32 words so many give true
  if (bound == 0) {
    std::fill_n(out, n, false);
    return;
  }
  const auto last = static_cast<std::uint32_t>(bound - 1);
  with_words<1>(stream, n, [=](const std::uint32_t* words, std::int64_t begin, std::int64_t end) {
    at_level(
        [&]<class Arch>() { bernoulli_from_words<Arch>(words, end - begin, last, out + begin); });
  });
}

template <class T> void random_bernoulli(RandomStream stream, std::int64_t n, const T* p, T* out) {
  constexpr int words_a_value = sizeof(T) / 4;
  const auto use = [=](const std::uint32_t* words, std::int64_t begin, std::int64_t end) {
    at_level([&]<class Arch>() { uniform_from_words<Arch>(words, end - begin, out + begin); });
    for (std::int64_t i = begin; i < end; ++i) out[i] = out[i] < p[i] ? T(1) : T(0);
  };
  with_words<words_a_value>(stream, n, use);
}

void random_integers(RandomStream stream, std::int64_t n, std::int64_t low, std::int64_t high,
                     std::int64_t* out) {
  // Unsigned, for the range may have 64 bits.
  const auto base = static_cast<std::uint64_t>(low);
  const std::uint64_t range = static_cast<std::uint64_t>(high) - base;
  with_words<2>(stream, n, [=](const std::uint32_t* words, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      out[i] = static_cast<std::int64_t>(base + scaled(word64(words, i - begin), range));
    }
  });
}

void random_permutation(RandomStream stream, std::int64_t n, std::int64_t* out) {
  for (std::int64_t i = 0; i < n; ++i) out[i] = i;
  constexpr std::int64_t at_once = random_words_at_once / 2;
  std::uint64_t bits[at_once];
  for (std::int64_t begin = 0; begin < n; begin += at_once) {
    const std::int64_t end = std::min(begin + at_once, n);
    at_level([&]<class Arch>() {
      std::uint32_t words[random_words_at_once];
      philox_words<Arch>(stream, static_cast<std::uint64_t>(begin / 2), random_words_at_once,
                         words);
      for (std::int64_t i = 0; i < at_once; ++i) bits[i] = word64(words, i);
    });
    for (std::int64_t i = begin; i < end; ++i) {
      const auto left = static_cast<std::uint64_t>(n - i);
      std::swap(out[i], out[i + static_cast<std::int64_t>(scaled(bits[i - begin], left))]);
    }
  }
}

template void random_uniform(RandomStream, std::int64_t, float*);
template void random_uniform(RandomStream, std::int64_t, double*);
template void random_normal(RandomStream, std::int64_t, float*);
template void random_normal(RandomStream, std::int64_t, double*);
template void random_bernoulli(RandomStream, std::int64_t, const float*, float*);
template void random_bernoulli(RandomStream, std::int64_t, const double*, double*);

}  // namespace cadena::kernels
