#pragma once

#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/operator.hpp>

#include <span>
#include <utility>

namespace cadena::detail {

/// Sees each operator that a thread applies, with its values: what a node does not keep can be
/// looked at without a second way to run functions. Pieces of parallel loops report to the observer
/// of the thread that started them, so `applied` must be safe to call from several threads.
class Observer {
 public:
  virtual void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
                       const Tensors& outputs) = 0;

 protected:
  ~Observer() = default;
};

/// While it lives, operators of this thread are shown to `observer`; with none they go unseen.
class Observing {
 public:
  explicit Observing(Observer* observer) noexcept
      : before_(std::exchange(modes().observer, observer)) {}
  ~Observing() { modes().observer = before_; }
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  Observer* before_;
};

}  // namespace cadena::detail
