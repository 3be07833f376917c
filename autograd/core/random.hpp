#pragma once

#include <cadena/autograd/core/create.hpp>

#include <cstdint>
#include <memory>

namespace cadena {

/// All that a generator is: numbers drawn at the same state are the same.
struct GeneratorState {
  std::uint64_t seed = 0;
  std::uint64_t counter = 0;  ///< Number of draws so far; each one has a stream of its own.
  bool operator==(const GeneratorState&) const = default;
};

/// A shared place with the state of a random number generator (Philox4x32-10, see
/// kernels/philox.hpp). Copying shares the place. What a draw gives depends on the state and the
/// shape alone, not on the number of threads. May be used by several threads at a time; which of
/// them draws first is then up to them.
class Generator {
 public:
  explicit Generator(std::uint64_t seed = 0);

  void manual_seed(std::uint64_t seed) const;  ///< As if made anew.
  GeneratorState state() const;
  void set_state(GeneratorState state) const;
  /// The state for one draw; the next call gives another.
  GeneratorState next() const;

  friend bool operator==(const Generator& a, const Generator& b) noexcept {
    return a.place_ == b.place_;
  }

 private:
  struct Place;
  std::shared_ptr<Place> place_;
};

/// The generator of functions that are not given one, shared by all threads; its seed is 0 at
/// first.
const Generator& default_generator();
/// Seeds the default generator.
void manual_seed(std::uint64_t seed);

// Tensors of random numbers: float32 unless said.

/// Uniform in [0, 1).
Tensor rand(const Shape& shape, TensorOptions options = {},
            const Generator& generator = default_generator());
/// Standard normal.
Tensor randn(const Shape& shape, TensorOptions options = {},
             const Generator& generator = default_generator());
/// Whole numbers, uniform in [low, high); int64 unless said.
Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options = {},
               const Generator& generator = default_generator());
/// The numbers 0 ... n - 1 in random order; int64 unless said.
Tensor randperm(std::int64_t n, TensorOptions options = {},
                const Generator& generator = default_generator());
/// 1 with probability p in [0, 1], else 0.
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {},
                 const Generator& generator = default_generator());
/// 1 with the probability that the element has, else 0; of the probabilities' floating dtype.
Tensor bernoulli(const Tensor& probabilities, const Generator& generator = default_generator());

}  // namespace cadena
