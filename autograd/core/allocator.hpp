#pragma once

#include <cstddef>
#include <cstdint>

namespace cadena {

/// What the allocator of all tensors, nodes and scratch buffers holds.
struct MemoryStats {
  std::int64_t bytes_in_use = 0;   ///< Handed out now, rounded up to the size of their class.
  std::int64_t blocks_in_use = 0;  ///< Number of blocks handed out now.
  std::int64_t bytes_cached = 0;   ///< Free blocks of over 1 KiB kept for reuse.
  std::int64_t bytes_peak = 0;     ///< Most bytes of blocks over 1 KiB in use at a time.
  std::int64_t cache_limit = 0;    ///< Bound of `bytes_cached`.
};

MemoryStats memory_stats();

/// Sets the bound of the free blocks kept for reuse, in bytes (default: a quarter of the memory).
void set_memory_cache_limit(std::int64_t bytes);

/// Returns the free blocks to the system, those of other threads' small blocks aside.
void empty_memory_cache();

/// Makes `bytes_peak` begin anew from what is in use.
void reset_memory_peak();

namespace detail {

/// A block of at least `bytes`, aligned to 64 bytes when over 1 KiB, else to 16. Writing fresh
/// pages costs ten times as much as writing used ones, so freed blocks are kept and reused. Error
/// if the system has none.
void* allocate(std::size_t bytes);
void deallocate(void* block, std::size_t bytes) noexcept;

/// Gives a class its memory from the allocator above.
struct Pooled {
  static void* operator new(std::size_t bytes) { return allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { deallocate(block, bytes); }
};

}  // namespace detail
}  // namespace cadena
