#pragma once

#include <cadena/autograd/core/flag.hpp>

namespace cadena::nn {

/// A field of a layer that behaves differently in training: set by `train(model)` and
/// `eval(model)`, true at first.
class Mode {
 public:
  Mode() : Mode(true) {}
  explicit Mode(bool training) : training_(training) {}
  bool training() const { return training_.on(); }
  void set_training(bool training) { training_.set(training); }

 private:
  Flag training_;
};

}  // namespace cadena::nn
