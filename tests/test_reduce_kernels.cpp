#include "support.hpp"

#include <cadena/autograd/kernels/count.hpp>
#include <cadena/autograd/kernels/moments.hpp>
#include <cadena/autograd/kernels/others.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <type_traits>
#include <vector>

using namespace cadena;
using namespace support;
using namespace cadena::kernels;

namespace {

const std::vector<ReduceShape> shapes = {
    {1, 1, 1},     {3, 5, 1},      {7, 16, 1},      {5, 17, 1},    {2, 33, 1},     {3, 1024, 1},
    {2, 5000, 1},  {1, 300007, 1}, {2, 131073, 1},  {1, 9, 2},     {4, 7, 3},      {2, 100, 10},
    {1, 5003, 10}, {1, 90001, 3},  {1, 40000, 500}, {3, 40, 600},  {1, 300, 1500}, {2, 17, 513},
    {1, 1, 5000},  {50, 3, 4},     {1, 200000, 2},  {6, 1000, 15}, {1000, 12, 1},  {1, 33, 100},
    {130, 4, 1},   {1, 200003, 7}, {3, 70000, 2}};

template <class T> std::vector<T> numbers(const ReduceShape& s) {
  std::vector<T> x(static_cast<std::size_t>(s.outer * s.reduced * s.inner));
  std::mt19937 engine(3);
  std::uniform_int_distribution<int> small(-50, 50);
  std::normal_distribution<double> normal(1.0, 1.0);
  for (T& v : x)
    v = std::is_integral_v<T> ? static_cast<T>(small(engine)) : static_cast<T>(normal(engine));
  return x;
}

std::size_t results(const ReduceShape& s) { return static_cast<std::size_t>(s.outer * s.inner); }

// Calls f(result index, elements) with each reduced vector.
template <class T, class F> void each_vector(const ReduceShape& s, const std::vector<T>& x, F f) {
  std::vector<T> v(static_cast<std::size_t>(s.reduced));
  for (std::int64_t o = 0; o < s.outer; ++o) {
    for (std::int64_t i = 0; i < s.inner; ++i) {
      for (std::int64_t r = 0; r < s.reduced; ++r) {
        v[static_cast<std::size_t>(r)] =
            x[static_cast<std::size_t>((o * s.reduced + r) * s.inner + i)];
      }
      f(static_cast<std::size_t>(o * s.inner + i), v);
    }
  }
}

// Runs f into a fresh result for 1, 2 and 8 threads and checks that all have the same bits.
template <class R, class F> std::vector<R> same_bits(std::size_t n, F f) {
  const ThreadsGuard guard;
  std::vector<R> first(n);
  set_threads(1);
  f(first.data());
  for (const int n_threads : {2, 8}) {
    set_threads(n_threads);
    std::vector<R> again(n);
    f(again.data());
    REQUIRE((n == 0 || std::memcmp(first.data(), again.data(), n * sizeof(R)) == 0));
  }
  return first;
}

template <class T> void check_reductions() {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner);
    const std::vector<T> x = numbers<T>(s);
    const auto sums = same_bits<T>(results(s), [&](T* out) { sum(s, x.data(), out); });
    const auto largest = same_bits<T>(results(s), [&](T* out) { maximum(s, x.data(), out); });
    const auto smallest = same_bits<T>(results(s), [&](T* out) { minimum(s, x.data(), out); });
    const auto high =
        same_bits<std::int64_t>(results(s), [&](auto* out) { argmax(s, x.data(), out); });
    const auto low =
        same_bits<std::int64_t>(results(s), [&](auto* out) { argmin(s, x.data(), out); });
    each_vector(s, x, [&](std::size_t at, const std::vector<T>& v) {
      long double total = 0, size = 0;
      for (const T e : v) total += e, size += std::abs(static_cast<long double>(e));
      const long double tolerance =
          std::is_integral_v<T> ? 0.0L : 20.0L * size * std::numeric_limits<T>::epsilon();
      REQUIRE(std::abs(static_cast<long double>(sums[at]) - total) <= tolerance);
      const auto top = std::max_element(v.begin(), v.end()),
                 bottom = std::min_element(v.begin(), v.end());
      REQUIRE(largest[at] == *top);
      REQUIRE(smallest[at] == *bottom);
      REQUIRE(high[at] == top - v.begin());
      REQUIRE(low[at] == bottom - v.begin());
    });
  }
}

template <class T> void check_sums_of_squares() {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner);
    const std::vector<T> x = numbers<T>(s);
    const auto plain = same_bits<T>(
        results(s), [&](T* out) { sum_squares(s, x.data(), static_cast<const T*>(nullptr), out); });
    const std::vector<T> halves(results(s), T(0.5));
    const auto quarter =
        same_bits<T>(results(s), [&](T* out) { sum_squares(s, x.data(), halves.data(), out); });
    for (std::size_t i = 0; i < plain.size(); ++i) REQUIRE(quarter[i] == plain[i] / 4);
    each_vector(s, x, [&](std::size_t at, const std::vector<T>& v) {
      long double total = 0;
      for (const T e : v) total += static_cast<long double>(e) * e;
      REQUIRE(std::abs(static_cast<double>(plain[at] - total)) <=
              20 * static_cast<double>(total) *
                  static_cast<double>(std::numeric_limits<T>::epsilon()));
    });
  }
}

template <class T> void check_moments() {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner);
    std::vector<T> x = numbers<T>(s);
    // The first of a line may be far from all others.
    for (std::int64_t i = 0; i < s.inner; ++i) x[static_cast<std::size_t>(i)] = T(1e4);
    std::vector<T> means(results(s));
    const auto squares = same_bits<double>(
        results(s), [&](double* out) { moments(s, x.data(), means.data(), out); });
    each_vector(s, x, [&](std::size_t at, const std::vector<T>& v) {
      long double mean = 0, total = 0;
      for (const T e : v) mean += static_cast<long double>(e) / static_cast<long double>(v.size());
      for (const T e : v) total += (e - mean) * (e - mean);
      REQUIRE(std::abs(static_cast<double>(means[at] - mean)) <=
              2e4 * static_cast<double>(std::numeric_limits<T>::epsilon()) + 1e-10);
      REQUIRE(std::abs(static_cast<double>(squares[at] - total)) <=
              1e-12 * static_cast<double>(total));
    });
    std::fill(x.begin(), x.end(), T(0.7));
    std::vector<double> none(results(s), 1);
    moments(s, x.data(), means.data(), none.data());
    REQUIRE(none == std::vector<double>(results(s), 0));
    REQUIRE(means == std::vector<T>(results(s), T(0.7)));
  }
}

template <class T> void check_counts() {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner);
    const std::vector<std::int64_t> some = numbers<std::int64_t>(s);
    std::vector<T> x(some.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(some[i] % 3 == 0 ? 0 : 1);
    const auto counts =
        same_bits<std::int64_t>(results(s), [&](auto* out) { count_nonzero(s, x.data(), out); });
    each_vector(s, x, [&](std::size_t at, const std::vector<T>& v) {
      REQUIRE(counts[at] == std::count_if(v.begin(), v.end(), [](T e) { return e != 0; }));
    });
  }
}

// Products of the others by two scans in long double, whose range is far larger.
template <class T> void check_products_of_others(int zeros, T first, T last) {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner, zeros, first);
    // The largest would take most of the time, for lines as those of others.
    if (s.reduced < 3 || s.outer * s.reduced * s.inner > 500'000) continue;
    std::vector<T> x = numbers<T>(s);
    for (T& e : x) e = T(1) + e / T(2000);
    const auto at = [&](std::int64_t r) -> T& {
      return x[static_cast<std::size_t>(r * s.inner)];  // in the first line
    };
    at(0) = first, at(s.reduced - 1) = last;
    for (int k = 0; k < zeros; ++k) at(1 + k * (s.reduced - 2)) = 0;
    const auto found = same_bits<T>(x.size(), [&](T* out) { product_of_others(s, x.data(), out); });
    each_vector(s, x, [&](std::size_t line, const std::vector<T>& v) {
      std::vector<long double> before(v.size() + 1, 1), after(v.size() + 1, 1);
      for (std::size_t i = 0; i < v.size(); ++i) before[i + 1] = before[i] * v[i];
      for (std::size_t i = v.size(); i-- > 0;) after[i] = after[i + 1] * v[i];
      const auto inner = static_cast<std::size_t>(s.inner);
      const std::size_t begin =
          line / inner * static_cast<std::size_t>(s.reduced) * inner + line % inner;
      for (std::size_t i = 0; i < v.size(); ++i) {
        const T expected = static_cast<T>(before[i] * after[i + 1]), got = found[begin + i * inner];
        const bool same = got == expected || (std::isnan(got) && std::isnan(expected)) ||
                          std::abs(got - expected) <= T(1e-6) * std::abs(expected);
        if (!same) FAIL(i << ": " << got << ", expected " << expected);
      }
    });
  }
}

template <class T> void check_nan_and_ties() {
  const T nan = std::numeric_limits<T>::quiet_NaN(), infinity = std::numeric_limits<T>::infinity();
  for (const ReduceShape& s : shapes) {
    if (s.reduced < 5) continue;
    CAPTURE(s.outer, s.reduced, s.inner);
    std::vector<T> x(static_cast<std::size_t>(s.outer * s.reduced * s.inner), T(2)),
        out(results(s));
    std::vector<std::int64_t> index(results(s));
    argmax(s, x.data(), index.data());
    for (const std::int64_t i : index) REQUIRE(i == 0);
    // In the last column of the last matrix: -∞, 3, 3; then NaN as the last but one and the last.
    const auto at = [&](std::int64_t r) -> T& {
      return x[static_cast<std::size_t>(((s.outer - 1) * s.reduced + r) * s.inner + s.inner - 1)];
    };
    at(0) = -infinity, at(1) = 3, at(2) = 3;
    argmax(s, x.data(), index.data());
    REQUIRE(index.back() == 1);
    argmin(s, x.data(), index.data());
    REQUIRE(index.back() == 0);
    at(s.reduced - 2) = at(s.reduced - 1) = nan;
    maximum(s, x.data(), out.data());
    REQUIRE(std::isnan(out.back()));
    if (out.size() > 1) REQUIRE(out.front() == 2);
    minimum(s, x.data(), out.data());
    REQUIRE(std::isnan(out.back()));
    argmax(s, x.data(), index.data());
    REQUIRE(index.back() == s.reduced - 2);
    argmin(s, x.data(), index.data());
    REQUIRE(index.back() == s.reduced - 2);
    sum(s, x.data(), out.data());
    REQUIRE(std::isnan(out.back()));
    std::fill(x.begin(), x.end(), -infinity);
    maximum(s, x.data(), out.data());
    REQUIRE(out.back() == -infinity);
    argmax(s, x.data(), index.data());
    REQUIRE(index.back() == 0);
  }
}

}  // namespace

TEST_CASE("sums, extremes and where they stand") {
  check_reductions<float>();
  check_reductions<double>();
  check_reductions<std::int64_t>();
}

TEST_CASE("sums of squares") {
  check_sums_of_squares<float>();
  check_sums_of_squares<double>();
}

TEST_CASE("means and squared distances from them") {
  check_moments<float>();
  check_moments<double>();
}

TEST_CASE("counts of what is not 0") {
  check_counts<float>();
  check_counts<double>();
  check_counts<std::int64_t>();
  check_counts<std::uint8_t>();
}

TEST_CASE("products of the others") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (int zeros = 0; zeros <= 2; ++zeros) {
    check_products_of_others<float>(zeros, 2, -3);
    check_products_of_others<float>(zeros, 1e30F, 1e30F);
    check_products_of_others<double>(zeros, 2, -3);
    check_products_of_others<double>(zeros, 1e300, -1e300);
    check_products_of_others<double>(zeros, 1e-300, 1e-300);
    check_products_of_others<double>(zeros, -infinity, 2);
    check_products_of_others<double>(zeros, 2, std::numeric_limits<double>::quiet_NaN());
  }
}

TEST_CASE("the first NaN wins, and the first of equals") {
  check_nan_and_ties<float>();
  check_nan_and_ties<double>();
}

TEST_CASE("a float sum of many ones is exact") {
  const std::vector<float> ones(100'000'000, 1.0f);
  const auto n = static_cast<std::int64_t>(ones.size());
  for (const ReduceShape& s :
       std::vector<ReduceShape>{{1, n, 1}, {1, n / 10, 10}, {1, n / 1000, 1000}}) {
    std::vector<float> out(results(s));
    sum(s, ones.data(), out.data());
    for (const float x : out) REQUIRE(x == static_cast<float>(s.reduced));
  }
}

TEST_CASE("reducing nothing") {
  float x = 1, out[3] = {7, 7, 7};
  sum<float>({0, 5, 3}, &x, out);
  sum<float>({3, 5, 0}, &x, out);
  maximum<float>({3, 0, 0}, &x, out);
  CHECK(out[0] == 7);
  sum<float>({1, 0, 3}, &x, out);
  CHECK((out[0] == 0 && out[1] == 0 && out[2] == 0));
  CHECK(dot<float>(0, &x, &x) == 0);
}

TEST_CASE("integer sums wrap around and are exact") {
  const std::int64_t big = std::int64_t{1} << 62;
  const std::vector<std::int64_t> x = {big, big, -big, 5, -big};
  std::int64_t out = 0;
  sum<std::int64_t>({1, 5, 1}, x.data(), &out);
  CHECK(out == 5);
}

TEST_CASE("bytes are summed in 64 bits") {
  for (const ReduceShape& s : shapes) {
    CAPTURE(s.outer, s.reduced, s.inner);
    const std::vector<std::int64_t> wide = numbers<std::int64_t>(s);
    std::vector<std::uint8_t> x(wide.size());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<std::uint8_t>(wide[i] + 200);
    const auto sums =
        same_bits<std::int64_t>(results(s), [&](auto* out) { sum(s, x.data(), out); });
    each_vector(s, x, [&](std::size_t at, const std::vector<std::uint8_t>& v) {
      REQUIRE(sums[at] == std::accumulate(v.begin(), v.end(), std::int64_t{0}));
    });
  }
}

TEST_CASE("dot products and weighted sums of rows") {
  for (const std::int64_t n : {1, 15, 16, 1000, 70000, 400001}) {
    std::vector<float> x(static_cast<std::size_t>(n)), y(x.size());
    long double total = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      x[i] = std::sin(static_cast<float>(i)), y[i] = std::cos(static_cast<float>(i) * 0.3f);
      total += static_cast<long double>(x[i]) * y[i], size += std::abs(x[i] * y[i]);
    }
    const auto result = same_bits<float>(1, [&](float* out) { *out = dot(n, x.data(), y.data()); });
    REQUIRE(std::abs(static_cast<double>(result[0] - total)) <= 2e-6 * static_cast<double>(size));
  }
  for (const StridedRows& s :
       std::vector<StridedRows>{{1, 5, 5}, {300, 70, 80}, {5000, 600, 600}}) {
    std::vector<double> x(static_cast<std::size_t>(s.rows * s.stride)),
        w(static_cast<std::size_t>(s.rows));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<double>(i));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::cos(static_cast<double>(i));
    const auto n = static_cast<std::size_t>(s.columns);
    const auto result =
        same_bits<double>(n, [&](double* out) { weighted_sum(s, w.data(), x.data(), out); });
    for (std::size_t c = 0; c < n; ++c) {
      double total = 0;
      for (std::size_t r = 0; r < w.size(); ++r)
        total += w[r] * x[r * static_cast<std::size_t>(s.stride) + c];
      REQUIRE(result[c] == Approx(total).margin(1e-9));
    }
  }
}
