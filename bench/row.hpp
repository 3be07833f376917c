#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

// What Cadena, its peer and the limits share: the sizes of the rows and the numbers they begin
// with.

namespace bench {

/// A tensor in two numbers, to compare it with another program's: its projection on fixed signs,
/// which any difference moves by about its own norm, and its norm.
struct Fingerprint {
  double projection = 0;
  double norm = 0;
};

/// What a row does, ready to be repeated.
struct Work {
  std::function<void()> step = {};                        ///< What is timed.
  std::function<std::vector<Fingerprint>()> result = {};  ///< Of the last step, for --check.
  double count = 1;                     ///< Things in a step; the figure is for one of them.
  std::function<double()> figure = {};  ///< Instead of a timed step.
};

struct Row {
  std::string name;
  std::function<Work()> make;
};

/// A multilayer perceptron with ReLU between its layers.
struct Perceptron {
  const char* row;
  std::int64_t batch;
  std::vector<std::int64_t> widths;
};
inline const std::array perceptrons{
    Perceptron{"mlp_2_8_2", 4, {2, 8, 2}},
    Perceptron{"mlp_784_128_10", 32, {784, 128, 10}},
    Perceptron{"mlp_784_512_512_10", 128, {784, 512, 512, 10}},
    Perceptron{"mlp_1024_x4", 256, {1024, 1024, 1024, 1024, 1024}},
};
inline constexpr double learning_rate = 1e-4;
inline constexpr int short_chain = 2'000, long_chain = 1'000'000;  // nodes
inline constexpr std::int64_t adam_parameters = 10'000'000;
inline constexpr std::int64_t samples = 8192, classes = 1024;
inline constexpr std::int64_t elementwise_elements = 4'000'000;
inline constexpr std::int64_t norm_rows = 4096, norm_features = 1024;
inline constexpr double norm_epsilon = 1e-5;
inline constexpr std::int64_t products = 1000, product_size = 16;
inline constexpr std::array<std::int64_t, 3> reduced{64, 256, 1024};
inline constexpr std::int64_t gather_rows = 4096, gather_columns = 1024;

/// A number that looks random, from SplitMix64's finaliser.
inline std::uint64_t scramble(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

/// Numbers between -scale and scale, the same in each program.
inline std::vector<float> numbers(std::int64_t count, std::uint64_t seed, double scale = 1) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto whole = static_cast<std::int32_t>(scramble(i + (seed << 40)) >> 32);
    values[i] = static_cast<float>(scale * whole / 2147483648.0);
  }
  return values;
}

/// Whole numbers from 0 up to `bound`, the same in each program.
inline std::vector<std::int64_t> indices(std::int64_t count, std::int64_t bound,
                                         std::uint64_t seed) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int64_t>((scramble(i + (seed << 40)) >> 1) %
                                          static_cast<std::uint64_t>(bound));
  }
  return values;
}

/// Parameter 2 k is the weight of layer k, 2 k + 1 its bias: what numbers() makes them from.
inline std::uint64_t initial_seed(std::size_t parameter) { return parameter + 10; }
inline double initial_scale(const Perceptron& perceptron, std::size_t parameter) {
  return 1 / std::sqrt(static_cast<double>(perceptron.widths[parameter / 2]));
}

inline Fingerprint fingerprint(std::span<const float> values) {
  Fingerprint sums;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    sums.projection += scramble(i) % 2 == 0 ? value : -value;
    sums.norm += value * value;
  }
  sums.norm = std::sqrt(sums.norm);
  return sums;
}

/// By what an optimizer has moved numbers(...) of this seed and scale: of the values themselves,
/// a few of its steps change too little to be compared.
inline Fingerprint movement(std::span<const float> values, std::uint64_t seed, double scale = 1) {
  std::vector<float> moved = numbers(static_cast<std::int64_t>(values.size()), seed, scale);
  for (std::size_t i = 0; i < moved.size(); ++i) {
    moved[i] = values[i] - moved[i];
  }
  return fingerprint(moved);
}

}  // namespace bench
