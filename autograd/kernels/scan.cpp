#include <cadena/autograd/kernels/denormals.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/scan.hpp>
#include <cadena/autograd/kernels/scan_kernels.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/softmax_kernels.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

namespace cadena::kernels {
namespace {

// Elements of a piece: 10 to 20 µs of additions, of logarithms and exponentials.
constexpr std::int64_t sum_block = 16384, log_block = 4096;

// Calls body.operator()<Arch>(offset, lines) for all lines along the middle dimension.
template <class T, class Body>
void each_lines(const ReduceShape& s, bool reverse, std::int64_t piece, Body body) {
  if (s.outer * s.reduced * s.inner == 0) return;
  const std::int64_t tiles = divide_up(s.inner, scan_tile);
  const std::int64_t front = reverse ? (s.reduced - 1) * s.inner : 0;
  const std::int64_t step = reverse ? -s.inner : s.inner;
  parallel_for(
      s.outer * tiles,
      std::max<std::int64_t>(1, piece / (s.reduced * std::min(s.inner, scan_tile))),
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t item = begin; item < end; ++item) {
            const std::int64_t column = item % tiles * scan_tile;
            body.template operator()<Arch>(
                item / tiles * s.reduced * s.inner + front + column,
                ScanLines{s.reduced, step, std::min(scan_tile, s.inner - column)});
          }
        });
      },
      denormals<T>);
}

// Rows of several blocks. What comes before a block is made of fold.operator()<Arch>(offset, count)
// of each block before it by combine(before, of block), the first `none`; then each block is run by
// run.operator()<Arch>(offset of the first, count, before).
template <class T, class State, class Fold, class Combine, class Run>
void each_block(const ReduceShape& s, bool reverse, std::int64_t block, State none, Fold fold,
                Combine combine, Run run) {
  const std::int64_t n = s.reduced, blocks = divide_up(n, block);
  const Scratch<State> states(s.outer * blocks);
  // Blocks count from where the scan begins.
  const auto each = [&](auto body) {
    parallel_for(
        s.outer * blocks, 1,
        [&](std::int64_t item, std::int64_t) {
          const std::int64_t begin = item % blocks * block, count = std::min(block, n - begin);
          at_level([&]<class Arch>() {
            body.template operator()<Arch>(item / blocks * n, begin, count, states.data()[item]);
          });
        },
        denormals<T>);
  };
  each([&]<class Arch>(std::int64_t row, std::int64_t begin, std::int64_t count, State& state) {
    state = fold.template operator()<Arch>(row + (reverse ? n - begin - count : begin), count);
  });
  parallel_for(s.outer, std::max<std::int64_t>(1, sum_block / blocks),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t row = begin; row < end; ++row) {
                   State before = none;
                   for (std::int64_t k = row * blocks; k < (row + 1) * blocks; ++k) {
                     const State next = combine(before, states.data()[k]);
                     states.data()[k] = std::exchange(before, next);
                   }
                 }
               });
  each([&]<class Arch>(std::int64_t row, std::int64_t begin, std::int64_t count, State& before) {
    run.template operator()<Arch>(row + (reverse ? n - 1 - begin : begin), count, before);
  });
}

double log_of_sum(double a, double b) {
  if (std::isnan(a) || a == b) return a + (a == b ? std::log(2.0) : 0);
  return std::isnan(b) ? b : std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

}  // namespace

template <class T> void cumsum(const ReduceShape& s, bool reverse, const T* x, T* out) {
  if (s.inner == 1 && s.reduced > sum_block) {
    const std::int64_t step = reverse ? -1 : 1;
    each_block<T>(
        s, reverse, sum_block, RunningSum<T>{},
        [=]<class Arch>(std::int64_t at, std::int64_t count) {
          return sum_for_scan<Arch>(x + at, count);
        },
        [](RunningSum<T> before, const RunningSum<T>& sum) {
          before.add(sum.sum);
          before.lost += sum.lost;
          return before;
        },
        [=]<class Arch>(std::int64_t at, std::int64_t count, const RunningSum<T>& before) {
          cumsum_row<Arch>(x + at, count, step, before, out + at);
        });
    return;
  }
  each_lines<T>(s, reverse, sum_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    lines.columns == 1
        ? cumsum_row<Arch>(x + at, lines.length, lines.step, RunningSum<T>{}, out + at)
        : cumsum_columns<Arch>(lines, x + at, out + at);
  });
}

template <class T> void cumprod(const ReduceShape& s, const T* x, T* out) {
  each_lines<T>(s, false, sum_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    cumprod_lines<Arch>(lines, x + at, out + at);
  });
}

template <class T>
void recurrence(const ReduceShape& s, bool reverse, const T* a, const T* b, T* out) {
  each_lines<T>(s, reverse, sum_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    recurrence_lines<Arch>(lines, a + at + (reverse ? 0 : lines.step), b + at, out + at);
  });
}

template <class T> void logcumsumexp(const ReduceShape& s, const T* x, T* out) {
  if (s.inner == 1 && s.reduced > log_block) {
    each_block<T>(
        s, false, log_block, -std::numeric_limits<double>::infinity(),
        [=]<class Arch>(std::int64_t at, std::int64_t count) {
          return static_cast<double>(logsumexp_row<Arch>(x + at, count));
        },
        log_of_sum,
        [=]<class Arch>(std::int64_t at, std::int64_t count, double before) {
          logcumsumexp_row<Arch>(x + at, count, before, out + at);
        });
    return;
  }
  each_lines<T>(s, false, log_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    s.inner == 1 ? logcumsumexp_row<Arch>(x + at, lines.length,
                                          -std::numeric_limits<double>::infinity(), out + at)
                 : logcumsumexp_columns<Arch>(lines, x + at, out + at);
  });
}

template <class T> void cummax(const ReduceShape& s, const T* x, T* values, std::int64_t* places) {
  each_lines<T>(s, false, sum_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    extreme_lines<Arch, true>(lines, x + at, values + at, places + at);
  });
}
template <class T> void cummin(const ReduceShape& s, const T* x, T* values, std::int64_t* places) {
  each_lines<T>(s, false, sum_block, [=]<class Arch>(std::int64_t at, const ScanLines& lines) {
    extreme_lines<Arch, false>(lines, x + at, values + at, places + at);
  });
}

#define CADENA_INSTANTIATE(T)                                            \
  template void cumsum(const ReduceShape&, bool, const T*, T*);          \
  template void cumprod(const ReduceShape&, const T*, T*);               \
  template void cummax(const ReduceShape&, const T*, T*, std::int64_t*); \
  template void cummin(const ReduceShape&, const T*, T*, std::int64_t*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)
CADENA_INSTANTIATE(std::int64_t)
template void recurrence(const ReduceShape&, bool, const float*, const float*, float*);
template void recurrence(const ReduceShape&, bool, const double*, const double*, double*);
template void logcumsumexp(const ReduceShape&, const float*, float*);
template void logcumsumexp(const ReduceShape&, const double*, double*);

}  // namespace cadena::kernels
