// What a row could cost at best, for scripts/bench.py: small loops, written for the row and
// compiled for the machine at hand with libmvec's functions. On TBB's threads: OpenMP's wait for
// one another in a way that suffers from other processes.
// - product-bound rows: their products alone, each in the fastest arrangement;
// - stream-bound rows: a loop that reads and writes the same arrays, with additions only;
// - compute-bound rows: the same arithmetic, fused into one loop.

#include <oneapi/dnnl/dnnl.h>
#include <sys/mman.h>
#include <tbb/blocked_range.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>

#include "run.hpp"

#include <limits>
#include <map>
#include <memory>
#include <new>

extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int);

namespace bench {
namespace {

using Array = std::shared_ptr<float[]>;

/// Where a loop is fastest: aligned and, if large, in huge pages.
Array random(std::int64_t count, std::uint64_t seed) {
  const std::vector<float> values = numbers(count, seed);
  constexpr std::size_t huge_page = 1 << 21;
  const std::size_t bytes = values.size() * sizeof(float);
  const std::size_t alignment = bytes > huge_page ? huge_page : 64;
  const std::size_t size = (bytes + alignment - 1) / alignment * alignment;
  Array array(static_cast<float*>(std::aligned_alloc(alignment, size)), std::free);
  if (!array) throw std::bad_alloc();
  if (alignment == huge_page) madvise(array.get(), size, MADV_HUGEPAGE);
  std::ranges::copy(values, array.get());
  return array;
}

/// C [m, n] = op(A) op(B), row-major, as a step of training has it.
struct Product {
  char a, b;  ///< 'N', or 'T' for a transposed operand.
  std::int64_t m, n, k;
  auto operator<=>(const Product&) const = default;

  /// Rows [row, row_end), columns [column, column_end) of C.
  void piece(const float* x, const float* y, float* z, std::int64_t row, std::int64_t row_end,
             std::int64_t column, std::int64_t column_end) const {
    dnnl_sgemm(a, b, row_end - row, column_end - column, k, 1, x + (a == 'N' ? row * k : row),
               a == 'N' ? k : m, y + (b == 'N' ? column : column * k), b == 'N' ? n : k, 0,
               z + row * n + column, n);
  }
};

/// Calls body(begin, end) for pieces of [0, count) of at least `grain` elements or so.
template <class Body> void parallel(std::int64_t count, std::int64_t grain, const Body& body) {
  tbb::parallel_for(tbb::blocked_range<std::int64_t>(0, count, static_cast<std::size_t>(grain)),
                    [&](const auto& range) { body(range.begin(), range.end()); });
}

/// The sum of what body(begin, end) gives for such pieces.
template <class Body> float parallel_sum(std::int64_t count, std::int64_t grain, const Body& body) {
  return tbb::parallel_reduce(
      tbb::blocked_range<std::int64_t>(0, count, static_cast<std::size_t>(grain)), 0.0f,
      [&](const auto& range, float sum) { return sum + body(range.begin(), range.end()); },
      std::plus<>());
}

constexpr std::int64_t grain = 1 << 15;  // of elements

/// Seconds of a product in the fastest arrangement: one call with oneDNN's own threads, or pieces
/// of rows or of columns with a thread each.
double seconds_of(const Product& p) {
  const Array left = random(p.m * p.k, 1), right = random(p.k * p.n, 2);
  const Array result = random(p.m * p.n, 3);
  const float *x = left.get(), *y = right.get();
  float* z = result.get();
  constexpr double seconds = 0.03;
  double best = time_steps([&] { p.piece(x, y, z, 0, p.m, 0, p.n); }, seconds);
  const int threads = omp_get_max_threads();
  for (const std::int64_t pieces : {2, 4, 8}) {
    for (const bool by_rows : {true, false}) {
      const std::int64_t length = by_rows ? p.m : p.n;
      if (length < 2 * pieces) continue;
      const auto in_pieces = [&] {
        parallel(pieces, 1, [&](std::int64_t i, std::int64_t) {
          omp_set_num_threads(1);  // of this thread's calls
          const std::int64_t begin = length * i / pieces, end = length * (i + 1) / pieces;
          if (by_rows) {
            p.piece(x, y, z, begin, end, 0, p.n);
          } else {
            p.piece(x, y, z, 0, p.m, begin, end);
          }
        });
      };
      best = std::min(best, time_steps(in_pieces, seconds));
    }
  }
  omp_set_num_threads(threads);
  return best;
}

/// The products of a training step: forward, and for each operand that needs a gradient.
Work products_of(const Perceptron& perceptron) {
  return {.figure = [=] {
    std::map<Product, double> seconds;  // equal layers are measured once
    double sum = 0;
    const auto add = [&](const Product& product) {
      auto& known = seconds[product];
      if (known == 0) known = seconds_of(product);
      sum += known;
    };
    const std::vector<std::int64_t>& widths = perceptron.widths;
    for (std::size_t i = 0; i + 1 < widths.size(); ++i) {
      add({'N', 'T', perceptron.batch, widths[i + 1], widths[i]});
      add({'T', 'N', widths[i + 1], widths[i], perceptron.batch});
      if (i > 0) add({'N', 'N', perceptron.batch, widths[i], widths[i + 1]});
    }
    return sum;
  }};
}

// The loops. Functions of their own: inlined into lambdas, g++ 12 reads a captured pointer anew in
// each lane.

/// C = A·B of small matrices, the size known to the compiler.
[[gnu::noinline]] void multiply(const float* a, const float* b, float* __restrict c) {
  constexpr std::int64_t size = product_size;
  using Lanes [[gnu::vector_size(size * sizeof(float)), gnu::aligned(4)]] = float;
  Lanes rows[size] = {};
  for (std::int64_t k = 0; k < size; ++k) {
    const Lanes row = *reinterpret_cast<const Lanes*>(b + k * size);
    for (std::int64_t i = 0; i < size; ++i) {
      rows[i] += a[i * size + k] * row;
    }
  }
  for (std::int64_t i = 0; i < size; ++i) {
    *reinterpret_cast<Lanes*>(c + i * size) = rows[i];
  }
}

[[gnu::noinline]] void add(const float* g, float* __restrict w, float* __restrict m,
                           float* __restrict v, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] += g[i];
    v[i] += g[i];
    w[i] += m[i] + v[i];
  }
}

[[gnu::noinline]] void add(const float* x, float number, float* __restrict y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] + number;
}

[[gnu::noinline]] void add(const float* x, const float* u, float* __restrict y,
                           std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] + u[i];
}

[[gnu::noinline]] void add(const float* x, const std::int64_t* index, float* __restrict y,
                           std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] + static_cast<float>(index[i]);
}

[[gnu::noinline]] void add(const float* x, const float* u, const std::int64_t* index,
                           float* __restrict y, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] + u[i] + static_cast<float>(index[i]);
}

/// In several chains of additions, which one alone would wait for.
[[gnu::noinline]] float sum(const float* x, std::int64_t count) {
  constexpr std::int64_t chains = 128;
  float sums[chains] = {};
  std::int64_t i = 0;
  for (; i + chains <= count; i += chains) {
    for (std::int64_t k = 0; k < chains; ++k) sums[k] += x[i + k];
  }
  for (; i < count; ++i) sums[0] += x[i];
  float total = 0;
  for (const float part : sums) total += part;
  return total;
}

/// Writes the gradient of the elementwise row and returns its loss.
[[gnu::noinline]] float elementwise(const float* x, float* __restrict g, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float t = tanhf(2 * x[i] + 1), s = 1 / (1 + expf(-x[i]));
    const float e = expf(x[i] * x[i]), f = expf(-e);
    sum += t * s + f;
    g[i] = 2 * (1 - t * t) * s + t * s * (1 - s) - 2 * f * e * x[i];
  }
  return sum;
}

/// Writes the gradient of a sample's share in the mean cross-entropy and returns its own.
[[gnu::noinline]] float cross_entropy(const float* x, std::int64_t label, float* __restrict g) {
  float largest = std::numeric_limits<float>::lowest(), sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) largest = x[i] > largest ? x[i] : largest;
  for (std::int64_t i = 0; i < classes; ++i) {
    const float power = expf(x[i] - largest);
    g[i] = power;
    sum += power;
  }
  const float factor = 1 / (sum * samples);
  for (std::int64_t i = 0; i < classes; ++i) g[i] *= factor;
  g[label] -= 1.0f / samples;
  return logf(sum) + largest - x[label];
}

// The rows.

Work small_products() {
  constexpr std::int64_t elements = product_size * product_size;
  const Array a = random(products * elements, 1), b = random(products * elements, 2);
  const Array c = random(products * elements, 3);
  return {.step = [=] {
    parallel(products, 50, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * elements; i < end * elements; i += elements) {
        multiply(a.get() + i, b.get() + i, c.get() + i);
      }
    });
  }};
}

/// Reads the gradient and three states, writes the states.
Work adam_stream() {
  const Array w = random(adam_parameters, 1), g = random(adam_parameters, 2);
  const Array m = random(adam_parameters, 3), v = random(adam_parameters, 4);
  return {.step = [=] {
    parallel(adam_parameters, grain, [&](std::int64_t begin, std::int64_t end) {
      add(g.get() + begin, w.get() + begin, m.get() + begin, v.get() + begin, end - begin);
    });
  }};
}

/// Reads x and writes y; reads x and the upstream gradient and writes the gradient.
Work layer_norm_stream() {
  constexpr std::int64_t count = norm_rows * norm_features;
  const Array x = random(count, 1), u = random(count, 2), y = random(count, 3);
  const Array g = random(count, 4);
  return {.step = [=] {
    parallel(count, grain, [&](std::int64_t begin, std::int64_t end) {
      add(x.get() + begin, 1.0f, y.get() + begin, end - begin);
    });
    parallel(count, grain, [&](std::int64_t begin, std::int64_t end) {
      add(x.get() + begin, u.get() + begin, g.get() + begin, end - begin);
    });
  }};
}

Work sum_stream() {
  constexpr std::int64_t count = reduced[0] * reduced[1] * reduced[2];
  const Array x = random(count, 1);
  const auto total = std::make_shared<float>();
  return {.step = [=] {
    *total = parallel_sum(count, grain, [&](std::int64_t begin, std::int64_t end) {
      return sum(x.get() + begin, end - begin);
    });
  }};
}

/// Reads x and the indices and writes y; reads y, the indices and what is added to, writes the sum.
Work gather_scatter_stream() {
  constexpr std::int64_t count = gather_rows * gather_columns;
  const auto index = std::make_shared<std::vector<std::int64_t>>(indices(count, gather_rows, 2));
  const Array x = random(count, 1), zero = random(count, 3), y = random(count, 4);
  const Array z = random(count, 5);
  return {.step = [=] {
    parallel(count, grain, [&](std::int64_t begin, std::int64_t end) {
      add(x.get() + begin, index->data() + begin, y.get() + begin, end - begin);
    });
    parallel(count, grain, [&](std::int64_t begin, std::int64_t end) {
      add(zero.get() + begin, y.get() + begin, index->data() + begin, z.get() + begin, end - begin);
    });
  }};
}

Work fused_elementwise_chain() {
  const Array x = random(elementwise_elements, 1), g = random(elementwise_elements, 2);
  const auto loss = std::make_shared<float>();
  return {.step = [=] {
    *loss = parallel_sum(elementwise_elements, grain, [&](std::int64_t begin, std::int64_t end) {
      return elementwise(x.get() + begin, g.get() + begin, end - begin);
    });
  }};
}

Work fused_cross_entropy() {
  const Array x = random(samples * classes, 1), g = random(samples * classes, 2);
  const auto labels = std::make_shared<std::vector<std::int64_t>>(indices(samples, classes, 2));
  const auto loss = std::make_shared<float>();
  return {.step = [=] {
    *loss = parallel_sum(samples, 32, [&](std::int64_t begin, std::int64_t end) {
      float total = 0;
      for (std::int64_t row = begin; row < end; ++row) {
        total += cross_entropy(x.get() + row * classes, (*labels)[static_cast<std::size_t>(row)],
                               g.get() + row * classes);
      }
      return total / samples;
    });
  }};
}

std::vector<Row> limits() {
  std::vector<Row> all;
  for (const Perceptron& perceptron : perceptrons) {
    all.push_back({perceptron.row, [perceptron] { return products_of(perceptron); }});
  }
  all.insert(all.end(), {{"adam_10m", adam_stream},
                         {"cross_entropy", fused_cross_entropy},
                         {"elementwise_chain", fused_elementwise_chain},
                         {"layer_norm", layer_norm_stream},
                         {"layer_norm_operators", layer_norm_stream},
                         {"products_batched", small_products},
                         {"sum_axis_0", sum_stream},
                         {"sum_axis_1", sum_stream},
                         {"sum_axis_2", sum_stream},
                         {"sum_all", sum_stream},
                         {"gather_scatter", gather_scatter_stream}});
  return all;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  std::unique_ptr<tbb::global_control> control;
  return bench::run(argc, argv, bench::limits(), [&](const bench::Options& options) {
    omp_set_num_threads(options.threads);
    control = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                    static_cast<std::size_t>(options.threads));
  });
}
