#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <new>
#include <utility>

namespace cadena {

/// A vector whose first `Inline` elements need no allocation. (Boost's does the same;
/// including it costs every user's file about a tenth of a second.)
template <class T, std::size_t Inline>
  requires(Inline > 0)
class SmallVector {
 public:
  SmallVector() noexcept = default;
  explicit SmallVector(std::size_t count) : SmallVector() { resize(count); }
  // Delegating, so that a copy that throws leaves nothing behind.
  SmallVector(std::size_t count, const T& value) : SmallVector() {
    reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      push_back(value);
    }
  }
  SmallVector(std::initializer_list<T> values) : SmallVector(values.begin(), values.end()) {}
  template <class Iterator>
    requires requires(Iterator i) { *i; }
  SmallVector(Iterator first, Iterator last) : SmallVector() {
    for (; first != last; ++first) {
      push_back(*first);
    }
  }
  SmallVector(const SmallVector& other) : SmallVector(other.begin(), other.end()) {}
  SmallVector(SmallVector&& other) noexcept { take(other); }
  SmallVector& operator=(SmallVector other) noexcept {
    destroy();
    take(other);
    return *this;
  }
  ~SmallVector() { destroy(); }

  T* data() noexcept { return data_; }
  const T* data() const noexcept { return data_; }
  T* begin() noexcept { return data_; }
  T* end() noexcept { return data_ + size_; }
  const T* begin() const noexcept { return data_; }
  const T* end() const noexcept { return data_ + size_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  T& operator[](std::size_t index) noexcept { return data_[index]; }
  const T& operator[](std::size_t index) const noexcept { return data_[index]; }
  T& back() noexcept { return data_[size_ - 1]; }
  const T& back() const noexcept { return data_[size_ - 1]; }

  template <class... Arguments> T& emplace_back(Arguments&&... arguments) {
    if (size_ == capacity_) {
      T value(std::forward<Arguments>(arguments)...);  // may refer into the old block
      reserve(2 * capacity_);
      return *new (static_cast<void*>(data_ + size_++)) T(std::move(value));
    }
    return *new (static_cast<void*>(data_ + size_++)) T(std::forward<Arguments>(arguments)...);
  }
  void push_back(const T& value) { emplace_back(value); }
  void push_back(T&& value) { emplace_back(std::move(value)); }
  void pop_back() noexcept { data_[--size_].~T(); }
  void clear() noexcept {
    std::destroy_n(data_, size_);
    size_ = 0;
  }
  void resize(std::size_t count) {
    reserve(count);
    while (size_ < count) {
      emplace_back();
    }
    while (size_ > count) {
      pop_back();
    }
  }
  void reserve(std::size_t capacity) {
    if (capacity <= capacity_) {
      return;
    }
    T* block = static_cast<T*>(::operator new(capacity * sizeof(T), std::align_val_t(alignof(T))));
    std::uninitialized_move_n(data_, size_, block);
    std::destroy_n(data_, size_);
    release();
    data_ = block;
    capacity_ = capacity;
  }

  friend bool operator==(const SmallVector& a, const SmallVector& b) {
    if (a.size_ != b.size_) {
      return false;
    }
    for (std::size_t i = 0; i < a.size_; ++i) {
      if (!(a.data_[i] == b.data_[i])) {
        return false;
      }
    }
    return true;
  }

 private:
  T* inline_data() noexcept { return reinterpret_cast<T*>(storage_); }

  void release() noexcept {
    if (data_ != inline_data()) {
      ::operator delete(static_cast<void*>(data_), std::align_val_t(alignof(T)));
    }
  }
  void destroy() noexcept {
    clear();
    release();
    data_ = inline_data();
    capacity_ = Inline;
  }
  void take(SmallVector& other) noexcept {
    if (other.data_ != other.inline_data()) {
      data_ = std::exchange(other.data_, other.inline_data());
      capacity_ = std::exchange(other.capacity_, Inline);
      size_ = std::exchange(other.size_, 0);
    } else {
      std::uninitialized_move_n(other.data_, other.size_, data_);
      size_ = other.size_;
      other.clear();
    }
  }

  alignas(T) std::byte storage_[Inline * sizeof(T)];
  T* data_ = inline_data();
  std::size_t size_ = 0;
  std::size_t capacity_ = Inline;
};

}  // namespace cadena
