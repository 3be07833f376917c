#include "support.hpp"

#include <cadena/autograd/kernels/arch.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/philox.hpp>
#include <cadena/autograd/kernels/philox_kernels.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <vector>

using namespace cadena;
using namespace support;
using namespace cadena::kernels;

namespace {

// The draw f(n, out) has the same bits for each number of threads, and its beginning is a shorter
// draw.
template <class T, class F> void check_draw(F f) {
  const ThreadsGuard guard;
  constexpr std::int64_t n = 100'003;
  set_threads(1);
  const auto first = std::make_unique<T[]>(n), again = std::make_unique<T[]>(n);
  f(n, first.get());
  for (const int n_threads : {2, 8}) {
    set_threads(n_threads);
    f(n, again.get());
    REQUIRE(std::memcmp(first.get(), again.get(), n * sizeof(T)) == 0);
  }
  for (const std::int64_t m : {1, 2, 3, 5, 1023, 1025, 16385}) {
    f(m, again.get());
    REQUIRE(std::memcmp(first.get(), again.get(), static_cast<std::size_t>(m) * sizeof(T)) == 0);
  }
}

template <class T>
void check_moments(const std::vector<T>& x, double mean, double variance, double fourth) {
  const auto n = static_cast<double>(x.size());
  double m1 = 0, m2 = 0, m4 = 0;
  for (const T v : x) m1 += v;
  m1 /= n;
  for (const T v : x) {
    const double d = v - mean;
    m2 += d * d / n;
    m4 += d * d * d * d / n;
  }
  CHECK(m1 == Approx(mean).margin(5 * std::sqrt(variance / n)));
  CHECK(m2 == Approx(variance).margin(5 * std::sqrt((fourth - variance * variance) / n)));
  CHECK(m4 == Approx(fourth).epsilon(0.02));
}

}  // namespace

TEST_CASE("Philox4x32-10 gives the published words") {
  using Words = std::array<std::uint32_t, 4>;
  const auto words = [](RandomStream stream, std::uint64_t block) {
    Words w;
    philox_words<Baseline>(stream, block, 4, w.data());
    return w;
  };
  // Known answers of Random123's distribution.
  CHECK(words({0, 0}, 0) == Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words({~std::uint64_t{0}, ~std::uint64_t{0}}, ~std::uint64_t{0}) ==
        Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words({0x299f31d0a4093822, 0x0370734413198a2e}, 0x85a308d3243f6a88) ==
        Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("draws depend on seed, stream and index alone") {
  const RandomStream stream{42, 7};
  check_draw<float>([=](std::int64_t n, float* out) { random_uniform(stream, n, out); });
  check_draw<double>([=](std::int64_t n, double* out) { random_uniform(stream, n, out); });
  check_draw<float>([=](std::int64_t n, float* out) { random_normal(stream, n, out); });
  check_draw<double>([=](std::int64_t n, double* out) { random_normal(stream, n, out); });
  check_draw<bool>([=](std::int64_t n, bool* out) { random_bernoulli(stream, n, 0.3, out); });
  check_draw<std::int64_t>(
      [=](std::int64_t n, auto* out) { random_integers(stream, n, -3, 9, out); });
  std::vector<double> a(1000), b(1000), c(1000);
  random_uniform(stream, 1000, a.data());
  random_uniform({42, 8}, 1000, b.data());
  random_uniform({43, 7}, 1000, c.data());
  std::size_t equal = 0;
  for (std::size_t i = 0; i < 1000; ++i) equal += a[i] == b[i] || a[i] == c[i] || b[i] == c[i];
  CHECK(equal == 0);
}

TEST_CASE("draws have the moments of their distributions") {
  constexpr std::int64_t n = 1'000'000;
  std::vector<float> f(n);
  std::vector<double> d(n);
  random_uniform({1, 0}, n, f.data());
  random_uniform({1, 1}, n, d.data());
  CHECK((*std::min_element(f.begin(), f.end()) >= 0 && *std::max_element(f.begin(), f.end()) < 1));
  CHECK((*std::min_element(d.begin(), d.end()) >= 0 && *std::max_element(d.begin(), d.end()) < 1));
  check_moments(f, 0.5, 1.0 / 12, 1.0 / 80);
  check_moments(d, 0.5, 1.0 / 12, 1.0 / 80);
  random_normal({1, 2}, n, f.data());
  random_normal({1, 3}, n, d.data());
  CHECK(std::all_of(f.begin(), f.end(), [](float x) { return std::abs(x) < 6.8f; }));
  CHECK(std::all_of(d.begin(), d.end(), [](double x) { return std::abs(x) < 8.8; }));
  check_moments(f, 0, 1, 3);
  check_moments(d, 0, 1, 3);
  const auto mask = std::make_unique<bool[]>(n);
  for (const double p : {0.0, 0.25, 1.0}) {
    random_bernoulli({1, 4}, n, p, mask.get());
    const auto ones = static_cast<double>(std::count(mask.get(), mask.get() + n, true));
    CHECK(ones == Approx(p * n).margin(5 * std::sqrt(p * (1 - p) * n)));
  }
}

TEST_CASE("integers take each value of their range") {
  constexpr std::int64_t n = 100'000;
  std::vector<std::int64_t> x(n);
  random_integers({5, 0}, n, -2, 8, x.data());
  for (std::int64_t value = -2; value < 8; ++value) {
    CHECK(std::count(x.begin(), x.end(), value) == Approx(n / 10).margin(500));
  }
  CHECK(*std::min_element(x.begin(), x.end()) == -2);
  CHECK(*std::max_element(x.begin(), x.end()) == 7);
  random_integers({5, 1}, n, INT64_MIN, INT64_MAX, x.data());
  CHECK(std::count_if(x.begin(), x.end(), [](auto v) { return v < 0; }) ==
        Approx(n / 2).margin(800));
}

TEST_CASE("permutations hold each number once and move them") {
  for (const std::int64_t n : {0, 1, 2, 10, 1000, 3001}) {
    std::vector<std::int64_t> p(static_cast<std::size_t>(n)), again(p.size()), sorted(p.size());
    random_permutation({9, 0}, n, p.data());
    random_permutation({9, 0}, n, again.data());
    CHECK(p == again);
    sorted = p;
    std::sort(sorted.begin(), sorted.end());
    for (std::int64_t i = 0; i < n; ++i) REQUIRE(sorted[static_cast<std::size_t>(i)] == i);
    if (n >= 1000) {
      CHECK(p != sorted);
      std::int64_t fixed = 0;
      for (std::int64_t i = 0; i < n; ++i) fixed += p[static_cast<std::size_t>(i)] == i ? 1 : 0;
      CHECK(fixed < 10);
    }
  }
  // Each of the six orders of three numbers.
  std::array<int, 6> count{};
  for (std::uint64_t stream = 0; stream < 6000; ++stream) {
    std::array<std::int64_t, 3> p;
    random_permutation({11, stream}, 3, p.data());
    ++count[static_cast<std::size_t>(p[0] * 2 + (p[1] > p[2] ? 1 : 0))];
  }
  for (const int c : count) CHECK(c == Approx(1000).margin(150));
}
