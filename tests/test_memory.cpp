// The allocator: what it counts, keeps and gives back.

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "test.hpp"

namespace {

using namespace cadena;

constexpr std::int64_t mebi = std::int64_t{1} << 20;

/// Under a sanitizer nothing is cached.
bool caches() {
  { const Tensor block = zeros({mebi}); }
  return memory_stats().bytes_cached > 0;
}

struct LimitAsBefore {
  std::int64_t before = memory_stats().cache_limit;
  ~LimitAsBefore() { set_memory_cache_limit(before); }
};

void check_balance(const MemoryStats& before) {
  const MemoryStats after = memory_stats();
  CHECK(after.blocks_in_use == before.blocks_in_use);
  CHECK(after.bytes_in_use == before.bytes_in_use);
}

}  // namespace

TEST_CASE("memory in use is counted and comes back") {
  { exp(tensor({1.0})); }  // what operators keep for good is there now
  const MemoryStats before = memory_stats();
  {
    const Tensor x = zeros({mebi});
    const MemoryStats with = memory_stats();
    CHECK(with.bytes_in_use >= before.bytes_in_use + 4 * mebi);
    CHECK(with.bytes_in_use <= before.bytes_in_use + 5 * mebi);
    CHECK(with.blocks_in_use == before.blocks_in_use + 2);  // the handle's and the values'
    const Tensor shared = x;
    CHECK(memory_stats().blocks_in_use == with.blocks_in_use);
  }
  check_balance(before);
  {
    const Tensor x = ones({100, 100}, {.dtype = float64, .requires_grad = true});
    for (int i = 0; i < 3; ++i) {
      sum(exp(x * 2.0) * x).backward();
    }
  }
  check_balance(before);
}

TEST_CASE("blocks of all sizes hold what is written to them") {
  const MemoryStats before = memory_stats();
  std::vector<std::pair<unsigned char*, std::size_t>> blocks;
  for (std::size_t size = 0; size < 3000; size += 7) {
    blocks.emplace_back(static_cast<unsigned char*>(detail::allocate(size)), size);
  }
  for (std::size_t size = 4096; size <= (std::size_t{1} << 23); size = size * 5 / 4 + 1) {
    blocks.emplace_back(static_cast<unsigned char*>(detail::allocate(size)), size);
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const auto [block, size] = blocks[i];
    CHECK(reinterpret_cast<std::uintptr_t>(block) % (size > 1024 ? 64 : 16) == 0);
    std::memset(block, static_cast<int>(i % 251), size);
  }
  bool intact = true;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    for (std::size_t k = 0; k < blocks[i].second; k += 61) {
      intact = intact && blocks[i].first[k] == i % 251;
    }
  }
  CHECK(intact);
  for (const auto& [block, size] : blocks) {
    detail::deallocate(block, size);
  }
  detail::deallocate(nullptr, 100);
  check_balance(before);
}

TEST_CASE("the cache of free blocks is bounded and can be emptied") {
  const LimitAsBefore as_before;
  if (!caches()) {
    return;
  }
  empty_memory_cache();
  CHECK(memory_stats().bytes_cached == 0);
  set_memory_cache_limit(8 * mebi);
  CHECK(memory_stats().cache_limit == 8 * mebi);
  {
    std::vector<Tensor> many;
    for (int i = 0; i < 16; ++i) {
      many.push_back(zeros({mebi / 4}));  // 1 MiB each and the header
    }
  }
  const MemoryStats full = memory_stats();
  CHECK(full.bytes_cached <= 8 * mebi);
  CHECK(full.bytes_cached >= 6 * mebi);
  // A full cache makes room for what was freed last.
  const auto use_and_free = [] { const Tensor x = zeros({3 * mebi / 4}); };
  use_and_free();
  const std::int64_t with_it = memory_stats().bytes_cached;
  CHECK(with_it <= 8 * mebi);
  {
    const Tensor again = zeros({3 * mebi / 4});
    CHECK(memory_stats().bytes_cached <= with_it - 3 * mebi);
  }
  set_memory_cache_limit(2 * mebi);
  CHECK(memory_stats().bytes_cached <= 2 * mebi);
  CHECK(memory_stats().bytes_cached > 0);
  set_memory_cache_limit(0);
  CHECK(memory_stats().bytes_cached == 0);
  { const Tensor x = zeros({mebi}); }
  CHECK(memory_stats().bytes_cached == 0);
  set_memory_cache_limit(-5);
  CHECK(memory_stats().cache_limit == 0);
}

TEST_CASE("freed memory is used again") {
  if (!caches()) {
    return;
  }
  empty_memory_cache();
  const float* first = nullptr;
  {
    const Tensor x = zeros({mebi});
    first = x.data<float>().data();
  }
  CHECK(zeros({mebi}).data<float>().data() == first);
  const std::int64_t cached = memory_stats().bytes_cached;
  for (int i = 0; i < 100; ++i) {
    const Tensor x = zeros({mebi});
    const Tensor y = zeros({mebi + 100});  // of the same class
  }
  CHECK(memory_stats().bytes_cached == 2 * cached);
}

TEST_CASE("the peak is that of large blocks since it was reset") {
  reset_memory_peak();
  const std::int64_t base = memory_stats().bytes_peak;
  {
    const Tensor x = zeros({4 * mebi});
    const Tensor y = zeros({2 * mebi});
  }
  const std::int64_t peak = memory_stats().bytes_peak - base;
  CHECK(peak >= 24 * mebi);
  CHECK(peak < 28 * mebi);
  { const Tensor x = zeros({mebi}); }
  CHECK(memory_stats().bytes_peak - base == peak);
  reset_memory_peak();
  CHECK(memory_stats().bytes_peak == base);
}

TEST_CASE("tensors made by many threads and freed by others balance") {
  const MemoryStats before = memory_stats();
  for (int round = 0; round < 3; ++round) {
    std::mutex mutex;
    std::vector<Tensor> passed;
    std::vector<std::thread> makers;
    for (int t = 0; t < 8; ++t) {
      makers.emplace_back([&, t] {
        for (int i = 0; i < 400; ++i) {
          Tensor x = full({1 + (i * 37 + t) % 3000}, t);
          std::lock_guard lock(mutex);
          passed.push_back(std::move(x));
          if (passed.size() > 100) {
            passed.erase(passed.begin());  // most likely another thread's
          }
        }
      });
    }
    for (std::thread& maker : makers) {
      maker.join();
    }
    std::thread([&] { passed.resize(passed.size() / 2); }).join();
  }
  check_balance(before);
}

namespace {

struct Holder {
  Tensor tensor;
};
thread_local Holder late;

}  // namespace

TEST_CASE("tensors that die with their thread are counted") {
  const MemoryStats before = memory_stats();
  std::thread([] {
    late.tensor = Tensor();  // made before this thread's cache of blocks, so destroyed after it
    late.tensor = full({3}, 1);
  }).join();
  check_balance(before);
}

TEST_CASE("a pipeline of producer and consumer does not grow") {
  // The consumer frees all that the producer makes: each thread's lists are bounded.
  const MemoryStats before = memory_stats();
  std::mutex mutex;
  std::vector<Tensor> queue;
  bool done = false;
  std::thread consumer([&] {
    for (bool last = false; !last;) {
      std::vector<Tensor> taken;
      std::lock_guard lock(mutex);
      taken.swap(queue);
      last = done;
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    Tensor x = full({2}, i);
    std::lock_guard lock(mutex);
    queue.push_back(std::move(x));
  }
  {
    std::lock_guard lock(mutex);
    done = true;
  }
  consumer.join();
  queue.clear();
  check_balance(before);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // these end the program
TEST_CASE("memory that is not there leaves no trace in the statistics") {
  reset_memory_peak();
  const MemoryStats before = memory_stats();
  CHECK_THROWS_AS(zeros({std::int64_t{1} << 50}), Error);
  CHECK(memory_stats().bytes_peak == before.bytes_peak);
  CHECK(memory_stats().bytes_in_use == before.bytes_in_use);
}
#endif
