#include <cadena/autograd/kernels/normalize.hpp>
#include <cadena/autograd/kernels/normalize_cut.hpp>
#include <cadena/autograd/kernels/normalize_kernels.hpp>

#include <algorithm>

namespace cadena::kernels {

using namespace normalizing;

template <class T>
void normalize(const NormalizeShape& s, Statistics statistics, const T* x, const T* weight,
               const T* bias, T* out, RowMoments<T>* kept) {
  const std::int64_t n = s.columns();
  if (n == 0) {
    std::fill_n(kept, s.rows(), RowMoments<T>{});
    return;
  }
  each<T>(s.rows(), n, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * n, first = r % s.groups * s.channels;
    const RowMoments<T> moments = kept[r] = row_moments<Arch>(x + at, n, statistics);
    if (s.inner == 1) {
      normalize_row<Arch>(x + at, n, moments, weight == nullptr ? weight : weight + first,
                          bias == nullptr ? bias : bias + first, out + at);
      return;
    }
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const std::int64_t part = at + c * s.inner;
      normalize_part<Arch>(x + part, s.inner, moments, or_else(weight, first + c, T(1)),
                           or_else(bias, first + c, T(0)), out + part);
    }
  });
}

namespace {

// Rows whose weights are one an element. dweight and dbias may be null.
template <class T>
void gradient_of_rows(const NormalizeShape& s, bool centered, const RowMoments<T>* kept, const T* x,
                      const T* g, const T* weight, T* dx, T* dweight, T* dbias) {
  const std::int64_t n = s.columns();
  const auto row = [=]<class Arch>(std::int64_t r, T* to_weight, T* to_bias) {
    const std::int64_t at = r * n, first = r % s.groups * n;
    const T* factors = weight == nullptr ? weight : weight + first;
    const RowMoments<T>& moments = kept[r];
    GradientSums<T> means = gradient_sums<Arch>(x + at, g + at, n, moments, factors,
                                                to_weight == nullptr ? nullptr : to_weight + first,
                                                to_bias == nullptr ? nullptr : to_bias + first);
    means = {centered ? means.plain / static_cast<T>(n) : T(0), means.product / static_cast<T>(n)};
    normalize_gradient_row<Arch>(x + at, g + at, n, moments, factors, means, dx + at);
  };
  if (dweight == nullptr) {
    each<T>(s.rows(), n, [=]<class Arch>(std::int64_t r) {
      row.template operator()<Arch>(r, static_cast<T*>(nullptr), static_cast<T*>(nullptr));
    });
  } else {
    sum_over_rows(s.rows(), n, s.weights(), dweight, dbias, row);
  }
}

// Rows of channels, which have one weight each.
template <class T>
void gradient_of_channels(const NormalizeShape& s, bool centered, const RowMoments<T>* kept,
                          const T* x, const T* g, const T* weight, T* dx, T* dweight, T* dbias) {
  const std::int64_t n = s.columns(), channels = s.rows() * s.channels;
  const Scratch<T> memory(2 * channels);
  T *products = memory.data(), *sums = products + channels;
  each<T>(s.rows(), n, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * n, first = r % s.groups * s.channels;
    const RowMoments<T>& moments = kept[r];
    GradientSums<T> means{0, 0};
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const std::int64_t part = at + c * s.inner;
      const GradientSums<T> of_channel =
          gradient_sums<Arch>(x + part, g + part, s.inner, moments, static_cast<const T*>(nullptr),
                              static_cast<T*>(nullptr), static_cast<T*>(nullptr));
      const T factor = or_else(weight, first + c, T(1)) / static_cast<T>(n);
      means.plain += of_channel.plain * factor;
      means.product += of_channel.product * factor;
      products[r * s.channels + c] = of_channel.product;
      sums[r * s.channels + c] = of_channel.plain;
    }
    if (!centered) means.plain = 0;
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const std::int64_t part = at + c * s.inner;
      normalize_gradient_part<Arch>(x + part, g + part, s.inner, moments,
                                    or_else(weight, first + c, T(1)), means, dx + part);
    }
  });
  const ReduceShape shape{1, s.outer, s.weights()};
  if (dweight != nullptr) sum(shape, static_cast<const T*>(products), dweight);
  if (dbias != nullptr) sum(shape, static_cast<const T*>(sums), dbias);
}

}  // namespace

template <class T>
void normalize_gradient(const NormalizeShape& s, bool centered, const RowMoments<T>* kept,
                        const T* x, const T* g, const T* weight, T* dx, T* dweight, T* dbias) {
  if (s.columns() == 0) {
    if (dweight != nullptr) std::fill_n(dweight, s.weights(), T(0));
    if (dbias != nullptr) std::fill_n(dbias, s.weights(), T(0));
  } else if (s.inner == 1) {
    gradient_of_rows(s, centered, kept, x, g, weight, dx, dweight, dbias);
  } else {
    gradient_of_channels(s, centered, kept, x, g, weight, dx, dweight, dbias);
  }
}

#define CADENA_INSTANTIATE(T)                                                                   \
  template void normalize(const NormalizeShape&, Statistics, const T*, const T*, const T*, T*,  \
                          RowMoments<T>*);                                                      \
  template void normalize_gradient(const NormalizeShape&, bool, const RowMoments<T>*, const T*, \
                                   const T*, const T*, T*, T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
