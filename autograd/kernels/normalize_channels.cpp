#include <cadena/autograd/kernels/normalize.hpp>
#include <cadena/autograd/kernels/normalize_cut.hpp>
#include <cadena/autograd/kernels/normalize_kernels.hpp>

#include <algorithm>
#include <cmath>

namespace cadena::kernels {

using namespace normalizing;

template <class T>
void channel_moments(const ChannelsShape& s, double epsilon, const T* x,
                     const ChannelMoments<T>& moments) {
  const T offset = static_cast<T>(epsilon), count = static_cast<T>(s.count());
  if (s.inner == 1) {
    sum({1, s.outer, s.channels}, x, moments.center);
    for (std::int64_t c = 0; c < s.channels; ++c) moments.center[c] /= count;
    sum_over_rows(s.outer, s.channels, s.channels, moments.rest, moments.variance,
                  [=]<class Arch>(std::int64_t r, T* sums, T* squares) {
                    add_deviations<Arch>(x + r * s.channels, s.channels, moments.center, sums,
                                         squares);
                  });
    for (std::int64_t c = 0; c < s.channels; ++c) {
      const T rest = moments.rest[c] / count;
      moments.rest[c] = rest;
      moments.variance[c] = std::max(moments.variance[c] / count - rest * rest, T(0));
      moments.scale[c] = T(1) / std::sqrt(moments.variance[c] + offset);
    }
    return;
  }
  // Moments of each row, then those of a channel's rows together (Chan, Golub, LeVeque 1979).
  const Scratch<RowMoments<T>> memory(s.outer * s.channels);
  RowMoments<T>* of_rows = memory.data();
  each<T>(s.outer * s.channels, s.inner, [=]<class Arch>(std::int64_t r) {
    of_rows[r] = row_moments<Arch>(x + r * s.inner, s.inner, {true, epsilon});
  });
  parallel_for(s.channels, grain_of(s.outer), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t c = begin; c < end; ++c) {
      const auto mean_of = [&](std::int64_t o) {
        const RowMoments<T>& row = of_rows[o * s.channels + c];
        return static_cast<double>(row.center) + static_cast<double>(row.rest);
      };
      const double rows = static_cast<double>(s.outer);
      double mean = 0, variance = 0;
      for (std::int64_t o = 0; o < s.outer; ++o) mean += mean_of(o) / rows;
      for (std::int64_t o = 0; o < s.outer; ++o) {
        const double away = mean_of(o) - mean;
        variance +=
            (static_cast<double>(of_rows[o * s.channels + c].variance) + away * away) / rows;
      }
      moments.center[c] = static_cast<T>(mean);
      moments.rest[c] = static_cast<T>(mean - static_cast<double>(moments.center[c]));
      moments.variance[c] = static_cast<T>(variance);
      moments.scale[c] = T(1) / std::sqrt(moments.variance[c] + offset);
    }
  });
}

namespace {

template <class T> RowMoments<T> of_channel(const ChannelMoments<T>& moments, std::int64_t c) {
  return {moments.center[c], moments.rest[c], moments.scale[c], moments.variance[c]};
}

}  // namespace

template <class T>
void normalize_channels(const ChannelsShape& s, const ChannelMoments<T>& moments, const T* x,
                        const T* weight, const T* bias, T* out) {
  if (s.inner == 1) {
    each<T>(s.outer, s.channels, [=]<class Arch>(std::int64_t r) {
      const std::int64_t at = r * s.channels;
      normalize_columns<Arch>(x + at, s.channels, moments, weight, bias, out + at);
    });
    return;
  }
  each<T>(s.outer * s.channels, s.inner, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.inner, c = r % s.channels;
    normalize_part<Arch>(x + at, s.inner, of_channel(moments, c), or_else(weight, c, T(1)),
                         or_else(bias, c, T(0)), out + at);
  });
}

template <class T>
void normalize_channels_gradient(const ChannelsShape& s, const ChannelMoments<T>& moments,
                                 const T* x, const T* g, const T* weight, T* dx, T* dweight,
                                 T* dbias) {
  if (s.inner == 1) {
    sum_over_rows(s.outer, s.channels, s.channels, dweight, dbias,
                  [=]<class Arch>(std::int64_t r, T* products, T* sums) {
                    const std::int64_t at = r * s.channels;
                    add_column_sums<Arch>(x + at, g + at, s.channels, moments, products, sums);
                  });
  } else {
    const std::int64_t rows = s.outer * s.channels;
    const Scratch<T> memory(2 * rows);
    T *products = memory.data(), *sums = products + rows;
    each<T>(rows, s.inner, [=]<class Arch>(std::int64_t r) {
      const std::int64_t at = r * s.inner;
      const GradientSums<T> both = gradient_sums<Arch>(
          x + at, g + at, s.inner, of_channel(moments, r % s.channels),
          static_cast<const T*>(nullptr), static_cast<T*>(nullptr), static_cast<T*>(nullptr));
      products[r] = both.product;
      sums[r] = both.plain;
    });
    const ReduceShape shape{1, s.outer, s.channels};
    sum(shape, static_cast<const T*>(products), dweight);
    sum(shape, static_cast<const T*>(sums), dbias);
  }
  const Scratch<T> memory(2 * s.channels);
  T *plain = memory.data(), *product = plain + s.channels;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const T factor = or_else(weight, c, T(1)) / static_cast<T>(s.count());
    plain[c] = dbias[c] * factor;
    product[c] = dweight[c] * factor;
  }
  if (s.inner == 1) {
    each<T>(s.outer, s.channels, [=]<class Arch>(std::int64_t r) {
      const std::int64_t at = r * s.channels;
      normalize_gradient_columns<Arch>(x + at, g + at, s.channels, moments, weight, plain, product,
                                       dx + at);
    });
    return;
  }
  each<T>(s.outer * s.channels, s.inner, [=]<class Arch>(std::int64_t r) {
    const std::int64_t at = r * s.inner, c = r % s.channels;
    normalize_gradient_part<Arch>(x + at, g + at, s.inner, of_channel(moments, c),
                                  or_else(weight, c, T(1)), {plain[c], product[c]}, dx + at);
  });
}

#define CADENA_INSTANTIATE(T)                                                                      \
  template void channel_moments(const ChannelsShape&, double, const T*, const ChannelMoments<T>&); \
  template void normalize_channels(const ChannelsShape&, const ChannelMoments<T>&, const T*,       \
                                   const T*, const T*, T*);                                        \
  template void normalize_channels_gradient(const ChannelsShape&, const ChannelMoments<T>&,        \
                                            const T*, const T*, const T*, T*, T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
