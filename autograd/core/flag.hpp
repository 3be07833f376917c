#pragma once

#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/modes.hpp>

#include <atomic>

namespace cadena {

namespace detail {
/// What a Flag points to.
struct FlagState : Counted {
  std::atomic<bool> on;
  explicit FlagState(bool value) noexcept : on(value) {}
  static void destroy(const FlagState* state) noexcept { delete state; }
};
}  // namespace detail

/// A switch by which functions choose what to do. A compiled function has a program for each of its
/// positions. Copying one copies its position, moving one keeps the place, assigning sets it.
class Flag {
 public:
  explicit Flag(bool on) : state_(new detail::FlagState(on)) {}
  Flag(const Flag& other) : Flag(other.on()) {}
  Flag(Flag&&) noexcept = default;
  Flag& operator=(const Flag& other) {
    set(other.on());
    return *this;
  }
  // Not noexcept: a place that was moved from needs another.
  Flag& operator=(Flag&& other) {  // NOLINT(performance-noexcept-move-constructor)
    set(other.on());
    return *this;
  }
  ~Flag() = default;

  bool on() const {
    if (!state_) {
      fail("mode: it was moved from");
    }
    if (detail::Capturing* capturing = modes().capturing; capturing != nullptr) {
      capturing->look(state_);
    }
    return state_->on.load(std::memory_order_relaxed);
  }
  /// Error while a function is captured: a replay would not do it again.
  void set(bool on) {
    detail::refuse_capture("switches between training and evaluation");
    if (!state_) {  // moved from
      state_ = detail::Ref<detail::FlagState>(new detail::FlagState(on));
    }
    state_->on.store(on, std::memory_order_relaxed);
  }

 private:
  detail::Ref<detail::FlagState> state_;
};

}  // namespace cadena
