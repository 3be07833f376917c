#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/softmax.hpp>
#include <cadena/autograd/kernels/softmax_kernels.hpp>

#include <algorithm>
#include <atomic>
#include <type_traits>

namespace cadena::kernels {
namespace {

// Calls body.operator()<Arch>(row) for each row.
template <class T, class Body> void each_row(const RowsShape& s, Body body) {
  constexpr std::int64_t piece_elements = 16384;  // 10 to 20 µs of exp
  parallel_for(
      s.rows, std::max<std::int64_t>(1, piece_elements / std::max<std::int64_t>(1, s.columns)),
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t r = begin; r < end; ++r) body.template operator()<Arch>(r);
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

template <class T> void softmax(const RowsShape& s, const T* x, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    softmax_row<Arch>(x + r * s.columns, s.columns, out + r * s.columns);
  });
}

template <class T> void log_softmax(const RowsShape& s, const T* x, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    log_softmax_row<Arch>(x + r * s.columns, s.columns, out + r * s.columns);
  });
}

template <class T> void softmax_gradient(const RowsShape& s, const T* y, const T* g, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.columns;
    softmax_gradient_row<Arch>(y + at, g + at, s.columns, out + at);
  });
}

template <class T> void log_softmax_gradient(const RowsShape& s, const T* y, const T* g, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.columns;
    log_softmax_gradient_row<Arch>(y + at, g + at, s.columns, out + at);
  });
}

template <class T>
std::int64_t cross_entropy(const RowsShape& s, const T* x, const std::int64_t* labels, T* loss,
                           RowSoftmax<T>* kept) {
  std::atomic<std::int64_t> first_bad{s.rows};
  each_row<T>(s, [=, &first_bad]<class Arch>(std::int64_t r) {
    loss[r] = cross_entropy_row<Arch>(x + r * s.columns, s.columns, labels[r], kept + r);
    if (labels[r] >= 0 && labels[r] < s.columns) return;
    std::int64_t known = first_bad.load();
    while (r < known && !first_bad.compare_exchange_weak(known, r)) {
    }
  });
  return first_bad == s.rows ? -1 : first_bad.load();
}

template <class T>
void cross_entropy_gradient(const RowsShape& s, const T* x, const std::int64_t* labels,
                            const RowSoftmax<T>* kept, const T* g, bool one_g, T* out) {
  each_row<T>(s, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.columns;
    cross_entropy_gradient_row<Arch>(x + at, s.columns, labels[r], kept[r], g[one_g ? 0 : r],
                                     out + at);
  });
}

#define CADENA_INSTANTIATE(T)                                                              \
  template void logsumexp(const RowsShape&, const T*, T*);                                 \
  template void softmax(const RowsShape&, const T*, T*);                                   \
  template void log_softmax(const RowsShape&, const T*, T*);                               \
  template void softmax_gradient(const RowsShape&, const T*, const T*, T*);                \
  template void log_softmax_gradient(const RowsShape&, const T*, const T*, T*);            \
  template std::int64_t cross_entropy(const RowsShape&, const T*, const std::int64_t*, T*, \
                                      RowSoftmax<T>*);                                     \
  template void cross_entropy_gradient(const RowsShape&, const T*, const std::int64_t*,    \
                                       const RowSoftmax<T>*, const T*, bool, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
