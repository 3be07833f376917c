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
  /// A node was made without `applied`, as that of a checkpoint is.
  virtual void recorded(Node&) {}

  /// The derivative of a node is about to be computed, by operators that are seen as well.
  /// `derived` follows, or, when something throws, `derivation_failed`.
  virtual void deriving(const Node&) {}
  virtual void derived(const Node&, [[maybe_unused]] std::span<const Tensor> upstream,
                       [[maybe_unused]] std::span<const bool> needed, const Gradients&) {}
  virtual void derivation_failed(const Node&) noexcept {}

  /// The place of the next in a chain; null in none.
  virtual Observer** next() noexcept { return nullptr; }

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

/// Sees operators beside the observers of before: it hands on what it is told. So that all agree on
/// what has ended when one of them throws, a member does first what may throw, then calls that of
/// this class, and changes its own state last.
///
/// Those of a thread may end in any order: each takes itself out of the chain. It must end in the
/// thread that it began in, and not inside of an operator, a derivative or a loop's piece that
/// began after it: those go on to report to it.
class ChainedObserver : public Observer {
 public:
  ChainedObserver() noexcept { modes().observer = this; }
  ChainedObserver(const ChainedObserver&) = delete;
  ChainedObserver& operator=(const ChainedObserver&) = delete;
  void starting(const OperatorRef& op) override {
    if (before_ != nullptr) {
      before_->starting(op);
    }
  }
  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    if (before_ != nullptr) {
      before_->applied(op, inputs, outputs);
    }
  }
  void failed(const OperatorRef& op) noexcept override {
    if (before_ != nullptr) {
      before_->failed(op);
    }
  }
  void recorded(Node& node) override {
    if (before_ != nullptr) {
      before_->recorded(node);
    }
  }
  void deriving(const Node& node) override {
    if (before_ != nullptr) {
      before_->deriving(node);
    }
  }
  void derived(const Node& node, std::span<const Tensor> upstream, std::span<const bool> needed,
               const Gradients& results) override {
    if (before_ != nullptr) {
      before_->derived(node, upstream, needed, results);
    }
  }
  void derivation_failed(const Node& node) noexcept override {
    if (before_ != nullptr) {
      before_->derivation_failed(node);
    }
  }

  Observer** next() noexcept final { return &before_; }

 protected:
  ~ChainedObserver() {
    for (Observer** link = &modes().observer; link != nullptr && *link != nullptr;
         link = (*link)->next()) {
      if (*link == this) {
        *link = before_;
        return;
      }
    }
  }

 private:
  Observer* before_ = modes().observer;
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
