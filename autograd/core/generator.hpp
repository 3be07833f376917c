#pragma once

#include <cadena/autograd/core/tensor.hpp>

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
  /// The state for one draw; the next call gives another. With a count the first of so many draws,
  /// whose counters follow.
  GeneratorState next(std::uint64_t count = 1) const;
  /// Undoes next(count) that gave `state`, unless something has been drawn since.
  void give_back(const GeneratorState& state, std::uint64_t count) const;

  // Whether its draws can be made now: not while a function is captured that did not make it.
  bool is_constant() const;

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

namespace detail {
/// The state for one draw as a tensor, int64 {seed, counter}: what a random operator is given.
Tensor next_state(const Generator& generator);
}  // namespace detail

}  // namespace cadena
