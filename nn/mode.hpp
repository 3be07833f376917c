#pragma once

namespace cadena::nn {

/// A field of a layer that behaves differently in training: set by `train(model)` and
/// `eval(model)`, true at first.
class Mode {
 public:
  constexpr Mode() noexcept = default;
  constexpr explicit Mode(bool training) noexcept : training_(training) {}
  constexpr bool training() const noexcept { return training_; }
  constexpr void set_training(bool training) noexcept { training_ = training; }

 private:
  bool training_ = true;
};

}  // namespace cadena::nn
