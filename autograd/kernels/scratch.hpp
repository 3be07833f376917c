#pragma once

#include <cadena/autograd/core/storage.hpp>

#include <cstdint>

namespace cadena::kernels {

/// Memory for n numbers that a kernel needs on the way. From the caching allocator: fresh pages
/// cost more than what is written to them.
template <class T> class Scratch {
 public:
  explicit Scratch(std::int64_t n)
      : storage_(detail::Storage::make(static_cast<std::size_t>(n) * sizeof(T))) {}
  T* data() const noexcept { return reinterpret_cast<T*>(storage_->data); }

 private:
  detail::Ref<detail::Storage> storage_;
};

}  // namespace cadena::kernels
