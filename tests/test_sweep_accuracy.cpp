// The worst error, in units in the last place (ulp), of every elementwise function with a reference
// through the public functions of tensors. The table is printed; 4 ulp is the limit.

#include "sweep.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>

using namespace sweep;

namespace {

using Real = long double;

/// Distance from the exact value in ulp of T, or of `scale` if that is larger; a subnormal float32
/// may be 0.
template <class T> double ulp_error(T got, Real exact, Real scale) {
  using Limits = std::numeric_limits<T>;
  constexpr double wrong = std::numeric_limits<double>::infinity();
  const T rounded = static_cast<T>(exact);
  if (std::isnan(exact)) {
    return std::isnan(got) ? 0 : wrong;
  }
  if (got == rounded || (sizeof(T) == 4 && got == 0 && std::abs(exact) < Limits::min())) {
    return 0;
  }
  if (!std::isfinite(got) || !std::isfinite(rounded)) {
    const bool next = std::isinf(got) && std::abs(rounded) == Limits::max();
    return next ? 1 : wrong;
  }
  int exponent;
  std::frexp(std::max(std::abs(rounded), static_cast<T>(scale)), &exponent);
  const int digits = std::max(exponent, Limits::min_exponent) - Limits::digits;
  return static_cast<double>(std::ldexp(std::abs(static_cast<Real>(got) - exact), -digits));
}

/// Numbers of the entry's range, of all sizes and both signs, and what its samples hold.
template <class T>
std::vector<std::vector<T>> places(const OperatorEntry& entry, std::size_t inputs, int count) {
  std::mt19937_64 engine(9);
  const auto uniform = [&] { return static_cast<double>(engine() >> 11) * 0x1p-53; };
  constexpr double smallest = std::numeric_limits<T>::min_exponent,
                   largest = std::numeric_limits<T>::max_exponent - 1;
  std::vector<std::vector<T>> result(inputs);
  for (int i = 0; i < count; ++i) {
    for (std::vector<T>& values : result) {
      if (i % 2 == 0) {
        values.push_back(static_cast<T>(entry.low + uniform() * (entry.high - entry.low)));
      } else {
        const double size = std::exp2(smallest + uniform() * (largest - smallest));
        values.push_back(static_cast<T>((engine() & 1) != 0 ? size : -size));
      }
    }
  }
  for (const Sample& sample : entry.samples) {
    const std::int64_t elements = sample.inputs[0].numel();
    const bool alike = std::ranges::all_of(
        sample.inputs, [&](const Tensor& input) { return input.numel() == elements; });
    for (std::size_t k = 0; alike && k < inputs; ++k) {
      for (double value : sample.inputs[k].to_vector<double>()) {
        result[k].push_back(static_cast<T>(value));
      }
    }
  }
  return result;
}

struct Worst {
  double ulp = 0;
  std::vector<double> at;
};

template <class T> Worst worst_of(const OperatorEntry& entry) {
  const std::size_t inputs = entry.samples[0].inputs.size();
  const std::vector<std::vector<T>> values = places<T>(entry, inputs, 20000);
  Inputs tensors;
  for (const std::vector<T>& numbers : values) {
    tensors.push_back(
        from_span<T>(numbers, {static_cast<std::int64_t>(numbers.size())}, {.dtype = dtype_of<T>}));
  }
  const std::vector<T> got = entry.samples[0].call(tensors).template to_vector<T>();
  Worst worst{0, {0}};
  for (std::size_t i = 0; i < got.size(); ++i) {
    std::vector<Real> at;
    for (const std::vector<T>& numbers : values) {
      at.push_back(numbers[i]);
    }
    const bool scaled = sizeof(T) == 8 && entry.scale;
    const double ulp =
        ulp_error<T>(got[i], entry.reference(at), scaled ? entry.scale(at) : Real(0));
    if (ulp > worst.ulp) {
      worst = {ulp, std::vector<double>(at.begin(), at.end())};
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("every elementwise function is within 4 ulp") {
  std::puts("function        float32 ulp  float64 ulp");
  for (const OperatorEntry& entry : operators().entries()) {
    if (!entry.reference) {
      continue;
    }
    const Worst in32 = worst_of<float>(entry), in64 = worst_of<double>(entry);
    std::puts(
        fmt::format("{:<14} {:>12.3f} {:>12.3f}", entry.doc.name, in32.ulp, in64.ulp).c_str());
    for (const Worst& worst : {in32, in64}) {
      INFO(entry.doc.name << ": " << worst.ulp << " ulp at " << worst.at.front() << ", "
                          << worst.at.back());
      CHECK(worst.ulp <= 4);
    }
  }
}
