#include "support.hpp"

#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/softmax.hpp>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace cadena;
using namespace support;
using namespace cadena::kernels;

namespace {

// Runs f into a fresh result for 1, 2 and 8 threads and checks that all have the same bits.
template <class R, class F> std::vector<R> same_bits(std::int64_t n, F f) {
  const ThreadsGuard guard;
  const auto size = static_cast<std::size_t>(n);
  std::vector<R> first(size);
  set_threads(1);
  f(first.data());
  for (const int n_threads : {2, 8}) {
    set_threads(n_threads);
    std::vector<R> again(size);
    f(again.data());
    REQUIRE((size == 0 || std::memcmp(first.data(), again.data(), size * sizeof(R)) == 0));
  }
  return first;
}

template <class T> std::vector<T> numbers(std::int64_t n, double scale, unsigned seed) {
  std::vector<T> x(static_cast<std::size_t>(n));
  std::mt19937 engine(seed);
  std::normal_distribution<double> normal(0, scale);
  for (T& v : x) v = static_cast<T>(normal(engine));
  return x;
}

template <class T> void check(const RowsShape& s, double scale) {
  CAPTURE(s.rows, s.columns, scale);
  const std::int64_t n = s.rows * s.columns;
  const double tolerance = 100 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const std::vector<T> x = numbers<T>(n, scale, 1), g = numbers<T>(n, 1, 2),
                       row_g = numbers<T>(s.rows, 1, 3);
  std::vector<std::int64_t> labels(static_cast<std::size_t>(s.rows));
  for (std::size_t r = 0; r < labels.size(); ++r) {
    labels[r] = static_cast<std::int64_t>(r * 7) % s.columns;
  }
  std::vector<RowSoftmax<T>> kept(labels.size());
  const auto lse = same_bits<T>(s.rows, [&](T* out) { logsumexp(s, x.data(), out); });
  const ReduceShape along{s.rows, s.columns, 1};
  const auto soft = same_bits<T>(n, [&](T* out) { softmax(along, x.data(), out); });
  const auto log_soft = same_bits<T>(n, [&](T* out) { log_softmax(along, x.data(), out); });
  const auto soft_g =
      same_bits<T>(n, [&](T* out) { softmax_gradient(along, soft.data(), g.data(), out); });
  const auto log_g =
      same_bits<T>(n, [&](T* out) { log_softmax_gradient(along, log_soft.data(), g.data(), out); });
  const auto loss = same_bits<T>(s.rows, [&](T* out) {
    REQUIRE(cross_entropy(s, x.data(), {labels.data()}, out, kept.data()) == -1);
  });
  const auto loss_g = same_bits<T>(n, [&](T* out) {
    cross_entropy_gradient(s, x.data(), {labels.data()}, kept.data(), row_g.data(), out);
  });
  for (std::int64_t r = 0; r < s.rows; ++r) {
    const auto at = [&](std::int64_t c) { return static_cast<std::size_t>(r * s.columns + c); };
    long double top = x[at(0)], sum = 0, g_sum = 0, gy_sum = 0;
    for (std::int64_t c = 1; c < s.columns; ++c) top = std::max<long double>(top, x[at(c)]);
    for (std::int64_t c = 0; c < s.columns; ++c) sum += std::exp(x[at(c)] - top);
    for (std::int64_t c = 0; c < s.columns; ++c) {
      g_sum += g[at(c)];
      gy_sum += g[at(c)] * (std::exp(x[at(c)] - top) / sum);
    }
    const auto row = static_cast<std::size_t>(r);
    const long double log_sum = top + std::log(sum);
    REQUIRE(lse[row] == Approx(static_cast<double>(log_sum)).epsilon(tolerance).margin(tolerance));
    REQUIRE(loss[row] == Approx(static_cast<double>(log_sum - x[at(labels[row])]))
                             .epsilon(tolerance)
                             .margin(tolerance));
    for (std::int64_t c = 0; c < s.columns; ++c) {
      const long double y = std::exp(x[at(c)] - top) / sum, log_y = x[at(c)] - log_sum;
      const auto near = [&](T actual, long double expected, double size) {
        return std::abs(static_cast<double>(actual - expected)) <= tolerance * size;
      };
      REQUIRE(near(soft[at(c)], y, 1));
      REQUIRE(near(log_soft[at(c)], log_y, 1 + std::abs(static_cast<double>(log_y))));
      REQUIRE(near(soft_g[at(c)], y * (g[at(c)] - gy_sum), 5));
      const double g_size = 5 + 5 * std::abs(static_cast<double>(g_sum));
      REQUIRE(near(log_g[at(c)], g[at(c)] - y * g_sum, g_size));
      const T label = c == labels[row] ? T(1) : T(0);
      REQUIRE(near(loss_g[at(c)], (y - label) * row_g[row], 5));
    }
  }
}

/// [outer, reduced, inner] with the last two dimensions exchanged.
template <class T> std::vector<T> turned(const ReduceShape& s, const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (std::int64_t o = 0; o < s.outer; ++o) {
    for (std::int64_t c = 0; c < s.reduced; ++c) {
      for (std::int64_t i = 0; i < s.inner; ++i) {
        y[static_cast<std::size_t>((o * s.inner + i) * s.reduced + c)] =
            x[static_cast<std::size_t>((o * s.reduced + c) * s.inner + i)];
      }
    }
  }
  return y;
}

// Along columns comes what comes along rows of the transpose, sums in another order.
template <class T> void check_columns(const ReduceShape& s) {
  CAPTURE(s.outer, s.reduced, s.inner);
  const std::int64_t n = s.outer * s.reduced * s.inner;
  const ReduceShape rows{s.outer * s.inner, s.reduced, 1};
  const std::vector<T> x = numbers<T>(n, 3, 1), g = numbers<T>(n, 1, 2);
  const auto agree = [&](auto of_columns, auto of_rows) {
    const std::vector<T> got = turned(s, same_bits<T>(n, of_columns));
    std::vector<T> expected(got.size());
    of_rows(expected.data());
    const double tolerance = 200 * static_cast<double>(std::numeric_limits<T>::epsilon());
    for (std::size_t i = 0; i < got.size(); ++i) {
      REQUIRE(got[i] == Approx(expected[i]).epsilon(tolerance).margin(10 * tolerance));
    }
  };
  const std::vector<T> row_x = turned(s, x), row_g = turned(s, g);
  agree([&](T* out) { softmax(s, x.data(), out); },
        [&](T* out) { softmax(rows, row_x.data(), out); });
  agree([&](T* out) { log_softmax(s, x.data(), out); },
        [&](T* out) { log_softmax(rows, row_x.data(), out); });
  std::vector<T> y(x.size());
  softmax(s, x.data(), y.data());
  std::vector<T> row_y = turned(s, y);
  agree([&](T* out) { softmax_gradient(s, y.data(), g.data(), out); },
        [&](T* out) { softmax_gradient(rows, row_y.data(), row_g.data(), out); });
  log_softmax(s, x.data(), y.data());
  row_y = turned(s, y);
  agree([&](T* out) { log_softmax_gradient(s, y.data(), g.data(), out); },
        [&](T* out) { log_softmax_gradient(rows, row_y.data(), row_g.data(), out); });
}

}  // namespace

TEST_CASE("softmax along columns") {
  for (const ReduceShape& s : std::vector<ReduceShape>{
           {1, 5, 2}, {3, 17, 128}, {2, 40, 150}, {40, 3, 9}, {1, 1, 300}, {1, 700, 131}}) {
    check_columns<float>(s);
    check_columns<double>(s);
  }
}

TEST_CASE("softmax, its logarithm, cross-entropy and their gradients") {
  for (const RowsShape& s : std::vector<RowsShape>{
           {1, 1}, {5, 2}, {7, 10}, {3, 16}, {4, 37}, {200, 130}, {2, 3000}, {0, 4}}) {
    for (const double scale : {1.0, 1e4}) {
      check<float>(s, scale);
      check<double>(s, scale);
    }
  }
}

TEST_CASE("rows with infinities and NaN") {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const RowsShape s{4, 3};
  const std::vector<float> x = {-infinity, 0, 0, -infinity, -infinity, -infinity,
                                infinity,  1, 1, nan,       0,         0};
  std::vector<float> lse(4), y(12), loss(4), gradient(12);
  logsumexp(s, x.data(), lse.data());
  CHECK(lse[0] == Approx(std::log(2.0f)));
  CHECK(lse[1] == -infinity);
  CHECK(lse[2] == infinity);
  CHECK(std::isnan(lse[3]));
  softmax({4, 3, 1}, x.data(), y.data());
  CHECK((y[0] == 0 && y[1] == 0.5f && y[2] == 0.5f));
  CHECK(std::isnan(y[9]));
  log_softmax({4, 3, 1}, x.data(), y.data());
  CHECK(y[0] == -infinity);
  CHECK(y[1] == Approx(-std::log(2.0f)));
  const std::vector<std::int64_t> labels = {0, 0, 1, 0};
  std::vector<RowSoftmax<float>> kept(4);
  const float one = 1;
  CHECK(cross_entropy({1, 3}, x.data(), {labels.data()}, loss.data(), kept.data()) == -1);
  CHECK(loss[0] == infinity);
  cross_entropy_gradient({1, 3}, x.data(), {labels.data()}, kept.data(), &one, gradient.data());
  CHECK((gradient[0] == -1 && gradient[1] == 0.5f && gradient[2] == 0.5f));
}

TEST_CASE("cross-entropy names the first row whose label is out of range") {
  const ThreadsGuard guard;
  set_threads(8);
  const RowsShape s{5000, 10};
  const std::vector<float> x(50000, 1.0f);
  std::vector<std::int64_t> labels(5000, 3);
  std::vector<float> loss(5000);
  std::vector<RowSoftmax<float>> kept(5000);
  labels[4321] = 10;
  CHECK(cross_entropy(s, x.data(), {labels.data()}, loss.data(), kept.data()) == 4321);
  labels[77] = -1;
  CHECK(cross_entropy(s, x.data(), {labels.data()}, loss.data(), kept.data()) == 77);
  CHECK(std::isnan(loss[77]));
  CHECK(loss[78] == Approx(std::log(10.0)));
}
