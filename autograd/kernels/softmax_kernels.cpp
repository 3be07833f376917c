#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/row_loops.hpp>
#include <cadena/autograd/kernels/softmax_kernels.hpp>

#include <limits>

namespace cadena::kernels {
namespace {

template <class T> using L = Lane<T, Arch>;

template <class T> CADENA_INLINE T largest(const T* x, std::int64_t n) {
  return reduce_row_of<Arch, Larger<T, Arch>, T>(
      n, [](L<T> v) { return v; }, x);
}

template <class T> CADENA_INLINE T sum_of_exp(const T* x, std::int64_t n, T shift) {
  const L<T> by(shift);
  return reduce_row_of<Arch, Plus<T, Arch>, T>(
      n, [&](L<T> v) { return exp(v - by); }, x);
}

template <class T> CADENA_INLINE T log_of(T x) {
  T numbers[L<T>::width];
  log(L<T>(x)).store(numbers);
  return numbers[0];
}

// One number a column of a tile.
template <class T> struct OfColumns {
  static_assert(softmax_tile <= column_tile && softmax_tile % L<T>::width == 0);
  alignas(64) T numbers[softmax_tile] = {};

  CADENA_INLINE L<T> at(std::int64_t column) const { return L<T>::load(numbers + column); }
  template <class F> CADENA_INLINE void apply(F f) {
    for (std::int64_t c = 0; c < softmax_tile; c += L<T>::width) f(at(c)).store(numbers + c);
  }
};

template <Reduction reduction, class T>
OfColumns<T> reduce_tile(const ColumnTile& tile, const T* x) {
  OfColumns<T> result;
  reduce_columns<Arch, reduction>(x, static_cast<const T*>(nullptr), tile.rows, tile.stride,
                                  tile.columns, column_block, result.numbers);
  return result;
}

// out = f(column, x, ...) for each element.
template <class T, class F, class... Inputs>
CADENA_INLINE void map_tile(const ColumnTile& tile, T* out, F f, const Inputs*... x) {
  for (std::int64_t r = 0; r < tile.rows; ++r) {
    each_lane<T, Arch>(tile.columns, [&](std::int64_t c, auto... m) {
      const std::int64_t i = r * tile.stride + c;
      store_at<Arch>(f(c, load_at<Arch>(x + i, m...)...), out + i, m...);
    });
  }
}

}  // namespace

template <class Arch, class T> void softmax_columns(const ColumnTile& tile, const T* x, T* out) {
  const OfColumns<T> maximum = reduce_tile<Reduction::maximum>(tile, x);
  map_tile(
      tile, out, [&](std::int64_t c, L<T> v) { return exp(v - maximum.at(c)); }, x);
  const T* exponentials = out;
  OfColumns<T> scale = reduce_tile<Reduction::sum>(tile, exponentials);
  scale.apply([](L<T> sum) { return L<T>(T(1)) / sum; });
  map_tile(
      tile, out, [&](std::int64_t c, L<T> v) { return v * scale.at(c); }, exponentials);
}

template <class Arch, class T>
void log_softmax_columns(const ColumnTile& tile, const T* x, T* out) {
  const OfColumns<T> maximum = reduce_tile<Reduction::maximum>(tile, x);
  map_tile(
      tile, out, [&](std::int64_t c, L<T> v) { return exp(v - maximum.at(c)); }, x);
  OfColumns<T> log_sum = reduce_tile<Reduction::sum>(tile, static_cast<const T*>(out));
  log_sum.apply([](L<T> sum) { return log(sum); });
  map_tile(
      tile, out, [&](std::int64_t c, L<T> v) { return (v - maximum.at(c)) - log_sum.at(c); }, x);
}

template <class Arch, class T>
void softmax_gradient_columns(const ColumnTile& tile, const T* y, const T* g, T* out) {
  map_tile(
      tile, out, [](std::int64_t, L<T> a, L<T> b) { return a * b; }, y, g);
  const OfColumns<T> mean = reduce_tile<Reduction::sum>(tile, static_cast<const T*>(out));
  map_tile(
      tile, out, [&](std::int64_t c, L<T> a, L<T> b) { return a * (b - mean.at(c)); }, y, g);
}

template <class Arch, class T>
void log_softmax_gradient_columns(const ColumnTile& tile, const T* y, const T* g, T* out) {
  const OfColumns<T> sum = reduce_tile<Reduction::sum>(tile, g);
  map_tile(
      tile, out, [&](std::int64_t c, L<T> a, L<T> b) { return b - exp(a) * sum.at(c); }, y, g);
}

template <class Arch, class T> T logsumexp_row(const T* x, std::int64_t n) {
  const T maximum = largest(x, n);
  // ∞ - ∞ has no value, but the sum of exponentials has.
  const bool infinite = maximum == std::numeric_limits<T>::infinity() ||
                        maximum == -std::numeric_limits<T>::infinity();
  const T shift = infinite ? T(0) : maximum;
  return shift + log_of(sum_of_exp(x, n, shift));
}

template <class Arch, class T> void softmax_row(const T* x, std::int64_t n, T* out) {
  const L<T> maximum(largest(x, n));
  map_row<Arch>(
      n, out, [&](L<T> v) { return exp(v - maximum); }, x);
  const T sum = reduce_row_of<Arch, Plus<T, Arch>, T>(
      n, [](L<T> v) { return v; }, out);
  const L<T> scale(T(1) / sum);
  map_row<Arch>(
      n, out, [&](L<T> v) { return v * scale; }, static_cast<const T*>(out));
}

template <class Arch, class T> void log_softmax_row(const T* x, std::int64_t n, T* out) {
  const T maximum = largest(x, n);
  const L<T> shift(maximum), log_sum(log_of(sum_of_exp(x, n, maximum)));
  map_row<Arch>(
      n, out, [&](L<T> v) { return (v - shift) - log_sum; }, x);
}

template <class Arch, class T>
void softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out) {
  const L<T> mean(reduce_row_of<Arch, Plus<T, Arch>, T>(
      n, [](L<T> a, L<T> b) { return a * b; }, y, g));
  map_row<Arch>(
      n, out, [&](L<T> a, L<T> b) { return a * (b - mean); }, y, g);
}

template <class Arch, class T>
void log_softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out) {
  const L<T> sum(reduce_row_of<Arch, Plus<T, Arch>, T>(
      n, [](L<T> v) { return v; }, g));
  map_row<Arch>(
      n, out, [&](L<T> a, L<T> b) { return b - exp(a) * sum; }, y, g);
}

template <class Arch, class T>
T cross_entropy_row(const T* x, std::int64_t n, std::int64_t label, T smoothing,
                    RowSoftmax<T>* kept) {
  const T maximum = largest(x, n), sum = sum_of_exp(x, n, maximum);
  *kept = {maximum, T(1) / sum};
  if (label < 0 || label >= n) return std::numeric_limits<T>::quiet_NaN();
  const T log_sum = log_of(sum), loss = log_sum - (x[label] - maximum);
  if (smoothing == 0) return loss;
  const L<T> shift(maximum), total(log_sum);
  const T all = reduce_row_of<Arch, Plus<T, Arch>, T>(
      n, [&](L<T> v) { return total - (v - shift); }, x);
  return (T(1) - smoothing) * loss + smoothing / static_cast<T>(n) * all;
}

template <class Arch, class T>
void cross_entropy_gradient_row(const T* x, std::int64_t n, std::int64_t label, T smoothing,
                                const RowSoftmax<T>& kept, T g, T* out) {
  const L<T> maximum(kept.maximum), scale(kept.scale * g), each(smoothing / static_cast<T>(n) * g);
  map_row<Arch>(
      n, out, [&](L<T> v) { return exp(v - maximum) * scale - each; }, x);
  out[label] -= (T(1) - smoothing) * g;
}

#define CADENA_INSTANTIATE(T)                                                                     \
  template T logsumexp_row<Arch, T>(const T*, std::int64_t);                                      \
  template void softmax_row<Arch, T>(const T*, std::int64_t, T*);                                 \
  template void log_softmax_row<Arch, T>(const T*, std::int64_t, T*);                             \
  template void softmax_gradient_row<Arch, T>(const T*, const T*, std::int64_t, T*);              \
  template void log_softmax_gradient_row<Arch, T>(const T*, const T*, std::int64_t, T*);          \
  template T cross_entropy_row<Arch, T>(const T*, std::int64_t, std::int64_t, T, RowSoftmax<T>*); \
  template void cross_entropy_gradient_row<Arch, T>(const T*, std::int64_t, std::int64_t, T,      \
                                                    const RowSoftmax<T>&, T, T*);                 \
  template void softmax_columns<Arch>(const ColumnTile&, const T*, T*);                           \
  template void log_softmax_columns<Arch>(const ColumnTile&, const T*, T*);                       \
  template void softmax_gradient_columns<Arch>(const ColumnTile&, const T*, const T*, T*);        \
  template void log_softmax_gradient_columns<Arch>(const ColumnTile&, const T*, const T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
