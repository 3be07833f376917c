#pragma once

#include <cstdint>
#include <limits>
#include <type_traits>

#include <cadena/autograd/kernels/lane_core.hpp>

namespace cadena {

/// One answer per number of a Lane<std::int64_t, Arch>.
template <class Arch> class Mask<std::int64_t, Arch> {
 public:
  static constexpr int width = 8;

  Mask() = default;
  CADENA_INLINE explicit Mask(bool every) {
    for (bool& answer : answers_) answer = every;
  }
  static CADENA_INLINE Mask load(const bool* from) { return load_partial(from, width); }
  static CADENA_INLINE Mask load_partial(const bool* from, int n) {
    Mask m(false);
    for (int i = 0; i < n; ++i) m.answers_[i] = from[i];
    return m;
  }
  CADENA_INLINE void store(bool* to) const { store_partial(to, width); }
  CADENA_INLINE void store_partial(bool* to, int n) const {
    for (int i = 0; i < n; ++i) to[i] = answers_[i];
  }

  // The compiler quotes the line in its message.
  explicit operator bool() const = delete;  // no if or ?: on lanes: write where(mask, a, b)

  friend CADENA_INLINE Mask operator&(Mask a, Mask b) {
    for (int i = 0; i < width; ++i) a.answers_[i] = a.answers_[i] && b.answers_[i];
    return a;
  }
  friend CADENA_INLINE Mask operator|(Mask a, Mask b) {
    for (int i = 0; i < width; ++i) a.answers_[i] = a.answers_[i] || b.answers_[i];
    return a;
  }
  CADENA_INLINE Mask operator!() const {
    Mask m;
    for (int i = 0; i < width; ++i) m.answers_[i] = !answers_[i];
    return m;
  }
  CADENA_INLINE bool operator[](int i) const { return answers_[i]; }
  CADENA_INLINE bool& operator[](int i) { return answers_[i]; }
  friend CADENA_INLINE bool any(Mask m) {
    bool found = false;
    for (bool answer : m.answers_) found |= answer;
    return found;
  }
  friend CADENA_INLINE bool all(Mask m) { return !any(!m); }

  friend CADENA_INLINE Lane<std::int64_t, Arch> where(Mask m, Lane<std::int64_t, Arch> a,
                                                      Lane<std::int64_t, Arch> b) {
    return Lane<std::int64_t, Arch>::map(
        [&](int i) { return m.answers_[i] ? a.numbers()[i] : b.numbers()[i]; });
  }

 private:
  bool answers_[width];
};

/// Eight integers; the loops are for the compiler to vectorise. Sums and products wrap around,
/// a quotient is cut towards zero, and x / 0 is 0, as are the remainders of that.
template <class Arch> class Lane<std::int64_t, Arch> {
  using Int = std::int64_t;
  using Bits = std::uint64_t;  // unsigned arithmetic wraps, signed overflow is undefined

 public:
  using value_type = Int;
  using mask_type = Mask<Int, Arch>;
  static constexpr int width = 8;

  Lane() = default;
  /// Every number is n, cut towards zero.
  template <kernels::Arithmetic Number> CADENA_INLINE Lane(Number n) {
    for (Int& number : numbers_) number = static_cast<Int>(n);
  }
  template <class F> static CADENA_INLINE Lane map(F f) {
    Lane r;
    for (int i = 0; i < width; ++i) r.numbers_[i] = f(i);
    return r;
  }
  static CADENA_INLINE Lane load(const Int* from) {
    return map([&](int i) { return from[i]; });
  }
  static CADENA_INLINE Lane load_partial(const Int* from, int n) {
    return map([&](int i) { return i < n ? from[i] : 1; });
  }
  /// Eight bytes. In the compiler's vectors: g++ 12 drops numbers when it turns a loop of these
  /// into AVX-512.
  static CADENA_INLINE Lane load(const std::uint8_t* from) {
    typedef std::uint8_t Bytes __attribute__((vector_size(width)));
    typedef Int Numbers __attribute__((vector_size(width * sizeof(Int))));
    Bytes bytes;
    __builtin_memcpy(&bytes, from, sizeof bytes);
    const Numbers numbers = __builtin_convertvector(bytes, Numbers);
    Lane r;
    __builtin_memcpy(r.numbers_, &numbers, sizeof numbers);
    return r;
  }
  static CADENA_INLINE Lane load_partial(const std::uint8_t* from, int n) {
    std::uint8_t all[width];
    for (int i = 0; i < width; ++i) all[i] = i < n ? from[i] : 1;
    return load(all);
  }
  CADENA_INLINE void store(Int* to) const { store_partial(to, width); }
  CADENA_INLINE void store_partial(Int* to, int n) const {
    for (int i = 0; i < n; ++i) to[i] = numbers_[i];
  }
  CADENA_INLINE const Int* numbers() const { return numbers_; }

  friend CADENA_INLINE Lane operator+(Lane a, Lane b) {
    return map([&](int i) { return Int(Bits(a.numbers_[i]) + Bits(b.numbers_[i])); });
  }
  friend CADENA_INLINE Lane operator-(Lane a, Lane b) {
    return map([&](int i) { return Int(Bits(a.numbers_[i]) - Bits(b.numbers_[i])); });
  }
  friend CADENA_INLINE Lane operator*(Lane a, Lane b) {
    return map([&](int i) { return Int(Bits(a.numbers_[i]) * Bits(b.numbers_[i])); });
  }
  friend CADENA_INLINE Lane operator/(Lane a, Lane b) {
    return map([&](int i) {
      const Int n = a.numbers_[i], d = b.numbers_[i];
      if (d == 0) return Int(0);
      return d == -1 ? Int(-Bits(n)) : n / d;  // the smallest number over -1 traps
    });
  }
  CADENA_INLINE Lane operator-() const { return Lane(0) - *this; }
  CADENA_INLINE Lane operator+() const { return *this; }
  CADENA_INLINE Lane& operator+=(Lane b) { return *this = *this + b; }
  CADENA_INLINE Lane& operator-=(Lane b) { return *this = *this - b; }
  CADENA_INLINE Lane& operator*=(Lane b) { return *this = *this * b; }
  CADENA_INLINE Lane& operator/=(Lane b) { return *this = *this / b; }

  friend CADENA_INLINE mask_type operator<(const Lane& a, const Lane& b) {
    mask_type m;
    for (int i = 0; i < width; ++i) m[i] = a.numbers_[i] < b.numbers_[i];
    return m;
  }
  friend CADENA_INLINE mask_type operator==(const Lane& a, const Lane& b) {
    mask_type m;
    for (int i = 0; i < width; ++i) m[i] = a.numbers_[i] == b.numbers_[i];
    return m;
  }
  friend CADENA_INLINE mask_type operator>(const Lane& a, const Lane& b) { return b < a; }
  friend CADENA_INLINE mask_type operator<=(const Lane& a, const Lane& b) { return !(b < a); }
  friend CADENA_INLINE mask_type operator>=(const Lane& a, const Lane& b) { return !(a < b); }
  friend CADENA_INLINE mask_type operator!=(const Lane& a, const Lane& b) { return !(a == b); }

  friend CADENA_INLINE mask_type isnan(const Lane&) { return mask_type(false); }
  friend CADENA_INLINE Lane abs(Lane x) { return where(x < 0, -x, x); }
  friend CADENA_INLINE Lane floor(Lane x) { return x; }
  friend CADENA_INLINE Lane ceil(Lane x) { return x; }
  friend CADENA_INLINE Lane trunc(Lane x) { return x; }
  friend CADENA_INLINE Lane round(Lane x) { return x; }
  friend CADENA_INLINE Lane fmod(const Lane& x, const Lane& y) {
    return map([&](int i) {
      const Int d = y.numbers_[i];
      return d == 0 || d == -1 ? Int(0) : x.numbers_[i] % d;  // % -1 traps as / -1 does
    });
  }
  friend CADENA_INLINE Lane remainder(const Lane& x, const Lane& y) {
    const Lane rest = fmod(x, y);
    return map([&](int i) {
      const Int r = rest.numbers_[i], d = y.numbers_[i];
      return (r < 0 && d > 0) || (r > 0 && d < 0) ? r + d : r;
    });
  }
  friend CADENA_INLINE Lane square(Lane x) { return x * x; }
  friend CADENA_INLINE Lane sign(Lane x) { return where(x > 0, 1, where(x < 0, -1, 0)); }
  friend CADENA_INLINE Lane maximum(Lane x, Lane y) { return where(x > y, x, y); }
  friend CADENA_INLINE Lane minimum(Lane x, Lane y) { return where(x < y, x, y); }
  friend CADENA_INLINE Lane clamp(Lane x, Lane low, Lane high) {
    return minimum(maximum(x, low), high);
  }
  friend CADENA_INLINE Lane fma(Lane x, Lane y, Lane z) { return x * y + z; }
  friend CADENA_INLINE Lane full_like(Lane, Int n) { return Lane(n); }

 private:
  Int numbers_[width];
};

}  // namespace cadena
