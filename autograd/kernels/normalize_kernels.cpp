#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/kernels/normalize_kernels.hpp>
#include <cadena/autograd/kernels/row_loops.hpp>

#include <cmath>

namespace cadena::kernels {
namespace {

template <class T> using L = Lane<T, Arch>;

// A number for all elements of a row, or one for each.
template <class T> struct Same {
  L<T> value;
  template <class... M> CADENA_INLINE L<T> at(std::int64_t, M...) const { return value; }
};
template <class T> struct Each {
  const T* values;
  template <class... M> CADENA_INLINE L<T> at(std::int64_t i, M... m) const {
    return load_at<Arch>(values + i, m...);
  }
};

// x̂ of each element, by moments of either kind.
template <class T, template <class> class Of> struct Normalized {
  const T* x;
  Of<T> center, rest, scale;
  template <class... M> CADENA_INLINE L<T> at(std::int64_t i, M... m) const {
    return ((load_at<Arch>(x + i, m...) - center.at(i, m...)) - rest.at(i, m...)) *
           scale.at(i, m...);
  }
};

template <class T>
CADENA_INLINE Normalized<T, Same> normalized(const T* x, const RowMoments<T>& m) {
  return {x, {m.center}, {m.rest}, {m.scale}};
}
template <class T>
CADENA_INLINE Normalized<T, Each> normalized(const T* x, const ChannelMoments<T>& m) {
  return {x, {m.center}, {m.rest}, {m.scale}};
}

// out = x̂ weight + bias.
template <class T, class X, class Weight, class Bias>
CADENA_INLINE void scale_and_shift(std::int64_t n, X x, Weight weight, Bias bias, T* out) {
  each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
    store_at<Arch>(x.at(i, m...) * weight.at(i, m...) + bias.at(i, m...), out + i, m...);
  });
}

template <class T, class X>
CADENA_INLINE void scale_and_shift_each(std::int64_t n, X x, const T* weight, const T* bias,
                                        T* out) {
  const Same<T> one{L<T>(T(1))}, none{L<T>(T(0))};
  if (weight == nullptr) {
    scale_and_shift(n, x, one, none, out);
  } else if (bias == nullptr) {
    scale_and_shift(n, x, Each<T>{weight}, none, out);
  } else {
    scale_and_shift(n, x, Each<T>{weight}, Each<T>{bias}, out);
  }
}

// scale (g weight - plain - x̂ product).
template <class T, class X, class Weight, class Means, class... M>
CADENA_INLINE L<T> gradient_at(std::int64_t i, L<T> normal, L<T> g, const X& x, Weight weight,
                               Means plain, Means product, M... m) {
  return ((g * weight.at(i, m...) - plain.at(i, m...)) - normal * product.at(i, m...)) *
         x.scale.at(i, m...);
}

template <class T, class Weight, class Extra>
CADENA_INLINE GradientSums<T> sums_of(const T* x, const T* g, std::int64_t n,
                                      const RowMoments<T>& moments, Weight weight, Extra extra) {
  const auto normal = normalized(x, moments);
  const auto [plain, product] = sum_two<Arch, T>(
      [&](std::int64_t i, auto... m) CADENA_INLINE_LAMBDA {
        const L<T> gradient = load_at<Arch>(g + i, m...), value = normal.at(i, m...);
        extra(i, gradient, value, m...);
        const L<T> weighted = gradient * weight.at(i, m...);
        return TwoSums<L<T>>{weighted, weighted * value};
      },
      n);
  return {plain, product};
}

template <class T, class Weight>
CADENA_INLINE GradientSums<T> sums_of(const T* x, const T* g, std::int64_t n,
                                      const RowMoments<T>& moments, Weight weight, T* dweight,
                                      T* dbias) {
  if (dweight == nullptr) return sums_of(x, g, n, moments, weight, [](auto...) {});
  // Here and not where dx is stored: those stores wait for memory, and others behind them.
  return sums_of(x, g, n, moments, weight,
                 [=](std::int64_t i, L<T> gradient, L<T> value, auto... m) CADENA_INLINE_LAMBDA {
                   const L<T> of_weight = load_at<Arch>(dweight + i, m...) + gradient * value;
                   const L<T> of_bias = load_at<Arch>(dbias + i, m...) + gradient;
                   store_at<Arch>(of_weight, dweight + i, m...);
                   store_at<Arch>(of_bias, dbias + i, m...);
                 });
}

template <class T, class Weight>
CADENA_INLINE void gradient_row(const T* x, const T* g, std::int64_t n,
                                const RowMoments<T>& moments, Weight weight,
                                const GradientSums<T>& means, T* dx) {
  const auto normal = normalized(x, moments);
  const Same<T> plain{L<T>(means.plain)}, product{L<T>(means.product)};
  each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
    store_at<Arch>(gradient_at<T>(i, normal.at(i, m...), load_at<Arch>(g + i, m...), normal, weight,
                                  plain, product, m...),
                   dx + i, m...);
  });
}

}  // namespace

template <class Arch, class T>
RowMoments<T> row_moments(const T* x, std::int64_t n, Statistics statistics) {
  const T count = static_cast<T>(n);
  T center = 0;
  if (statistics.centered) {
    center = reduce_row_of<Arch, Plus<T, Arch>, T>(
                 n, [](L<T> v) { return v; }, x) /
             count;
  }
  // What the center lost to rounding, which large means feel, is made up for.
  const L<T> about(center);
  const auto [deviations, squares] = sum_two<Arch, T>(
      [&](std::int64_t i, auto... m) CADENA_INLINE_LAMBDA {
        const L<T> deviation = load_at<Arch>(x + i, m...) - about;
        return TwoSums<L<T>>{deviation, deviation * deviation};
      },
      n);
  const T rest = statistics.centered ? deviations / count : T(0);
  const T difference = squares / count - rest * rest;
  const T variance = difference < 0 ? T(0) : difference;  // NaN stays
  return {center, rest, T(1) / std::sqrt(variance + static_cast<T>(statistics.epsilon)), variance};
}

template <class Arch, class T>
void normalize_row(const T* x, std::int64_t n, const RowMoments<T>& moments, const T* weight,
                   const T* bias, T* out) {
  scale_and_shift_each(n, normalized(x, moments), weight, bias, out);
}

template <class Arch, class T>
GradientSums<T> gradient_sums(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                              const T* weight, T* dweight, T* dbias) {
  return weight == nullptr ? sums_of(x, g, n, moments, Same<T>{L<T>(T(1))}, dweight, dbias)
                           : sums_of(x, g, n, moments, Each<T>{weight}, dweight, dbias);
}

template <class Arch, class T>
void normalize_gradient_row(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                            const T* weight, const GradientSums<T>& means, T* dx) {
  if (weight == nullptr) {
    gradient_row(x, g, n, moments, Same<T>{L<T>(T(1))}, means, dx);
  } else {
    gradient_row(x, g, n, moments, Each<T>{weight}, means, dx);
  }
}

template <class Arch, class T>
void normalize_part(const T* x, std::int64_t n, const RowMoments<T>& moments, T weight, T bias,
                    T* out) {
  scale_and_shift(n, normalized(x, moments), Same<T>{weight}, Same<T>{bias}, out);
}

template <class Arch, class T>
void normalize_gradient_part(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                             T weight, const GradientSums<T>& means, T* dx) {
  gradient_row(x, g, n, moments, Same<T>{weight}, means, dx);
}

template <class Arch, class T>
void normalize_columns(const T* x, std::int64_t n, const ChannelMoments<T>& moments,
                       const T* weight, const T* bias, T* out) {
  scale_and_shift_each(n, normalized(x, moments), weight, bias, out);
}

template <class Arch, class T>
void add_deviations(const T* x, std::int64_t n, const T* center, T* sums, T* squares) {
  each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
    const L<T> deviation = load_at<Arch>(x + i, m...) - load_at<Arch>(center + i, m...);
    const L<T> sum = load_at<Arch>(sums + i, m...) + deviation;
    const L<T> square = load_at<Arch>(squares + i, m...) + deviation * deviation;
    store_at<Arch>(sum, sums + i, m...);
    store_at<Arch>(square, squares + i, m...);
  });
}

template <class Arch, class T>
void add_column_sums(const T* x, const T* g, std::int64_t n, const ChannelMoments<T>& moments,
                     T* dweight, T* dbias) {
  const auto normal = normalized(x, moments);
  each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
    const L<T> gradient = load_at<Arch>(g + i, m...);
    const L<T> of_weight = load_at<Arch>(dweight + i, m...) + gradient * normal.at(i, m...);
    const L<T> of_bias = load_at<Arch>(dbias + i, m...) + gradient;
    store_at<Arch>(of_weight, dweight + i, m...);
    store_at<Arch>(of_bias, dbias + i, m...);
  });
}

template <class Arch, class T>
void normalize_gradient_columns(const T* x, const T* g, std::int64_t n,
                                const ChannelMoments<T>& moments, const T* weight, const T* plain,
                                const T* product, T* dx) {
  const auto normal = normalized(x, moments);
  const auto loop = [&](auto factor) CADENA_INLINE_LAMBDA {
    each_lane<T, Arch>(n, [&](std::int64_t i, auto... m) {
      store_at<Arch>(gradient_at<T>(i, normal.at(i, m...), load_at<Arch>(g + i, m...), normal,
                                    factor, Each<T>{plain}, Each<T>{product}, m...),
                     dx + i, m...);
    });
  };
  if (weight == nullptr) {
    loop(Same<T>{L<T>(T(1))});
  } else {
    loop(Each<T>{weight});
  }
}

#define CADENA_INSTANTIATE(T)                                                                     \
  template RowMoments<T> row_moments<Arch, T>(const T*, std::int64_t, Statistics);                \
  template void normalize_row<Arch, T>(const T*, std::int64_t, const RowMoments<T>&, const T*,    \
                                       const T*, T*);                                             \
  template GradientSums<T> gradient_sums<Arch, T>(const T*, const T*, std::int64_t,               \
                                                  const RowMoments<T>&, const T*, T*, T*);        \
  template void normalize_gradient_row<Arch, T>(const T*, const T*, std::int64_t,                 \
                                                const RowMoments<T>&, const T*,                   \
                                                const GradientSums<T>&, T*);                      \
  template void normalize_part<Arch, T>(const T*, std::int64_t, const RowMoments<T>&, T, T, T*);  \
  template void normalize_gradient_part<Arch, T>(                                                 \
      const T*, const T*, std::int64_t, const RowMoments<T>&, T, const GradientSums<T>&, T*);     \
  template void normalize_columns<Arch, T>(const T*, std::int64_t, const ChannelMoments<T>&,      \
                                           const T*, const T*, T*);                               \
  template void add_deviations<Arch, T>(const T*, std::int64_t, const T*, T*, T*);                \
  template void add_column_sums<Arch, T>(const T*, const T*, std::int64_t,                        \
                                         const ChannelMoments<T>&, T*, T*);                       \
  template void normalize_gradient_columns<Arch, T>(const T*, const T*, std::int64_t,             \
                                                    const ChannelMoments<T>&, const T*, const T*, \
                                                    const T*, T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
