#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/scan_kernels.hpp>

#include <limits>

namespace cadena::kernels {
namespace {

// One line, or several side by side.
struct One {
  static constexpr std::int64_t most = 1;
  constexpr operator std::int64_t() const { return 1; }
};
struct Several {
  static constexpr std::int64_t most = scan_tile;
  std::int64_t count;
  operator std::int64_t() const { return count; }
};

template <class T> CADENA_INLINE bool is_nan(T x) { return x != x; }

// Calls body(columns): a single line lives in registers.
template <class Body> CADENA_INLINE void for_columns(const ScanLines& lines, Body body) {
  if (lines.columns == 1) return body(One{});
  body(Several{lines.columns});
}

// Numbers on their way through a function of lanes.
template <class T, std::int64_t most> struct Buffer {
  alignas(64) T numbers[most] = {};

  template <class F> CADENA_INLINE void apply(std::int64_t n, F f) {
    using L = Lane<T, Arch>;
    static_assert(most % L::width == 0);
    for (std::int64_t i = 0; i < n; i += L::width) {
      f(L::load(numbers + i)).store(numbers + i);
    }
  }
};

// A sum of exponentials, each divided by e^top.
template <class T> struct RunningExp {
  T top = -std::numeric_limits<T>::infinity();
  RunningSum<T> sum;

  // What x changes: where it is the largest so far the sum shrinks by e^change and grows by 1, else
  // it grows by e^change. Equal infinities are 0 apart.
  CADENA_INLINE T change(T x) const {
    const T distance = x > top ? top - x : x - top;
    return x == top ? T(0) : distance;
  }
  CADENA_INLINE bool rise(T x) {
    const bool larger = x > top;
    top = larger || is_nan(x) ? x : top;
    return larger;
  }
  CADENA_INLINE void add(bool rises, double exponential) {
    const double factor = rises ? exponential : 1;
    sum.sum *= factor;
    sum.lost *= factor;
    sum.add(rises ? 1 : exponential);
  }
};

}  // namespace

template <class Arch, class T> RunningSum<T> sum_for_scan(const T* x, std::int64_t n) {
  constexpr std::int64_t width = 32;  // sums side by side, whatever the registers hold
  Total<T> sums[width] = {}, losses[width] = {};
  std::int64_t i = 0;
  for (; i + width <= n; i += width) {
    for (std::int64_t k = 0; k < width; ++k) {
      RunningSum<T> sum{sums[k], losses[k]};
      sum.add(static_cast<Total<T>>(x[i + k]));
      sums[k] = sum.sum;
      losses[k] = sum.lost;
    }
  }
  RunningSum<T> total;
  for (std::int64_t k = 0; k < width; ++k) {
    total.add(sums[k]);
    total.lost += losses[k];
  }
  for (; i < n; ++i) total.add(static_cast<Total<T>>(x[i]));
  return total;
}

template <class Arch, class T>
void cumsum_row(const T* x, std::int64_t n, std::int64_t step, RunningSum<T> sum, T* out) {
  const auto at = [&](std::int64_t i) { return static_cast<Total<T>>(x[i * step]); };
  std::int64_t i = 0;
  if constexpr (!std::is_same_v<T, double>) {
    // Four at a time: the next ones wait for one addition instead of four.
    for (; i + 4 <= n; i += 4) {
      const Total<T> first = at(i), second = first + at(i + 1), third = second + at(i + 2);
      const Total<T> fourth = second + (at(i + 2) + at(i + 3));
      out[i * step] = sum.value(first);
      out[(i + 1) * step] = sum.value(second);
      out[(i + 2) * step] = sum.value(third);
      sum.add(fourth);
      out[(i + 3) * step] = sum.value();
    }
  }
  for (; i < n; ++i) {
    sum.add(at(i));
    out[i * step] = sum.value();
  }
}

template <class Arch, class T> void cumsum_columns(const ScanLines& lines, const T* x, T* out) {
  Total<T> sums[scan_tile] = {}, losses[scan_tile] = {};
  for (std::int64_t r = 0; r < lines.length; ++r, x += lines.step, out += lines.step) {
    for (std::int64_t c = 0; c < lines.columns; ++c) {
      RunningSum<T> sum{sums[c], losses[c]};
      sum.add(static_cast<Total<T>>(x[c]));
      sums[c] = sum.sum;
      losses[c] = sum.lost;
      out[c] = sum.value();
    }
  }
}

template <class Arch, class T> void cumprod_lines(const ScanLines& lines, const T* x, T* out) {
  for_columns(lines, [=](auto columns) {
    Total<T> products[columns.most];
    for (std::int64_t c = 0; c < columns; ++c) products[c] = 1;
    const T* from = x;
    T* to = out;
    for (std::int64_t r = 0; r < lines.length; ++r, from += lines.step, to += lines.step) {
      for (std::int64_t c = 0; c < columns; ++c) {
        products[c] *= static_cast<Total<T>>(from[c]);
        to[c] = static_cast<T>(products[c]);
      }
    }
  });
}

template <class Arch, class T>
void recurrence_lines(const ScanLines& lines, const T* a, const T* b, T* s) {
  for_columns(lines, [=](auto columns) {
    double values[columns.most];
    for (std::int64_t c = 0; c < columns; ++c) s[c] = static_cast<T>(values[c] = b[c]);
    const T* factor = a;
    for (std::int64_t r = 1; r < lines.length; ++r, factor += lines.step) {
      const T* from = b + r * lines.step;
      T* to = s + r * lines.step;
      for (std::int64_t c = 0; c < columns; ++c) {
        values[c] = from[c] + factor[c] * values[c];
        to[c] = static_cast<T>(values[c]);
      }
    }
  });
}

template <class Arch, class T>
void logcumsumexp_row(const T* x, std::int64_t n, double before, T* out) {
  constexpr std::int64_t most = 256;
  Buffer<T, most> exponentials, logarithms;
  T tops[most];
  bool rises[most];
  RunningExp<T> running;
  if (before != -std::numeric_limits<double>::infinity()) {
    running.top = static_cast<T>(before);
    Buffer<double, scan_tile> rest;
    rest.numbers[0] = before == running.top ? 0 : before - running.top;
    rest.apply(1, [](Lane<double, Arch> v) { return exp(v); });
    running.sum.sum = rest.numbers[0];
  }
  for (std::int64_t begin = 0; begin < n; begin += most, x += most, out += most) {
    const std::int64_t count = n - begin < most ? n - begin : most;
    for (std::int64_t i = 0; i < count; ++i) {
      exponentials.numbers[i] = running.change(x[i]);
      rises[i] = running.rise(x[i]);
      tops[i] = running.top;
    }
    exponentials.apply(count, [](Lane<T, Arch> v) { return exp(v); });
    for (std::int64_t i = 0; i < count; ++i) {
      running.add(rises[i], exponentials.numbers[i]);
      logarithms.numbers[i] = running.sum.value();
    }
    logarithms.apply(count, [](Lane<T, Arch> v) { return log(v); });
    for (std::int64_t i = 0; i < count; ++i) out[i] = tops[i] + logarithms.numbers[i];
  }
}

template <class Arch, class T>
void logcumsumexp_columns(const ScanLines& lines, const T* x, T* out) {
  Buffer<T, scan_tile> exponentials, logarithms;
  bool rises[scan_tile];
  RunningExp<T> running[scan_tile];
  for (std::int64_t r = 0; r < lines.length; ++r, x += lines.step, out += lines.step) {
    for (std::int64_t c = 0; c < lines.columns; ++c) {
      exponentials.numbers[c] = running[c].change(x[c]);
      rises[c] = running[c].rise(x[c]);
    }
    exponentials.apply(lines.columns, [](Lane<T, Arch> v) { return exp(v); });
    for (std::int64_t c = 0; c < lines.columns; ++c) {
      running[c].add(rises[c], exponentials.numbers[c]);
      logarithms.numbers[c] = running[c].sum.value();
    }
    logarithms.apply(lines.columns, [](Lane<T, Arch> v) { return log(v); });
    for (std::int64_t c = 0; c < lines.columns; ++c) {
      out[c] = running[c].top + logarithms.numbers[c];
    }
  }
}

template <class Arch, bool largest, class T>
void extreme_lines(const ScanLines& lines, const T* x, T* values, std::int64_t* places) {
  for_columns(lines, [=](auto columns) {
    T best[columns.most];
    std::int64_t place[columns.most] = {};
    for (std::int64_t c = 0; c < columns; ++c) best[c] = x[c];
    for (std::int64_t r = 0; r < lines.length; ++r) {
      const std::int64_t at = r * lines.step;
      for (std::int64_t c = 0; c < columns; ++c) {
        const T value = x[at + c];
        // No comparison holds beside a NaN: it stays until the next one.
        const bool taken = is_nan(value) | (largest ? value >= best[c] : value <= best[c]);
        best[c] = taken ? value : best[c];
        place[c] = taken ? r : place[c];
        values[at + c] = best[c];
        places[at + c] = place[c];
      }
    }
  });
}

#define CADENA_INSTANTIATE(T)                                                              \
  template RunningSum<T> sum_for_scan<Arch>(const T*, std::int64_t);                       \
  template void cumsum_row<Arch>(const T*, std::int64_t, std::int64_t, RunningSum<T>, T*); \
  template void cumsum_columns<Arch>(const ScanLines&, const T*, T*);                      \
  template void cumprod_lines<Arch>(const ScanLines&, const T*, T*);                       \
  template void extreme_lines<Arch, true>(const ScanLines&, const T*, T*, std::int64_t*);  \
  template void extreme_lines<Arch, false>(const ScanLines&, const T*, T*, std::int64_t*);
#define CADENA_INSTANTIATE_FLOATING(T)                                            \
  CADENA_INSTANTIATE(T)                                                           \
  template void recurrence_lines<Arch>(const ScanLines&, const T*, const T*, T*); \
  template void logcumsumexp_row<Arch>(const T*, std::int64_t, double, T*);       \
  template void logcumsumexp_columns<Arch>(const ScanLines&, const T*, T*);
CADENA_INSTANTIATE_FLOATING(float)
CADENA_INSTANTIATE_FLOATING(double)
CADENA_INSTANTIATE(std::int64_t)

}  // namespace cadena::kernels
