#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <cadena/autograd/kernels/arch.hpp>
#include <xsimd/xsimd.hpp>

namespace cadena {

template <class T, class Arch> class Lane;
template <class T, class Arch> class Mask;

namespace kernels {

template <class Number>
concept Arithmetic = std::is_arithmetic_v<Number>;

template <class Tag> struct SimdOf;
/// The registers of this translation unit; a tag of another one has none here.
template <> struct SimdOf<Arch> { using type = xsimd::default_arch; };
template <class Tag> using Simd = typename SimdOf<Tag>::type;

template <class F, class L, class... Lanes> L each(F f, L x, Lanes... others);
template <class T, class Arch>
Lane<T, Arch> mul_add(Lane<T, Arch> x, Lane<T, Arch> y, Lane<T, Arch> z);
template <class T, class Arch> Lane<T, Arch> power(Lane<T, Arch> x, Lane<T, Arch> y);
template <class T, class Arch> Lane<T, Arch> rest_of_trunc(Lane<T, Arch> x, Lane<T, Arch> y);
template <class T, class Arch> Lane<T, Arch> rest_of_floor(Lane<T, Arch> x, Lane<T, Arch> y);

}  // namespace kernels

/// One answer per number of a Lane<T, Arch>. It is not a bool: choose with where(mask, a, b).
template <class T, class Arch> class Mask {
 public:
  using Bits = xsimd::batch_bool<T, kernels::Simd<Arch>>;
  static constexpr int width = static_cast<int>(Bits::size);

  CADENA_INLINE explicit Mask(Bits bits) : bits_(bits) {}
  CADENA_INLINE explicit Mask(bool every) : bits_(every) {}
  static CADENA_INLINE Mask load(const bool* from) {
    // xsimd's own way has a jump for each answer. Here each number looks at a bit of its own in a
    // word of all answers.
    static constexpr Words own = own_bits();
    const Batch mine = Batch::load_unaligned(own.words);
    return Mask(xsimd::bool_cast((Batch(word_of(from)) & mine) == mine));
  }
  /// The first n answers from memory, the others false.
  static CADENA_INLINE Mask load_partial(const bool* from, int n) {
    bool all[width] = {};
    for (int i = 0; i < n; ++i) all[i] = from[i];
    return load(all);
  }
  CADENA_INLINE void store(bool* to) const { bits_.store_unaligned(to); }
  CADENA_INLINE void store_partial(bool* to, int n) const {
    bool all[width];
    store(all);
    for (int i = 0; i < n; ++i) to[i] = all[i];
  }
  CADENA_INLINE Bits bits() const { return bits_; }

  // The compiler quotes the line in its message.
  explicit operator bool() const = delete;  // no if or ?: on lanes: write where(mask, a, b)

  friend CADENA_INLINE Mask operator&(Mask a, Mask b) { return Mask(a.bits_ & b.bits_); }
  friend CADENA_INLINE Mask operator|(Mask a, Mask b) { return Mask(a.bits_ | b.bits_); }
  CADENA_INLINE Mask operator!() const { return Mask(!bits_); }
  friend CADENA_INLINE bool any(Mask m) { return xsimd::any(m.bits_); }
  friend CADENA_INLINE bool all(Mask m) { return xsimd::all(m.bits_); }

  /// a where the mask is true, b elsewhere; numbers are welcome for either.
  friend CADENA_INLINE Lane<T, Arch> where(Mask m, Lane<T, Arch> a, Lane<T, Arch> b) {
    return Lane<T, Arch>(xsimd::select(m.bits_, a.batch(), b.batch()));
  }

 private:
  using Word = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  using Batch = xsimd::batch<Word, kernels::Simd<Arch>>;
  struct Words {
    Word words[width];
  };
  static constexpr bool bytes_fit = width <= static_cast<int>(sizeof(Word));

  static constexpr Words own_bits() {
    Words own{};
    for (int i = 0; i < width; ++i) own.words[i] = Word(1) << (bytes_fit ? 8 * i : i);
    return own;
  }
  /// The answers as bytes if they fit, else as bits.
  static CADENA_INLINE Word word_of(const bool* from) {
    Word word = 0;
    if constexpr (bytes_fit) {
      __builtin_memcpy(&word, from, width);
    } else {
      for (int i = 0; i < width; i += 8) {
        std::uint64_t eight;
        __builtin_memcpy(&eight, from + i, sizeof eight);
        // The product has byte k at bit 56 + k.
        word |= static_cast<Word>(eight * 0x0102040810204080 >> 56) << i;
      }
    }
    return word;
  }

  Bits bits_;
};

/// `width` numbers of type float or double (std::int64_t: lane_integer.hpp).
template <class T, class Arch> class Lane {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);

 public:
  using value_type = T;
  using mask_type = Mask<T, Arch>;
  using Batch = xsimd::batch<T, kernels::Simd<Arch>>;
  static constexpr int width = static_cast<int>(Batch::size);

  Lane() = default;
  CADENA_INLINE explicit Lane(Batch batch) : batch_(batch) {}
  /// Every number is n.
  template <kernels::Arithmetic Number> CADENA_INLINE Lane(Number n) : batch_(static_cast<T>(n)) {}

  static CADENA_INLINE Lane load(const T* from) { return Lane(Batch::load_unaligned(from)); }
  /// The first n numbers from memory; the others are 1, which harms no function.
  static CADENA_INLINE Lane load_partial(const T* from, int n) {
#ifdef __AVX512F__  // the way through memory costs more than the rest of a short loop
    if constexpr (std::is_same_v<T, float> && width == 16) {
      return Lane(Batch(_mm512_mask_loadu_ps(_mm512_set1_ps(1), mask_of(n), from)));
    } else if constexpr (std::is_same_v<T, double> && width == 8) {
      return Lane(
          Batch(_mm512_mask_loadu_pd(_mm512_set1_pd(1), static_cast<__mmask8>(mask_of(n)), from)));
    }
#endif
    T all[width];
    for (int i = 0; i < width; ++i) all[i] = i < n ? from[i] : T(1);
    return load(all);
  }
  CADENA_INLINE void store(T* to) const { batch_.store_unaligned(to); }
  CADENA_INLINE void store_partial(T* to, int n) const {
#ifdef __AVX512F__
    if constexpr (std::is_same_v<T, float> && width == 16) {
      return _mm512_mask_storeu_ps(to, mask_of(n), batch_);
    } else if constexpr (std::is_same_v<T, double> && width == 8) {
      return _mm512_mask_storeu_pd(to, static_cast<__mmask8>(mask_of(n)), batch_);
    }
#endif
    T all[width];
    store(all);
    for (int i = 0; i < n; ++i) to[i] = all[i];
  }
  CADENA_INLINE Batch batch() const { return batch_; }

  friend CADENA_INLINE Lane operator+(Lane a, Lane b) { return Lane(a.batch_ + b.batch_); }
  friend CADENA_INLINE Lane operator-(Lane a, Lane b) { return Lane(a.batch_ - b.batch_); }
  friend CADENA_INLINE Lane operator*(Lane a, Lane b) { return Lane(a.batch_ * b.batch_); }
  friend CADENA_INLINE Lane operator/(Lane a, Lane b) { return Lane(a.batch_ / b.batch_); }
  // The sign bit is turned: 0 - x would lose the sign of zero.
  CADENA_INLINE Lane operator-() const { return Lane(batch_ ^ Batch(T(-0.0))); }
  CADENA_INLINE Lane operator+() const { return *this; }
  CADENA_INLINE Lane& operator+=(Lane b) { return *this = *this + b; }
  CADENA_INLINE Lane& operator-=(Lane b) { return *this = *this - b; }
  CADENA_INLINE Lane& operator*=(Lane b) { return *this = *this * b; }
  CADENA_INLINE Lane& operator/=(Lane b) { return *this = *this / b; }

  friend CADENA_INLINE mask_type operator<(Lane a, Lane b) {
    return mask_type(a.batch_ < b.batch_);
  }
  friend CADENA_INLINE mask_type operator<=(Lane a, Lane b) {
    return mask_type(a.batch_ <= b.batch_);
  }
  friend CADENA_INLINE mask_type operator>(Lane a, Lane b) {
    return mask_type(a.batch_ > b.batch_);
  }
  friend CADENA_INLINE mask_type operator>=(Lane a, Lane b) {
    return mask_type(a.batch_ >= b.batch_);
  }
  friend CADENA_INLINE mask_type operator==(Lane a, Lane b) {
    return mask_type(a.batch_ == b.batch_);
  }
  /// True for NaN; xsimd's own comparison is not, with AVX.
  friend CADENA_INLINE mask_type operator!=(Lane a, Lane b) { return !(a == b); }

  friend CADENA_INLINE mask_type isnan(Lane x) { return mask_type(xsimd::isnan(x.batch_)); }
  friend CADENA_INLINE Lane abs(Lane x) { return Lane(xsimd::abs(x.batch_)); }
  friend CADENA_INLINE Lane sqrt(Lane x) { return Lane(xsimd::sqrt(x.batch_)); }
  /// Of -0 it is -0, also where xsimd takes the way over integers.
  friend CADENA_INLINE Lane floor(Lane x) { return copysign(Lane(xsimd::floor(x.batch_)), x); }
  friend CADENA_INLINE Lane ceil(Lane x) { return copysign(Lane(xsimd::ceil(x.batch_)), x); }
  friend CADENA_INLINE Lane trunc(Lane x) { return copysign(Lane(xsimd::trunc(x.batch_)), x); }
  /// To the nearest integer, halves to the even one.
  friend CADENA_INLINE Lane round(Lane x) { return copysign(Lane(xsimd::nearbyint(x.batch_)), x); }
  friend CADENA_INLINE Lane square(Lane x) { return x * x; }
  friend CADENA_INLINE Lane reciprocal(Lane x) { return 1.0 / x; }
  friend CADENA_INLINE Lane rsqrt(Lane x) { return 1.0 / sqrt(x); }
  /// -1, 1, or x itself where it is zero or NaN.
  friend CADENA_INLINE Lane sign(Lane x) { return where(x > 0, 1, where(x < 0, -1, x)); }
  /// The size of x with the sign of y.
  friend CADENA_INLINE Lane copysign(Lane x, Lane y) {
    const Batch sign(T(-0.0));
    return Lane(xsimd::abs(x.batch_) | (y.batch_ & sign));
  }
  // The machine's max and min give the second operand, or NaN, when either is NaN: the first one
  // remains to be looked at.
  friend CADENA_INLINE Lane maximum(Lane x, Lane y) {
    return where(isnan(x), x, Lane(xsimd::max(x.batch_, y.batch_)));
  }
  friend CADENA_INLINE Lane minimum(Lane x, Lane y) {
    return where(isnan(x), x, Lane(xsimd::min(x.batch_, y.batch_)));
  }
  /// minimum(maximum(x, low), high); a NaN anywhere stays.
  friend CADENA_INLINE Lane clamp(Lane x, Lane low, Lane high) {
    return minimum(maximum(x, low), high);
  }
  /// x y + z, rounded once.
  friend CADENA_INLINE Lane fma(Lane x, Lane y, Lane z) {
    if constexpr (kernels::has_fma<Arch>) {
      return kernels::mul_add(x, y, z);
    } else {
      return kernels::each([](T a, T b, T c) { return std::fma(a, b, c); }, x, y, z);
    }
  }
  friend CADENA_INLINE Lane pow(Lane x, Lane y) { return kernels::power(x, y); }
  /// x - trunc(x / y) y without any rounding; 0 has the sign of x.
  friend CADENA_INLINE Lane fmod(Lane x, Lane y) { return kernels::rest_of_trunc(x, y); }
  /// x - floor(x / y) y, rounded once; 0 has the sign of y.
  friend CADENA_INLINE Lane remainder(Lane x, Lane y) { return kernels::rest_of_floor(x, y); }
  /// Every number is n; the same word makes a tensor of the shape of x.
  friend CADENA_INLINE Lane full_like(Lane, T n) { return Lane(n); }

 private:
#ifdef __AVX512F__
  /// The first n bits.
  static CADENA_INLINE __mmask16 mask_of(int n) {
    return static_cast<__mmask16>((1u << static_cast<unsigned>(n)) - 1);
  }
#endif
  Batch batch_;
};

namespace kernels {

/// f of each number by itself: slow, for what is rare.
template <class F, class L, class... Lanes> L each(F f, L x, Lanes... others) {
  constexpr int width = L::width;
  typename L::value_type in[1 + sizeof...(others)][width], out[width];
  int k = 0;
  x.store(in[k]);
  (others.store(in[++k]), ...);
  for (int i = 0; i < width; ++i) {
    if constexpr (sizeof...(others) == 0) out[i] = f(in[0][i]);
    if constexpr (sizeof...(others) == 1) out[i] = f(in[0][i], in[1][i]);
    if constexpr (sizeof...(others) == 2) out[i] = f(in[0][i], in[1][i], in[2][i]);
  }
  return L::load(out);
}

/// x y + z, rounded once where the machine does that at no cost, else twice.
template <class T, class Arch>
CADENA_INLINE Lane<T, Arch> mul_add(Lane<T, Arch> x, Lane<T, Arch> y, Lane<T, Arch> z) {
  using L = Lane<T, Arch>;
#ifdef __AVX512F__
  // xsimd 8.1 has no fused form for these registers.
  if constexpr (std::is_same_v<T, float>) {
    return L(_mm512_fmadd_ps(x.batch(), y.batch(), z.batch()));
  } else {
    return L(_mm512_fmadd_pd(x.batch(), y.batch(), z.batch()));
  }
#else
  if constexpr (has_fma<Arch>) {
    return L(xsimd::fma(x.batch(), y.batch(), z.batch()));
  } else {
    return x * y + z;
  }
#endif
}

}  // namespace kernels
}  // namespace cadena
