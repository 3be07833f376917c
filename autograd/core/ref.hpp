#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

namespace cadena::detail {

/// Counted by `Ref`; made with one reference, which the first Ref takes over. T::destroy(T*) is
/// called when the last one goes.
struct Counted {
  mutable std::atomic<std::int32_t> references{1};
};

/// A shared pointer whose count lives in the object: one word, one allocation.
template <class T> class Ref {
 public:
  Ref() noexcept = default;
  Ref(std::nullptr_t) noexcept {}
  /// Takes over the reference that a new object has.
  explicit Ref(T* fresh) noexcept : pointer_(fresh) {}
  /// One more reference to an object that others hold.
  static Ref share(T* pointer) noexcept {
    Ref result(pointer);
    result.acquire();
    return result;
  }
  Ref(const Ref& other) noexcept : pointer_(other.pointer_) { acquire(); }
  Ref(Ref&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
  Ref& operator=(const Ref& other) noexcept {
    Ref(other).swap(*this);
    return *this;
  }
  Ref& operator=(Ref&& other) noexcept {
    Ref(std::move(other)).swap(*this);
    return *this;
  }
  ~Ref() {
    // The only holder needs no atomic subtraction: nobody else can take a reference meanwhile.
    if (pointer_ != nullptr &&
        (pointer_->references.load(std::memory_order_acquire) == 1 ||
         pointer_->references.fetch_sub(1, std::memory_order_acq_rel) == 1)) {
      T::destroy(pointer_);
    }
  }
  T* get() const noexcept { return pointer_; }
  T* operator->() const noexcept { return pointer_; }
  T& operator*() const noexcept { return *pointer_; }
  explicit operator bool() const noexcept { return pointer_ != nullptr; }
  friend bool operator==(const Ref& a, const Ref& b) noexcept { return a.pointer_ == b.pointer_; }
  void swap(Ref& other) noexcept { std::swap(pointer_, other.pointer_); }
  /// Whether this is the only reference.
  bool unique() const noexcept {
    return pointer_ != nullptr && pointer_->references.load(std::memory_order_acquire) == 1;
  }

 private:
  void acquire() noexcept {
    if (pointer_ != nullptr) {
      pointer_->references.fetch_add(1, std::memory_order_relaxed);
    }
  }
  T* pointer_ = nullptr;
};

}  // namespace cadena::detail
