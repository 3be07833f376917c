#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/error.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <vector>

// Under a sanitizer every block comes from the system, so that it sees each use after free.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CADENA_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CADENA_SANITIZED 1
#endif
#endif

namespace cadena {
namespace detail {
namespace {

#ifdef CADENA_SANITIZED
constexpr bool caching = false;
#else
constexpr bool caching = true;
#endif

constexpr std::size_t small_limit = 1024;  // bytes; up to it blocks are cached by each thread
constexpr std::size_t small_step = 64;
constexpr std::size_t small_classes = small_limit / small_step;
constexpr int small_kept = 2048;  // free blocks of a class that a thread keeps
constexpr std::size_t huge_page = std::size_t{2} << 20;

struct FreeBlock {
  FreeBlock* next;
};

std::size_t small_class(std::size_t bytes) noexcept {
  return bytes == 0 ? 0 : (bytes - 1) / small_step;
}

/// Sizes of large blocks: eight steps between powers of two.
std::size_t rounded(std::size_t bytes) noexcept {
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

std::size_t large_class(std::size_t size) noexcept {
  const std::size_t step = std::bit_floor(size) / 8;
  return static_cast<std::size_t>(std::bit_width(size)) * 8 + size / step - 8;
}

/// A counter that one thread writes and others read.
class OwnedCounter {
 public:
  void add(std::int64_t amount) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

[[noreturn]] void fail_allocation(std::size_t bytes) {
  fail("memory: the system does not give {} bytes", bytes);
}

struct ThreadCache;

/// Blocks over the small limit, free ones by class; and the list of thread caches. It is never
/// destroyed, as objects of static storage may free their blocks after it would be.
struct Shared {
  std::mutex mutex;
  std::vector<FreeBlock*> free = std::vector<FreeBlock*>(65 * 8, nullptr);
  std::vector<std::size_t> size_of_class = std::vector<std::size_t>(65 * 8, 0);
  std::vector<ThreadCache*> caches;
  std::int64_t in_use = 0, blocks = 0, cached = 0, peak = 0;
  std::int64_t limit = static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<std::int64_t>(sysconf(_SC_PAGESIZE)) / 4;
  std::int64_t finished_small_bytes = 0, finished_small_blocks = 0;

  /// Counts a large block that is handed out; the mutex is held.
  void count(std::int64_t size) noexcept {
    in_use += size;
    blocks += 1;
    peak = std::max(peak, in_use);
  }
};

Shared& shared() {
  static Shared& instance = *new Shared;
  return instance;
}

/// The small blocks of one thread. A block may be freed by another thread than its maker; the
/// bound of each list keeps such a traffic from growing it.
struct ThreadCache {
  FreeBlock* free[small_classes] = {};
  int kept[small_classes] = {};
  OwnedCounter bytes, blocks;

  ThreadCache() {
    Shared& all = shared();
    std::lock_guard lock(all.mutex);
    all.caches.push_back(this);
  }
  ~ThreadCache();

  void* allocate(std::size_t index) {
    void* taken = free[index];
    if (taken == nullptr) {
      taken = system((index + 1) * small_step);
    } else {
      free[index] = free[index]->next;
      --kept[index];
    }
    bytes.add(static_cast<std::int64_t>((index + 1) * small_step));
    blocks.add(1);
    return taken;
  }
  void deallocate(void* pointer, std::size_t index) noexcept {
    bytes.add(-static_cast<std::int64_t>((index + 1) * small_step));
    blocks.add(-1);
    if (!caching || kept[index] == small_kept) {
      std::free(pointer);
      return;
    }
    auto* block = static_cast<FreeBlock*>(pointer);
    block->next = free[index];
    free[index] = block;
    ++kept[index];
  }
  void clear() noexcept {
    for (std::size_t i = 0; i < small_classes; ++i) {
      while (FreeBlock* block = free[i]) {
        free[i] = block->next;
        std::free(block);
      }
      kept[i] = 0;
    }
  }
  static void* system(std::size_t bytes) {
    void* block = std::malloc(bytes);
    if (block == nullptr) {
      empty_memory_cache();
      block = std::malloc(bytes);
    }
    if (block == nullptr) {
      fail_allocation(bytes);
    }
    return block;
  }
};

constinit thread_local ThreadCache* this_cache = nullptr;
constinit thread_local bool thread_ended = false;

ThreadCache* make_thread_cache() {
  if (!thread_ended) {
    static thread_local ThreadCache cache;
    this_cache = &cache;
  }
  return this_cache;
}

/// The cache of the thread, or null when the thread is ending and has destroyed it already.
inline ThreadCache* thread_cache() {
  return this_cache != nullptr ? this_cache : make_thread_cache();
}

ThreadCache::~ThreadCache() {
  clear();
  Shared& all = shared();
  std::lock_guard lock(all.mutex);
  all.finished_small_bytes += bytes.value();
  all.finished_small_blocks += blocks.value();
  std::erase(all.caches, this);
  this_cache = nullptr;
  thread_ended = true;
}

/// Counts a small block of a thread whose cache is gone.
void count_small(std::int64_t bytes, std::int64_t blocks) noexcept {
  Shared& all = shared();
  std::lock_guard lock(all.mutex);
  all.finished_small_bytes += bytes;
  all.finished_small_blocks += blocks;
}

void* allocate_large(std::size_t size) {
  Shared& all = shared();
  {
    std::lock_guard lock(all.mutex);
    const std::size_t index = large_class(size);
    if (FreeBlock* block = all.free[index]) {
      all.free[index] = block->next;
      all.cached -= static_cast<std::int64_t>(size);
      all.count(static_cast<std::int64_t>(size));
      return block;
    }
  }
  const std::size_t alignment = size >= huge_page ? huge_page : 64;
  void* block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (block == nullptr) {
    empty_memory_cache();
    block = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  }
  if (block == nullptr) {
    fail_allocation(size);
  }
  if (size >= huge_page) {
    madvise(block, size, MADV_HUGEPAGE);  // fewer page faults on first touch; a hint only
  }
  std::lock_guard lock(all.mutex);
  all.count(static_cast<std::int64_t>(size));
  return block;
}

/// Frees cached large blocks, the largest first, until at most `bound` bytes are cached.
void shrink(Shared& all, std::int64_t bound) noexcept {
  for (std::size_t index = all.free.size(); index-- > 0 && all.cached > bound;) {
    while (all.free[index] != nullptr && all.cached > bound) {
      FreeBlock* block = all.free[index];
      all.free[index] = block->next;
      all.cached -= static_cast<std::int64_t>(all.size_of_class[index]);
      std::free(block);
    }
  }
}

void deallocate_large(void* pointer, std::size_t size) noexcept {
  Shared& all = shared();
  {
    std::lock_guard lock(all.mutex);
    all.in_use -= static_cast<std::int64_t>(size);
    all.blocks -= 1;
    if (const auto bytes = static_cast<std::int64_t>(size); caching && bytes <= all.limit) {
      // The newest block is likelier to be asked for again than one that lies there.
      shrink(all, all.limit - bytes);
      const std::size_t index = large_class(size);
      all.size_of_class[index] = size;
      auto* block = static_cast<FreeBlock*>(pointer);
      block->next = all.free[index];
      all.free[index] = block;
      all.cached += static_cast<std::int64_t>(size);
      return;
    }
  }
  std::free(pointer);
}

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes <= small_limit) {
    if (ThreadCache* cache = thread_cache()) {
      return cache->allocate(small_class(bytes));
    }
    const std::size_t size = (small_class(bytes) + 1) * small_step;
    void* block = ThreadCache::system(size);
    count_small(static_cast<std::int64_t>(size), 1);
    return block;
  }
  if (bytes > (std::size_t{1} << 60)) {
    fail_allocation(bytes);
  }
  return allocate_large(rounded(bytes));
}

void deallocate(void* block, std::size_t bytes) noexcept {
  if (block == nullptr) {
    return;
  }
  if (bytes > small_limit) {
    deallocate_large(block, rounded(bytes));
  } else if (ThreadCache* cache = thread_cache()) {
    cache->deallocate(block, small_class(bytes));
  } else {
    std::free(block);
    count_small(-static_cast<std::int64_t>((small_class(bytes) + 1) * small_step), -1);
  }
}

}  // namespace detail

MemoryStats memory_stats() {
  detail::Shared& all = detail::shared();
  std::lock_guard lock(all.mutex);
  MemoryStats stats{.bytes_in_use = all.in_use + all.finished_small_bytes,
                    .blocks_in_use = all.blocks + all.finished_small_blocks,
                    .bytes_cached = all.cached,
                    .bytes_peak = all.peak,
                    .cache_limit = all.limit};
  for (const detail::ThreadCache* cache : all.caches) {
    stats.bytes_in_use += cache->bytes.value();
    stats.blocks_in_use += cache->blocks.value();
  }
  return stats;
}

void set_memory_cache_limit(std::int64_t bytes) {
  detail::Shared& all = detail::shared();
  std::lock_guard lock(all.mutex);
  all.limit = std::max<std::int64_t>(bytes, 0);
  detail::shrink(all, all.limit);
}

void empty_memory_cache() {
  detail::Shared& all = detail::shared();
  {
    std::lock_guard lock(all.mutex);
    detail::shrink(all, 0);
  }
  if (detail::ThreadCache* cache = detail::thread_cache()) {
    cache->clear();
  }
}

void reset_memory_peak() {
  detail::Shared& all = detail::shared();
  std::lock_guard lock(all.mutex);
  all.peak = all.in_use;
}

}  // namespace cadena
