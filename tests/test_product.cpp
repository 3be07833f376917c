#include "support.hpp"

#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/product.hpp>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <thread>
#include <vector>

using namespace cadena;
using namespace support;
using namespace cadena::kernels;

namespace {

// A product with operands whose rows are `gap` elements longer than they need be.
template <class T> struct Problem {
  ProductShape shape;
  std::int64_t gap;
  std::vector<T> a, b, c;

  Problem(ProductShape s, std::int64_t gap_between_rows = 0) : shape(s), gap(gap_between_rows) {
    const auto size = [&](std::int64_t rows, std::int64_t columns, Transpose t) {
      return static_cast<std::size_t>(t == Transpose::yes ? columns * (rows + gap)
                                                          : rows * (columns + gap));
    };
    a.resize(size(s.rows, s.inner, s.a));
    b.resize(size(s.inner, s.columns, s.b));
    c.assign(size(s.rows, s.columns, Transpose::no), std::numeric_limits<T>::quiet_NaN());
    std::mt19937 engine(7);
    std::normal_distribution<double> normal;
    for (T& x : a) x = static_cast<T>(normal(engine));
    for (T& x : b) x = static_cast<T>(normal(engine));
  }
  std::int64_t a_stride() const {
    return (shape.a == Transpose::yes ? shape.rows : shape.inner) + gap;
  }
  std::int64_t b_stride() const {
    return (shape.b == Transpose::yes ? shape.inner : shape.columns) + gap;
  }
  std::int64_t c_stride() const { return shape.columns + gap; }
  T& c_at(std::int64_t i, std::int64_t j) {
    return c[static_cast<std::size_t>(i * c_stride() + j)];
  }
  void run(ProductEpilogue epilogue = {}) {
    product<T>(shape, {a.data(), a_stride()}, {b.data(), b_stride()}, {c.data(), c_stride()},
               epilogue);
  }
  // The largest error relative to Σ |a||b|, in units of the last place.
  double error() {
    double worst = 0;
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      for (std::int64_t j = 0; j < shape.columns; ++j) {
        long double sum = 0, size = 0;
        for (std::int64_t k = 0; k < shape.inner; ++k) {
          const T x = a[static_cast<std::size_t>(shape.a == Transpose::yes ? k * a_stride() + i
                                                                           : i * a_stride() + k)];
          const T y = b[static_cast<std::size_t>(shape.b == Transpose::yes ? j * b_stride() + k
                                                                           : k * b_stride() + j)];
          sum += static_cast<long double>(x) * y;
          size += std::abs(static_cast<long double>(x) * y);
        }
        const long double off = std::abs(sum - c_at(i, j));
        if (!(off <= size)) return 1e30;
        if (size > 0) worst = std::max(worst, static_cast<double>(off / size));
      }
    }
    return worst / static_cast<double>(std::numeric_limits<T>::epsilon());
  }
};

std::vector<ProductShape> with_transposes(const std::vector<ProductShape>& shapes) {
  std::vector<ProductShape> all;
  for (const ProductShape& s : shapes) {
    for (const Transpose a : {Transpose::no, Transpose::yes}) {
      for (const Transpose b : {Transpose::no, Transpose::yes}) {
        all.push_back({s.rows, s.columns, s.inner, a, b});
      }
    }
  }
  return all;
}

const std::vector<ProductShape> small_shapes = {
    {1, 1, 1},    {4, 2, 8},    {4, 8, 2},    {3, 5, 7},    {16, 16, 16}, {17, 33, 9},
    {1, 40, 25},  {40, 1, 25},  {1, 1, 5000}, {2, 3, 900},  {65, 66, 67}, {20, 10, 70},
    {1, 300, 70}, {300, 1, 70}, {5, 100, 11}, {100, 7, 64}, {31, 64, 1}};
// Every way of cutting: by rows, by columns, by what is read.
const std::vector<ProductShape> large_shapes = {{129, 515, 131}, {515, 129, 77},  {40, 130, 700},
                                                {2000, 10, 200}, {10, 2000, 200}, {1, 1500, 700},
                                                {1500, 1, 700},  {1, 64, 9000},   {1, 1, 300001}};

template <class T> void check_values(const std::vector<ProductShape>& shapes) {
  for (const ProductShape& s : with_transposes(shapes)) {
    for (const std::int64_t gap : {0, 3}) {
      CAPTURE(s.rows, s.columns, s.inner, s.a == Transpose::yes, s.b == Transpose::yes, gap);
      Problem<T> p(s, gap);
      p.run();
      REQUIRE(p.error() < 4 + 0.05 * static_cast<double>(s.inner));
      // Between the rows nothing is written.
      if (gap > 0) REQUIRE(std::isnan(p.c_at(s.rows - 1, s.columns)));
    }
  }
}

template <class T> void check_bits() {
  const ThreadsGuard guard;
  std::vector<ProductShape> shapes = small_shapes;
  shapes.insert(shapes.end(), large_shapes.begin(), large_shapes.end());
  for (const ProductShape& s : with_transposes(shapes)) {
    CAPTURE(s.rows, s.columns, s.inner, s.a == Transpose::yes, s.b == Transpose::yes);
    Problem<T> p(s);
    set_threads(1);
    p.run();
    const std::vector<T> serial = p.c;
    for (const int n_threads : {2, 8}) {
      set_threads(n_threads);
      std::fill(p.c.begin(), p.c.end(), T(-1));
      p.run();
      REQUIRE(std::memcmp(p.c.data(), serial.data(), serial.size() * sizeof(T)) == 0);
    }
  }
}

}  // namespace

TEST_CASE("small products are right") {
  check_values<float>(small_shapes);
  check_values<double>(small_shapes);
}

TEST_CASE("large products are right") {
  check_values<float>(large_shapes);
  check_values<double>(large_shapes);
}

TEST_CASE("the bits of a product do not depend on the number of threads") {
  check_bits<float>();
  check_bits<double>();
}

TEST_CASE("products of nothing") {
  float one = 1, c[6] = {7, 7, 7, 7, 7, 7};
  product<float>({0, 3, 2}, {&one, 2}, {&one, 3}, {c, 3});
  product<float>({2, 0, 2}, {&one, 2}, {&one, 1}, {c, 1});
  for (const float x : c) CHECK(x == 7);
  product<float>({2, 3, 0}, {&one, 1}, {&one, 3}, {c, 3});
  for (const float x : c) CHECK(x == 0);
  c[0] = 7;
  product_batch<float>(2, {1, 3, 0}, {&one, 1}, {&one, 3}, {c, 3, 3});
  CHECK(c[0] == 0);
}

TEST_CASE("infinities and NaN propagate through products") {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const ProductShape& s : with_transposes({{4, 4, 4},
                                                {40, 50, 60},
                                                {128, 256, 300},
                                                {1, 2000, 600},
                                                {1, 1, 3000},
                                                {30, 10, 300}})) {
    CAPTURE(s.rows, s.columns, s.inner, s.a == Transpose::yes, s.b == Transpose::yes);
    Problem<float> p(s);
    std::fill(p.a.begin(), p.a.end(), 0.0f);
    std::fill(p.b.begin(), p.b.end(), infinity);
    p.run();
    for (const float x : p.c) REQUIRE(std::isnan(x));
    std::fill(p.a.begin(), p.a.end(), 1.0f);
    p.run();
    for (const float x : p.c) REQUIRE(x == infinity);
    std::fill(p.b.begin(), p.b.end(), 1.0f);
    p.a[0] = std::numeric_limits<float>::quiet_NaN();
    p.run();
    for (std::int64_t j = 0; j < s.columns; ++j) REQUIRE(std::isnan(p.c_at(0, j)));
    if (s.rows > 1) REQUIRE(p.c_at(1, 0) == static_cast<float>(s.inner));
  }
}

TEST_CASE("batches are the products one by one, bit for bit") {
  const ThreadsGuard guard;
  for (const ProductShape& s : with_transposes({{3, 4, 5}, {32, 24, 40}, {150, 160, 200}})) {
    const std::int64_t count = s.rows > 100 ? 3 : 300, m = s.rows * s.inner,
                       n = s.inner * s.columns;
    std::vector<float> a(static_cast<std::size_t>(count * m)), b(static_cast<std::size_t>(n));
    std::vector<float> c(static_cast<std::size_t>(count * s.rows * s.columns)), single(c.size());
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = std::sin(static_cast<float>(i));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = std::cos(static_cast<float>(i));
    const std::int64_t as = s.a == Transpose::yes ? s.rows : s.inner;
    const std::int64_t bs = s.b == Transpose::yes ? s.inner : s.columns;
    for (std::int64_t i = 0; i < count; ++i) {
      product<float>(s, {a.data() + i * m, as}, {b.data(), bs},
                     {single.data() + i * s.rows * s.columns, s.columns});
    }
    for (const int n_threads : {1, 2, 8}) {
      set_threads(n_threads);
      std::fill(c.begin(), c.end(), -1.0f);
      product_batch<float>(count, s, {a.data(), as, m}, {b.data(), bs, 0},
                           {c.data(), s.columns, s.rows * s.columns});
      REQUIRE(std::memcmp(c.data(), single.data(), c.size() * sizeof(float)) == 0);
    }
  }
}

TEST_CASE("an epilogue sees each finished element once") {
  const ThreadsGuard guard;
  set_threads(8);
  for (const ProductShape& s :
       with_transposes({{3, 4, 5}, {40, 40, 40}, {200, 400, 100}, {4, 4, 0}})) {
    Problem<float> p(s);
    std::fill(p.a.begin(), p.a.end(), 1.0f);
    std::fill(p.b.begin(), p.b.end(), 1.0f);
    const ProductEpilogue add_one{[](void* context, std::int64_t row, std::int64_t rows,
                                     std::int64_t column, std::int64_t columns) {
                                    auto& problem = *static_cast<Problem<float>*>(context);
                                    for (std::int64_t i = row; i < row + rows; ++i) {
                                      for (std::int64_t j = column; j < column + columns; ++j)
                                        problem.c_at(i, j) += 1;
                                    }
                                  },
                                  &p};
    p.run(add_one);
    for (const float x : p.c) REQUIRE(x == static_cast<float>(s.inner + 1));
  }
}

TEST_CASE("two threads of the user may compute products at once") {
  Problem<float> reference({200, 300, 150});
  reference.run();
  std::atomic<int> wrong{0};
  const auto work = [&] {
    Problem<float> p({200, 300, 150});
    for (int i = 0; i < 20; ++i) {
      p.run();
      wrong += p.c == reference.c ? 0 : 1;
    }
  };
  std::thread other(work);
  work();
  other.join();
  CHECK(wrong == 0);
}
