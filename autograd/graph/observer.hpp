#pragma once

#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/operator.hpp>

#include <span>
#include <utility>

namespace cadena::detail {

/// Sees each operator that a thread applies, with its values: what a node does not keep can be
/// looked at without a second way to run functions. Pieces of parallel loops report to the observer
/// of the thread that started them, so all members must be safe to call from several threads.
class Observer {
 public:
  /// An operator is about to run. `applied` follows in the same thread, or, when the operator or
  /// `applied` throws, `failed`; those of other operators may lie between.
  virtual void starting(const OperatorRef&) {}
  virtual void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
                       const Tensors& outputs) = 0;
  virtual void failed(const OperatorRef&) noexcept {}

  /// The derivative of a node is about to be computed, by operators that are seen as well.
  /// `derived` follows, or, when something throws, `derivation_failed`.
  virtual void deriving(const Node&) {}
  virtual void derived(const Node&, [[maybe_unused]] std::span<const Tensor> upstream,
                       [[maybe_unused]] std::span<const bool> needed, const Gradients&) {}
  virtual void derivation_failed(const Node&) noexcept {}

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

  /// The observer whose turn it is again at the end; null if there is none.
  Observer* before() const noexcept { return before_; }

 private:
  Observer* before_;
};

/// Sees operators beside the observers of before: it hands on what it is told. So that all agree on
/// what has ended when one of them throws, a member does first what may throw, then calls that of
/// this class, and changes its own state last.
class ChainedObserver : public Observer {
 public:
  ChainedObserver() noexcept : observing_(this) {}
  void starting(const OperatorRef& op) override {
    if (before() != nullptr) {
      before()->starting(op);
    }
  }
  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    if (before() != nullptr) {
      before()->applied(op, inputs, outputs);
    }
  }
  void failed(const OperatorRef& op) noexcept override {
    if (before() != nullptr) {
      before()->failed(op);
    }
  }
  void deriving(const Node& node) override {
    if (before() != nullptr) {
      before()->deriving(node);
    }
  }
  void derived(const Node& node, std::span<const Tensor> upstream, std::span<const bool> needed,
               const Gradients& results) override {
    if (before() != nullptr) {
      before()->derived(node, upstream, needed, results);
    }
  }
  void derivation_failed(const Node& node) noexcept override {
    if (before() != nullptr) {
      before()->derivation_failed(node);
    }
  }

 protected:
  ~ChainedObserver() = default;

 private:
  Observer* before() const noexcept { return observing_.before(); }
  Observing observing_;
};

/// While it lives, the modes of this thread say where a backward is.
struct Deriving {
  const Node* node = nullptr;

  Deriving() noexcept : before_(std::exchange(modes().deriving, this)) {}
  ~Deriving() { modes().deriving = before_; }
  Deriving(const Deriving&) = delete;
  Deriving& operator=(const Deriving&) = delete;

  /// That of the backward around this one, as a gradient inside of a checkpoint's has one.
  const Deriving* before() const noexcept { return before_; }

 private:
  const Deriving* before_;
};

}  // namespace cadena::detail
