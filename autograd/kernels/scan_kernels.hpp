#pragma once

#include <cadena/autograd/kernels/wrap.hpp>

#include <cstdint>
#include <type_traits>

namespace cadena::kernels {

// The parts of scans that are compiled once per architecture; all run in the calling thread.

/// What sums and products of T are kept in: unsigned integers wrap around.
template <class T> using Total = std::conditional_t<std::is_integral_v<T>, std::uint64_t, double>;

/// A sum; for double with what its roundings have lost (Neumaier 1974).
template <class T> struct RunningSum {
  Total<T> sum = 0, lost = 0;

  CADENA_INLINE void add(Total<T> x) {
    const Total<T> next = sum + x;
    if constexpr (std::is_same_v<T, double>) {
      const double rounded = next - sum;
      const double error = (sum - (next - rounded)) + (x - rounded);
      lost += error - error == 0 ? error : 0;  // an infinite sum has lost nothing
    }
    sum = next;
  }
  CADENA_INLINE T value(Total<T> more = 0) const { return static_cast<T>(sum + (lost + more)); }
};

/// Neighbouring lines, at most scan_tile of them: the elements of each are `step` apart, below zero
/// towards the front.
struct ScanLines {
  std::int64_t length, step, columns;
};
inline constexpr std::int64_t scan_tile = 64;

/// The sum of n elements.
template <class Arch, class T> RunningSum<T> sum_for_scan(const T* x, std::int64_t n);

/// The sums along one line that goes on from `sum`.
template <class Arch, class T>
void cumsum_row(const T* x, std::int64_t n, std::int64_t step, RunningSum<T> sum, T* out);
template <class Arch, class T> void cumsum_columns(const ScanLines& lines, const T* x, T* out);

template <class Arch, class T> void cumprod_lines(const ScanLines& lines, const T* x, T* out);

/// `a` is the factor of the second element, `step` from that of the third.
template <class Arch, class T>
void recurrence_lines(const ScanLines& lines, const T* a, const T* b, T* s);

/// A contiguous row whose elements before have the logarithm `before`.
template <class Arch, class T>
void logcumsumexp_row(const T* x, std::int64_t n, double before, T* out);
template <class Arch, class T>
void logcumsumexp_columns(const ScanLines& lines, const T* x, T* out);

template <class Arch, bool largest, class T>
void extreme_lines(const ScanLines& lines, const T* x, T* values, std::int64_t* places);

}  // namespace cadena::kernels
