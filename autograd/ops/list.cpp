#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <cmath>

namespace cadena {

Tensor sample_values(const Shape& shape, double low, double high, std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(numel(shape)));
  std::uint64_t state = seed * 0x9e3779b97f4a7c15U + 0x2545f4914f6cdd1dU;
  for (double& value : values) {
    // SplitMix64 (Steele, Lea and Flood 2014).
    std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    z ^= z >> 31;
    value = low + (high - low) * (static_cast<double>(z >> 11) * 0x1p-53);
  }
  return from_vector(values, shape);
}

long double reference_normal_cdf(long double x) {
  using Real = long double;
  const Real z = x / std::sqrt(Real(2));
  const Real value = std::erfc(-z) / 2;
  if (!(x < 0 && value > 0)) {
    return value;
  }
  // The rounding of z counts 2 z^2 times: x^2 / 2 - z^2 makes up for it.
  const Real half = x * x / 2, square = z * z;
  const Real rest = std::fma(x / 2, x, -half) - std::fma(z, z, -square);
  return value * std::exp(-((half - square) + rest));
}

namespace {

/// Each point with both of its float64 neighbours.
std::vector<double> with_neighbours(const std::vector<double>& points) {
  std::vector<double> all;
  for (double point : points) {
    all.push_back(std::nextafter(point, -HUGE_VAL));
    all.push_back(point);
    all.push_back(std::nextafter(point, HUGE_VAL));
  }
  return all;
}

Tensor line(const std::vector<double>& values) {
  return from_vector(values, {static_cast<std::int64_t>(values.size())});
}

}  // namespace

void OpList::add_unary(const Doc& doc, const std::function<Tensor(const Tensor&)>& f,
                       const std::function<long double(long double)>& reference, double low,
                       double high, const std::vector<double>& points,
                       const std::function<long double(long double)>& scale) {
  OperatorEntry entry{doc, {}, true, {}, low, high};
  const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0]); };
  if (!points.empty()) {
    entry.samples.push_back(
        {"at its seams and beside them", {line(with_neighbours(points))}, call});
  }
  entry.samples.push_back({"random", {sample_values({3, 4}, low, high, 1)}, call});
  entry.samples.push_back({"0-d", {sample_values({}, low, high, 2)}, call});
  entry.samples.push_back({"empty", {sample_values({0, 3}, low, high, 3)}, call});
  entry.reference = [reference](std::span<const long double> x) { return reference(x[0]); };
  if (scale) {
    entry.scale = [scale](std::span<const long double> x) { return scale(x[0]); };
  }
  add(std::move(entry));
}

void OpList::add_binary(const Doc& doc,
                        const std::function<Tensor(const Tensor&, const Tensor&)>& f,
                        const std::function<long double(long double, long double)>& reference,
                        double low, double high, const std::vector<double>& first,
                        const std::vector<double>& second) {
  OperatorEntry entry{doc, {}, true, {}, low, high};
  const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0], in[1]); };
  std::vector<double> x, y;
  for (double a : first) {
    for (double b : second) {
      x.push_back(a);
      y.push_back(b);
    }
  }
  if (!x.empty()) {
    entry.samples.push_back({"at its seams", {line(x), line(y)}, call});
  }
  const auto values = [&](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, low, high, seed);
  };
  entry.samples.push_back({"random", {values({3, 4}, 1), values({3, 4}, 2)}, call});
  entry.samples.push_back({"second broadcast", {values({3, 4}, 3), values({4}, 4)}, call});
  entry.samples.push_back({"first broadcast", {values({3, 1}, 5), values({2, 1, 4}, 6)}, call});
  entry.samples.push_back({"0-d", {values({}, 7), values({}, 8)}, call});
  entry.samples.push_back({"empty", {values({0, 4}, 9), values({4}, 10)}, call});
  entry.reference = [reference](std::span<const long double> in) {
    return reference(in[0], in[1]);
  };
  add(std::move(entry));
}

}  // namespace cadena
