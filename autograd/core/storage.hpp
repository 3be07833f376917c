#pragma once

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/ref.hpp>

#include <cstddef>
#include <functional>

namespace cadena::detail {

/// The size of what has no memory: see core/capturing.hpp.
inline constexpr std::size_t symbolic = ~std::size_t{0};

/// Memory that tensors share: in one block with this header, or adopted from the caller.
struct Storage : Counted {
  std::byte* data = nullptr;
  std::size_t bytes = 0;
  std::function<void()>* release = nullptr;  ///< Of adopted memory.

  static Ref<Storage> make(std::size_t bytes);
  static Ref<Storage> adopt(std::byte* data, std::size_t bytes, std::function<void()> release);
  static void destroy(Storage* storage) noexcept;
};

}  // namespace cadena::detail
