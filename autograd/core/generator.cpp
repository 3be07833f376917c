#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/generator.hpp>
#include <cadena/autograd/core/modes.hpp>

#include <bit>
#include <mutex>

namespace cadena {

struct Generator::Place {
  std::mutex mutex;
  GeneratorState state;
  // Of the capture in which it was made: it is made again in each run, so what it draws is
  // constant.
  std::uint64_t capture = 0;

  bool is_constant() const {
    const detail::Capturing* capturing = modes().capturing;
    return capturing == nullptr || capturing->id() == capture;
  }
  void refuse_capture(const char* what) const {
    if (!is_constant()) {
      detail::refuse_capture(what);
    }
  }
};

Generator::Generator(std::uint64_t seed) : place_(std::make_shared<Place>()) {
  place_->state.seed = seed;
  place_->capture = modes().capturing == nullptr ? 0 : modes().capturing->id();
}

bool Generator::is_constant() const { return place_->is_constant(); }

void Generator::manual_seed(std::uint64_t seed) const { set_state({seed, 0}); }

GeneratorState Generator::state() const {
  place_->refuse_capture("asks for the state of a generator");
  const std::lock_guard lock(place_->mutex);
  return place_->state;
}

void Generator::set_state(GeneratorState state) const {
  place_->refuse_capture("sets the state of a generator");
  const std::lock_guard lock(place_->mutex);
  place_->state = state;
}

GeneratorState Generator::next(std::uint64_t count) const {
  place_->refuse_capture("takes the state of a generator");
  const std::lock_guard lock(place_->mutex);
  GeneratorState now = place_->state;
  place_->state.counter += count;
  return now;
}

void Generator::give_back(const GeneratorState& state, std::uint64_t count) const {
  const std::lock_guard lock(place_->mutex);
  if (place_->state == GeneratorState{state.seed, state.counter + count}) {
    place_->state = state;
  }
}

const Generator& default_generator() {
  static const Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) { default_generator().manual_seed(seed); }

Tensor detail::next_state(const Generator& generator) {
  if (!generator.is_constant()) {
    return modes().capturing->draw(generator);
  }
  const GeneratorState state = generator.next();
  const std::int64_t words[] = {std::bit_cast<std::int64_t>(state.seed),
                                std::bit_cast<std::int64_t>(state.counter)};
  return from_span<std::int64_t>(words, {2});
}

}  // namespace cadena
