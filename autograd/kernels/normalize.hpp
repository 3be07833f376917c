#pragma once

#include <cstdint>

namespace cadena::kernels {

// T is float or double throughout. A null weight stands for 1, a null bias for 0. All orders of
// summation are fixed by the shape.

/// A contiguous array [outer, groups, channels, inner] of which each [channels, inner] is a row
/// with statistics of its own. Weight and bias are [groups, channels].
struct NormalizeShape {
  std::int64_t outer, groups, channels, inner;
  std::int64_t rows() const { return outer * groups; }
  std::int64_t columns() const { return channels * inner; }
  std::int64_t weights() const { return groups * channels; }
};

/// x̂ = (x - mean) / √(mean of (x - mean)² + epsilon), where `mean` is that of the row, or 0 unless
/// `centered`.
struct Statistics {
  bool centered;
  double epsilon;
};

/// x̂ = ((x - center) - rest) scale. center + rest is the mean, more exactly than one T could hold
/// it.
template <class T> struct RowMoments { T center, rest, scale, variance; };

/// out = x̂ weight + bias; `kept` has one element a row.
template <class T>
void normalize(const NormalizeShape& shape, Statistics statistics, const T* x, const T* weight,
               const T* bias, T* out, RowMoments<T>* kept);

/// From the gradient g of `normalize`, and what it kept, those of x, weight and bias: where dweight
/// is null, the first alone.
template <class T>
void normalize_gradient(const NormalizeShape& shape, bool centered, const RowMoments<T>* kept,
                        const T* x, const T* g, const T* weight, T* dx, T* dweight, T* dbias);

/// A contiguous array [outer, channels, inner] with statistics of each channel.
struct ChannelsShape {
  std::int64_t outer, channels, inner;
  std::int64_t count() const { return outer * inner; }  // elements of a channel
};

/// Four numbers a channel, an array each: x̂ = ((x - center) - rest) scale. center + rest is the
/// mean, more exactly than one T could hold it.
template <class T> struct ChannelMoments {
  T *center, *rest, *scale, *variance;
  /// In memory for 4 · channels numbers.
  ChannelMoments(T* memory, std::int64_t channels)
      : center(memory),
        rest(memory + channels),
        scale(memory + 2 * channels),
        variance(memory + 3 * channels) {}
};

/// The moments of each channel; scale = 1 / √(variance + epsilon), the variance divided by count().
template <class T>
void channel_moments(const ChannelsShape& shape, double epsilon, const T* x,
                     const ChannelMoments<T>& moments);

/// out = x̂ weight + bias.
template <class T>
void normalize_channels(const ChannelsShape& shape, const ChannelMoments<T>& moments, const T* x,
                        const T* weight, const T* bias, T* out);

/// From the gradient g of that, the moments being those of x, the gradients of x, weight and bias.
template <class T>
void normalize_channels_gradient(const ChannelsShape& shape, const ChannelMoments<T>& moments,
                                 const T* x, const T* g, const T* weight, T* dx, T* dweight,
                                 T* dbias);

}  // namespace cadena::kernels
