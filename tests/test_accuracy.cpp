// The worst error of each function of a Lane, in units in the last place (ulp), over ranges, random
// bit patterns and special values, against long double. The table is printed; 4 ulp is the limit.
// May be compiled for each architecture (CADENA_KERNEL_PASS); CADENA_ACCURACY_POINTS sets how many
// points each range has.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include <cadena/autograd/kernels/lane.hpp>
#include <cadena/autograd/ops/list.hpp>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

#include "test.hpp"

namespace {

using namespace cadena;
using kernels::Arch;
using Real = long double;

enum class Spread { linear, logarithmic, bits };

struct Range {
  double low = 0, high = 0;
  Spread spread = Spread::linear;
};

constexpr Range every_bit_pattern{0, 0, Spread::bits};

int points() {
  const char* text = std::getenv("CADENA_ACCURACY_POINTS");
  return text ? std::atoi(text) : 40000;
}

template <class T> T draw(Range range, std::mt19937_64& engine) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  if (range.spread == Spread::bits) return std::bit_cast<T>(static_cast<Bits>(engine()));
  const double u = double(engine() >> 11) * 0x1p-53;
  if (range.spread == Spread::linear) return T(range.low + u * (range.high - range.low));
  return T(range.low * std::pow(range.high / range.low, u));
}

template <class T> std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> values;
  for (T v : {T(0),
              Limits::denorm_min(),
              Limits::min() / 2,
              Limits::min(),
              T(1e-30),
              T(1e-8),
              T(0.5),
              T(1),
              std::nextafter(T(1), T(0)),
              std::nextafter(T(1), T(2)),
              T(1.5),
              T(2),
              T(3),
              T(10),
              T(88.722),
              T(88.723),
              T(103.97),
              T(709.78),
              T(709.79),
              T(745.13),
              T(1e5),
              T(16777216),
              T(2147483648.0),
              T(1e10),
              T(9007199254740993.0),
              T(1e30),
              Limits::max(),
              Limits::infinity(),
              Limits::quiet_NaN()}) {
    values.push_back(v);
    values.push_back(-v);
  }
  return values;
}

/// Distance of `got` from `exact` in ulp of T; infinite where one is NaN or infinite, or a zero has
/// the wrong sign. A subnormal float may be 0. With a `scale` larger than the result an ulp is one
/// of that.
template <class T> double ulp_error(T got, Real exact, Real scale = 0) {
  constexpr double wrong = std::numeric_limits<double>::infinity();
  using Limits = std::numeric_limits<T>;
  if (std::isnan(exact)) return std::isnan(got) ? 0 : wrong;
  const T rounded = T(exact);
  if (got == rounded) return got == 0 && std::signbit(got) != std::signbit(rounded) ? wrong : 0;
  if (!std::isfinite(got) || !std::isfinite(rounded)) {
    // Next to the largest number an infinity may be the rounding.
    return std::isinf(got) && std::isfinite(rounded) && std::abs(rounded) == Limits::max() ? 1
                                                                                           : wrong;
  }
  if (sizeof(T) == 4 && got == 0 && std::abs(exact) < Limits::min()) return 0;
  int exponent;  // 2^(exponent - 1) <= |rounded| < 2^exponent
  std::frexp(std::max(std::abs(rounded), T(scale)), &exponent);
  const int digits = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return double(std::ldexp(std::abs(Real(got) - exact), -digits));
}

/// Kernels of float32 run with flush-to-zero.
struct FlushToZero {
#ifdef __SSE2__
  explicit FlushToZero(bool on) {
    if (on) _mm_setcsr(saved | 0x8000);
  }
  ~FlushToZero() { _mm_setcsr(saved); }
  unsigned saved = _mm_getcsr();
#else
  explicit FlushToZero(bool) {}
#endif
};

struct Worst {
  double ulp = 0;
  double x = 0, y = 0;
};

/// The references of most functions have no scale beside them.
struct NoScale {
  Real operator()(auto...) const { return 0; }
};

template <class T, class F, class Reference, class Scale, std::size_t... k>
void look_at(Worst& worst, F f, Reference reference, Scale scale,
             const std::vector<T> (&in)[sizeof...(k)], bool flush, std::index_sequence<k...>) {
  using L = Lane<T, Arch>;
  T out[L::width];
  const int n = int(in[0].size());
  for (int i = 0; i < n; i += L::width) {
    const int count = std::min(L::width, n - i);
    {
      FlushToZero guard(flush);
      f(L::load_partial(in[k].data() + i, count)...).store_partial(out, count);
    }
    for (int j = 0; j < count; ++j) {
      const std::size_t at = static_cast<std::size_t>(i) + static_cast<std::size_t>(j);
      const double ulp =
          ulp_error(out[j], reference(Real(in[k][at])...), scale(Real(in[k][at])...));
      if (ulp > worst.ulp) {
        worst = {ulp, in[0][at], in[sizeof...(k) - 1][at]};
      }
    }
  }
}

template <class T> constexpr const char* type_name = sizeof(T) == 4 ? "float32" : "float64";

void report(const char* name, const char* type, int arguments, const Worst& worst) {
  std::printf("%-10s %s %9.3f ulp at %.9g", name, type, worst.ulp, worst.x);
  if (arguments == 2) std::printf(", %.9g", worst.y);
  std::puts("");
  INFO(name << " " << type << ": " << worst.ulp << " ulp at " << worst.x << ", " << worst.y);
  CHECK(worst.ulp <= 4);
}

template <class T, class F, class Reference, class Scale = NoScale>
void worst_ulp(const char* name, F f, Reference reference, std::vector<Range> ranges,
               Scale scale = {}) {
  Worst worst;
  ranges.push_back(every_bit_pattern);
  std::mt19937_64 engine(1);
  for (bool flush : {false, true}) {
    if (flush && sizeof(T) == 8) continue;
    for (Range range : ranges) {
      std::vector<T> in[1];
      for (int i = 0; i < points(); ++i) in[0].push_back(draw<T>(range, engine));
      look_at<T>(worst, f, reference, scale, in, flush, std::index_sequence<0>{});
    }
    std::vector<T> in[1] = {special_values<T>()};
    look_at<T>(worst, f, reference, scale, in, flush, std::index_sequence<0>{});
  }
  report(name, type_name<T>, 1, worst);
}

template <class T, class F, class Reference>
void worst_ulp_of_two(const char* name, F f, Reference reference,
                      std::vector<std::pair<Range, Range>> ranges) {
  Worst worst;
  ranges.emplace_back(every_bit_pattern, every_bit_pattern);
  std::mt19937_64 engine(1);
  const auto two = std::index_sequence<0, 1>{};
  for (bool flush : {false, true}) {
    if (flush && sizeof(T) == 8) continue;
    for (auto [first, second] : ranges) {
      std::vector<T> in[2];
      for (int i = 0; i < points(); ++i) {
        in[0].push_back(draw<T>(first, engine));
        in[1].push_back(draw<T>(second, engine));
      }
      look_at<T>(worst, f, reference, NoScale{}, in, flush, two);
    }
    std::vector<T> in[2];
    for (T x : special_values<T>()) {
      for (T y : special_values<T>()) {
        in[0].push_back(x);
        in[1].push_back(y);
      }
    }
    look_at<T>(worst, f, reference, NoScale{}, in, flush, two);
  }
  report(name, type_name<T>, 2, worst);
}

template <class T> void table() {
  constexpr Spread log_spread = Spread::logarithmic;
  const Range small{1e-12, 0.1, log_spread}, minus_small{-1e-12, -0.1, log_spread};
  worst_ulp<T>(
      "exp", [](auto x) { return exp(x); }, [](Real x) { return std::exp(x); },
      {{-87, 88}, {-104, -87}, {88, 89}, {-709, 709}, {-746, -708}, {709, 710}, {-1, 1}});
  worst_ulp<T>(
      "expm1", [](auto x) { return expm1(x); }, [](Real x) { return std::expm1(x); },
      {{-5, 5}, {-1, 1}, small, minus_small, {-40, 0}, {0, 89}, {0, 710}});
  worst_ulp<T>(
      "log", [](auto x) { return log(x); }, [](Real x) { return std::log(x); },
      {{0.5, 2},
       {0.9, 1.1},
       {1e-37, 1e37, log_spread},
       {1e-45, 1e-37, log_spread},
       {1e-323, 1e-300, log_spread},
       {0, 1000}});
  worst_ulp<T>(
      "log1p", [](auto x) { return log1p(x); }, [](Real x) { return std::log1p(x); },
      {{-1, 1}, {-0.9, 10}, small, minus_small, {1, 1e30, log_spread}});
  const std::vector<Range> angles{
      {-1, 1}, {-10, 10},  {-1000, 1000}, {1e3, 1e6, log_spread}, {-1e12, -1e6, log_spread},
      small,   minus_small};
  worst_ulp<T>(
      "sin", [](auto x) { return sin(x); }, [](Real x) { return std::sin(x); }, angles);
  worst_ulp<T>(
      "cos", [](auto x) { return cos(x); }, [](Real x) { return std::cos(x); }, angles);
  worst_ulp<T>(
      "tanh", [](auto x) { return tanh(x); }, [](Real x) { return std::tanh(x); },
      {{-1, 1}, {-10, 10}, {-25, 25}, small, minus_small});
  worst_ulp<T>(
      "erf", [](auto x) { return erf(x); }, [](Real x) { return std::erf(x); },
      {{-1, 1}, {-4, 4}, {-7, 7}, small, minus_small});
  worst_ulp<T>(
      "erfc", [](auto x) { return erfc(x); }, [](Real x) { return std::erfc(x); },
      {{-1, 1}, {-7, 0}, {0, 11}, {0, 28}, {26, 27.3}, small, minus_small});
  worst_ulp<T>("normal_cdf", [](auto x) { return normal_cdf(x); }, reference_normal_cdf,
               {{-1, 1}, {0, 9}, {-15, 0}, {-39, 0}, {-38.5, -37.5}, small, minus_small});
  worst_ulp<T>(
      "gelu", [](auto x) { return gelu(x); },
      [](Real x) { return std::isinf(x) && x < 0 ? Real(-0.0) : x * reference_normal_cdf(x); },
      {{-1, 1}, {0, 9}, {-15, 0}, {-39, 0}, {-38.5, -37.5}, small, minus_small});
  worst_ulp<T>(
      "silu", [](auto x) { return silu(x); },
      [](Real x) { return std::isinf(x) && x < 0 ? Real(-0.0) : x / (1 + std::exp(-x)); },
      {{-10, 10}, {-92, -80}, {-115, 90}, {-752, -700}, {-760, 750}, small, minus_small});
  worst_ulp<T>(
      "sigmoid", [](auto x) { return sigmoid(x); }, [](Real x) { return 1 / (1 + std::exp(-x)); },
      {{-10, 10}, {-90, 90}, {-104, -86}, {-750, 750}, {-746, -700}, small, minus_small});
  worst_ulp<T>(
      "softplus", [](auto x) { return softplus(x); },
      [](Real x) { return x > 100 ? x + std::exp(-x) : std::log1p(std::exp(x)); },
      {{-10, 10}, {-90, 90}, {-104, -86}, {-750, 750}, {-746, -700}, small, minus_small});
  worst_ulp<T>("mish", [](auto x) { return mish(x); }, reference_mish,
               {{-10, 10}, {-92, -80}, {-115, 90}, {-752, -700}, {-760, 750}, small, minus_small});
  worst_ulp<T>(
      "sqrt", [](auto x) { return sqrt(x); }, [](Real x) { return std::sqrt(x); }, {{0, 100}});
  worst_ulp<T>(
      "rsqrt", [](auto x) { return rsqrt(x); }, [](Real x) { return 1 / std::sqrt(x); },
      {{0, 100}});
  worst_ulp<T>(
      "reciprocal", [](auto x) { return reciprocal(x); }, [](Real x) { return 1 / x; },
      {{-100, 100}});
  worst_ulp<T>(
      "square", [](auto x) { return square(x); }, [](Real x) { return x * x; }, {{-100, 100}});
  worst_ulp<T>(
      "abs", [](auto x) { return abs(x); }, [](Real x) { return std::abs(x); }, {});
  worst_ulp<T>(
      "floor", [](auto x) { return floor(x); }, [](Real x) { return std::floor(x); },
      {{-100, 100}, {-1, 1}, {1e6, 1e18, log_spread}});
  const std::vector<Range> fractions{{-100, 100}, {-1, 1}, {1e6, 1e18, log_spread}};
  worst_ulp<T>(
      "ceil", [](auto x) { return ceil(x); }, [](Real x) { return std::ceil(x); }, fractions);
  worst_ulp<T>(
      "trunc", [](auto x) { return trunc(x); }, [](Real x) { return std::trunc(x); }, fractions);
  worst_ulp<T>(
      "round", [](auto x) { return round(x); }, [](Real x) { return std::nearbyint(x); },
      fractions);
  worst_ulp<T>(
      "sign", [](auto x) { return sign(x); },
      [](Real x) { return x > 0   ? Real(1)
                          : x < 0 ? Real(-1)
                                  : x; }, {});
  worst_ulp_of_two<T>(
      "pow", [](auto x, auto y) { return pow(x, y); },
      [](Real x, Real y) { return std::pow(x, y); },
      {{{1e-3, 1e3, log_spread}, {-10, 10}},
       {{1e-30, 1e30, log_spread}, {-4, 4}},
       {{0.5, 2}, {-100, 100}},
       {{0.5, 2}, {-1070, 1070}},
       {{0.999, 1.001}, {-1e5, 1e5}},
       {{0.9999999, 1.0000001}, {-1e9, 1e9}},
       {{1e-40, 1e-30, log_spread}, {-2, 2}},
       {{1e-320, 1e-300, log_spread}, {-2, 2}},
       {every_bit_pattern, {-3, 3}},
       {{1, 10}, every_bit_pattern}});
  const std::vector<std::pair<Range, Range>> divisions{
      {{-100, 100}, {-10, 10}}, {{1, 1e9, log_spread}, {0.1, 1}}, {every_bit_pattern, {-3, 3}}};
  worst_ulp_of_two<T>(
      "fmod", [](auto x, auto y) { return fmod(x, y); },
      [](Real x, Real y) { return std::fmod(x, y); }, divisions);
  worst_ulp_of_two<T>(
      "remainder", [](auto x, auto y) { return remainder(x, y); },
      [](Real x, Real y) {
        const Real rest = std::fmod(x, y);
        const bool apart = rest != 0 && (rest < 0) != (y < 0);
        return rest == 0 ? std::copysign(rest, y) : apart ? rest + y : rest;
      },
      divisions);
  worst_ulp_of_two<T>(
      "copysign", [](auto x, auto y) { return copysign(x, y); },
      [](Real x, Real y) { return std::copysign(x, y); }, {});
}

/// Powers of two, trigonometric and hyperbolic functions.
template <class T> void table_of_functions() {
  constexpr Spread log_spread = Spread::logarithmic;
  const Range small{1e-12, 0.1, log_spread}, minus_small{-1e-12, -0.1, log_spread};
  worst_ulp<T>(
      "exp2", [](auto x) { return exp2(x); }, [](Real x) { return std::exp2(x); },
      {{-1, 1}, {-126, 128}, {-150, -126}, {127, 129}, {-1076, -1020}, {-1022, 1025}});
  worst_ulp<T>(
      "log2", [](auto x) { return log2(x); }, [](Real x) { return std::log2(x); },
      {{0.5, 2},
       {0.9, 1.1},
       {1e-37, 1e37, log_spread},
       {1e-45, 1e-37, log_spread},
       {1e-323, 1e-300, log_spread},
       {0, 1000}});
  worst_ulp<T>(
      "tan", [](auto x) { return tan(x); }, [](Real x) { return std::tan(x); },
      {{-1, 1},
       {-10, 10},
       {-1000, 1000},
       {1e3, 1e6, log_spread},
       {-1e12, -1e6, log_spread},
       {1.57, 1.5715},
       small,
       minus_small});
  const std::vector<Range> within_one{{-1, 1},     {-0.55, -0.45}, {0.45, 0.55}, {0.99, 1},
                                      {-1, -0.99}, small,          minus_small};
  worst_ulp<T>(
      "asin", [](auto x) { return asin(x); }, [](Real x) { return std::asin(x); }, within_one);
  worst_ulp<T>(
      "acos", [](auto x) { return acos(x); }, [](Real x) { return std::acos(x); }, within_one);
  worst_ulp<T>(
      "atan", [](auto x) { return atan(x); }, [](Real x) { return std::atan(x); },
      {{-1, 1},
       {-5, 5},
       {0.4, 0.6},
       {0.9, 1.1},
       {1.8, 2.2},
       {1, 1e20, log_spread},
       small,
       minus_small});
  worst_ulp<T>(
      "sinh", [](auto x) { return sinh(x); }, [](Real x) { return std::sinh(x); },
      {{-1, 1}, {-5, 5}, {-90, 90}, {88, 90}, {-711, 711}, {709, 711}, small, minus_small});
  worst_ulp<T>(
      "cosh", [](auto x) { return cosh(x); }, [](Real x) { return std::cosh(x); },
      {{-1, 1}, {-5, 5}, {-90, 90}, {88, 90}, {-711, 711}, {709, 711}, small, minus_small});
  worst_ulp_of_two<T>(
      "atan2", [](auto y, auto x) { return atan2(y, x); },
      [](Real y, Real x) { return std::atan2(y, x); },
      {{{-1, 1}, {-1, 1}},
       {{-1, 1}, {-100, 100}},
       {{-100, 100}, {-1, 1}},
       {{0.4, 0.6}, {0.9, 1.1}},
       {{0.9, 1.1}, {0.9, 1.1}},
       {{1e-30, 1e30, log_spread}, {-1e30, -1e-30, log_spread}},
       {{1e-320, 1e-300, log_spread}, {1e-320, 1e-300, log_spread}}});
}

/// The gamma function's. In float64 they are as exact as their terms where they cross zero on the
/// negative axis.
template <class T> void table_of_gamma() {
  constexpr Spread log_spread = Spread::logarithmic;
  const Range small{1e-12, 0.1, log_spread}, minus_small{-1e-12, -0.1, log_spread};
  const std::vector<Range> positive{
      {0, 1},     {0.45, 0.55},   {0.9, 1.1},           {0.999999, 1.000001},  {1, 3},
      {1.4, 1.6}, {1.46, 1.4633}, {1.9, 2.1},           {1.999999, 2.000001},  {2, 7},
      {5, 12},    {6, 40},        {1, 1e4, log_spread}, {1, 1e30, log_spread}, small};
  std::vector<Range> all = positive;
  for (Range range : {minus_small, Range{-1, 0}, Range{-2, 0}, Range{-4, -1}, Range{-20, 0},
                      Range{-200, -20}, Range{-1e6, -1, log_spread}}) {
    all.push_back(range);
  }
  const auto in_double = [](auto scale) {
    return [scale](Real x) { return sizeof(T) == 8 ? scale(x) : Real(0); };
  };
  worst_ulp<T>(
      "lgamma", [](auto x) { return lgamma(x); }, reference_lgamma, all,
      in_double(scale_of_lgamma));
  worst_ulp<T>(
      "digamma", [](auto x) { return digamma(x); },
      [](Real x) { return reference_polygamma(0, x); }, all,
      in_double([](Real x) { return scale_of_polygamma(0, x); }));
  static const char* const names[] = {"", "polygamma1", "polygamma2", "polygamma3", "polygamma4"};
  for (int n = 1; n <= 4; ++n) {
    worst_ulp<T>(
        names[n], [n](auto x) { return polygamma(n, x); },
        [n](Real x) { return reference_polygamma(n, x); }, all,
        in_double([n](Real x) { return scale_of_polygamma(n, x); }));
  }
}

}  // namespace

#ifndef CADENA_KERNEL_PASS
#define CADENA_KERNEL_PASS native
#endif
#define CADENA_TEXT_OF(x) #x
#define CADENA_TEXT(x) CADENA_TEXT_OF(x)

TEST_CASE("functions of lanes are within 4 ulp, pass " CADENA_TEXT(CADENA_KERNEL_PASS)) {
  table<float>();
  table<double>();
}

TEST_CASE(
    "powers, angles and hyperbolic functions of lanes, pass " CADENA_TEXT(CADENA_KERNEL_PASS)) {
  table_of_functions<float>();
  table_of_functions<double>();
}

TEST_CASE("gamma functions of lanes, pass " CADENA_TEXT(CADENA_KERNEL_PASS)) {
  table_of_gamma<float>();
  table_of_gamma<double>();
}
