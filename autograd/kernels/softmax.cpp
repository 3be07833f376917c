#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/softmax.hpp>
#include <cadena/autograd/kernels/softmax_kernels.hpp>

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace cadena::kernels {
namespace {

constexpr std::int64_t piece_elements = 16384;  // 10 to 20 µs of exp

// Calls body.operator()<Arch>(row) for each row.
template <class T, class Body> void each_row(const RowsShape& s, Body body) {
  parallel_for(
      s.rows, std::max<std::int64_t>(1, piece_elements / std::max<std::int64_t>(1, s.columns)),
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t r = begin; r < end; ++r) body.template operator()<Arch>(r);
        });
      },
      std::is_same_v<T, float> ? Denormals::flush : Denormals::keep);
}

// Calls row.operator()<Arch>(place, length) for each row when they are contiguous, otherwise
// columns.operator()<Arch>(place, tile) for tiles of columns.
template <class T, class Row, class Columns>
void each_along(const ReduceShape& s, Row row, Columns columns) {
  if (s.outer * s.reduced * s.inner == 0) return;
  if (s.inner == 1) {
    each_row<T>({s.outer, s.reduced}, [=]<class Arch>(std::int64_t r) {
      row.template operator()<Arch>(r * s.reduced, s.reduced);
    });
    return;
  }
  const std::int64_t tiles = (s.inner - 1) / softmax_tile + 1;
  const std::int64_t elements = s.reduced * std::min(s.inner, softmax_tile);
  parallel_for(
      s.outer * tiles, std::max<std::int64_t>(1, piece_elements / elements),
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t item = begin; item < end; ++item) {
            const std::int64_t column = item % tiles * softmax_tile;
            columns.template operator()<Arch>(
                item / tiles * s.reduced * s.inner + column,
                ColumnTile{s.reduced, s.inner, std::min(softmax_tile, s.inner - column)});
          }
        });
      },
      std::is_same_v<T, float> ? Denormals::flush : Denormals::keep);
}

}  // namespace

template <class T> void logsumexp(const RowsShape& s, const T* x, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    out[r] = logsumexp_row<Arch>(x + r * s.columns, s.columns);
  });
}

template <class T> void softmax(const ReduceShape& s, const T* x, T* out) {
  each_along<T>(
      s,
      [=]<class Arch>(std::int64_t at, std::int64_t n) { softmax_row<Arch>(x + at, n, out + at); },
      [=]<class Arch>(std::int64_t at, const ColumnTile& tile) {
        softmax_columns<Arch>(tile, x + at, out + at);
      });
}

template <class T> void log_softmax(const ReduceShape& s, const T* x, T* out) {
  each_along<T>(
      s,
      [=]<class Arch>(std::int64_t at, std::int64_t n) {
        log_softmax_row<Arch>(x + at, n, out + at);
      },
      [=]<class Arch>(std::int64_t at, const ColumnTile& tile) {
        log_softmax_columns<Arch>(tile, x + at, out + at);
      });
}

template <class T> void softmax_gradient(const ReduceShape& s, const T* y, const T* g, T* out) {
  each_along<T>(
      s,
      [=]<class Arch>(std::int64_t at, std::int64_t n) {
        softmax_gradient_row<Arch>(y + at, g + at, n, out + at);
      },
      [=]<class Arch>(std::int64_t at, const ColumnTile& tile) {
        softmax_gradient_columns<Arch>(tile, y + at, g + at, out + at);
      });
}

template <class T> void log_softmax_gradient(const ReduceShape& s, const T* y, const T* g, T* out) {
  each_along<T>(
      s,
      [=]<class Arch>(std::int64_t at, std::int64_t n) {
        log_softmax_gradient_row<Arch>(y + at, g + at, n, out + at);
      },
      [=]<class Arch>(std::int64_t at, const ColumnTile& tile) {
        log_softmax_gradient_columns<Arch>(tile, y + at, g + at, out + at);
      });
}

template <class T>
std::int64_t cross_entropy(const RowsShape& s, const T* x, const Labels& labels, T* loss,
                           RowSoftmax<T>* kept) {
  std::atomic<std::int64_t> first_bad{s.rows};
  each_row<T>(s, [=, &first_bad]<class Arch>(std::int64_t r) {
    const std::int64_t label = labels.values[r];
    if (label == labels.ignored) {
      loss[r] = 0;
      kept[r] = {};
      return;
    }
    loss[r] = cross_entropy_row<Arch>(x + r * s.columns, s.columns, label,
                                      static_cast<T>(labels.smoothing), kept + r);
    if (label >= 0 && label < s.columns) return;
    std::int64_t known = first_bad.load();
    while (r < known && !first_bad.compare_exchange_weak(known, r)) {
    }
  });
  return first_bad == s.rows ? -1 : first_bad.load();
}

template <class T>
void cross_entropy_gradient(const RowsShape& s, const T* x, const Labels& labels,
                            const RowSoftmax<T>* kept, const T* g, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.columns, label = labels.values[r];
    if (label == labels.ignored) {
      std::fill_n(out + at, s.columns, T(0));
      return;
    }
    cross_entropy_gradient_row<Arch>(x + at, s.columns, label, static_cast<T>(labels.smoothing),
                                     kept[r], g[r], out + at);
  });
}

#define CADENA_INSTANTIATE(T)                                                        \
  template void logsumexp(const RowsShape&, const T*, T*);                           \
  template void softmax(const ReduceShape&, const T*, T*);                           \
  template void log_softmax(const ReduceShape&, const T*, T*);                       \
  template void softmax_gradient(const ReduceShape&, const T*, const T*, T*);        \
  template void log_softmax_gradient(const ReduceShape&, const T*, const T*, T*);    \
  template std::int64_t cross_entropy(const RowsShape&, const T*, const Labels&, T*, \
                                      RowSoftmax<T>*);                               \
  template void cross_entropy_gradient(const RowsShape&, const T*, const Labels&,    \
                                       const RowSoftmax<T>*, const T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
