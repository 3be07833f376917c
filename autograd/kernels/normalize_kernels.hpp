#pragma once

#include <cadena/autograd/kernels/normalize.hpp>

namespace cadena::kernels {

// One row of n >= 1 elements of each kernel of normalize.hpp, compiled once per architecture.

template <class Arch, class T>
RowMoments<T> row_moments(const T* x, std::int64_t n, Statistics statistics);

/// Σ g weight and Σ g weight x̂.
template <class T> struct GradientSums { T plain, product; };

// With a weight and a bias for each element.

template <class Arch, class T>
void normalize_row(const T* x, std::int64_t n, const RowMoments<T>& moments, const T* weight,
                   const T* bias, T* out);
/// Also adds g x̂ to dweight and g to dbias, unless both are null.
template <class Arch, class T>
GradientSums<T> gradient_sums(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                              const T* weight, T* dweight, T* dbias);
/// dx = scale (g weight - means.plain - x̂ means.product).
template <class Arch, class T>
void normalize_gradient_row(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                            const T* weight, const GradientSums<T>& means, T* dx);

// With one for the whole row.

template <class Arch, class T>
void normalize_part(const T* x, std::int64_t n, const RowMoments<T>& moments, T weight, T bias,
                    T* out);
template <class Arch, class T>
void normalize_gradient_part(const T* x, const T* g, std::int64_t n, const RowMoments<T>& moments,
                             T weight, const GradientSums<T>& means, T* dx);

// With moments too for each element: the row is one of [outer, channels, 1].

template <class Arch, class T>
void normalize_columns(const T* x, std::int64_t n, const ChannelMoments<T>& moments,
                       const T* weight, const T* bias, T* out);
/// Adds x - center to `sums` and its square to `squares`.
template <class Arch, class T>
void add_deviations(const T* x, std::int64_t n, const T* center, T* sums, T* squares);
/// Adds g x̂ to dweight and g to dbias.
template <class Arch, class T>
void add_column_sums(const T* x, const T* g, std::int64_t n, const ChannelMoments<T>& moments,
                     T* dweight, T* dbias);
template <class Arch, class T>
void normalize_gradient_columns(const T* x, const T* g, std::int64_t n,
                                const ChannelMoments<T>& moments, const T* weight, const T* plain,
                                const T* product, T* dx);

}  // namespace cadena::kernels
