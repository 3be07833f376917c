#include "support.hpp"

#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <atomic>
#include <limits>
#include <mutex>
#include <numeric>
#include <set>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace cadena;
using namespace support;

namespace {

float halved_smallest_normal() {
  volatile float smallest = std::numeric_limits<float>::min();
  return smallest * 0.5f;
}

float from_subnormal() {
  volatile float subnormal = std::numeric_limits<float>::denorm_min();
  return subnormal * 0x1p30f;
}

}  // namespace

TEST_CASE("parallel_for covers the range once, cut by n and grain alone") {
  const ThreadsGuard guard;
  for (const int n_threads : {1, 2, 8}) {
    set_threads(n_threads);
    CHECK(threads() == n_threads);
    for (const std::int64_t n : {0, 1, 7, 100, 1001}) {
      for (const std::int64_t grain : {1, 3, 100, 5000}) {
        std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
        std::mutex mutex;
        std::set<std::pair<std::int64_t, std::int64_t>> pieces;
        parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) ++seen[static_cast<std::size_t>(i)];
          const std::lock_guard lock(mutex);
          pieces.emplace(begin, end);
        });
        for (const auto& count : seen) REQUIRE(count == 1);
        std::set<std::pair<std::int64_t, std::int64_t>> expected;
        for (std::int64_t b = 0; b < n; b += grain) expected.emplace(b, std::min(b + grain, n));
        CHECK(pieces == expected);
      }
    }
  }
}

TEST_CASE("set_threads takes more threads than cores, and at least one") {
  const ThreadsGuard guard;
  CHECK_THROWS_AS(set_threads(0), cadena::Error);
  CHECK_THROWS_AS(set_threads(100'000), cadena::Error);
  CHECK_THROWS_AS(set_threads(-3), cadena::Error);
  set_threads(8);
  // Eight pieces that wait for each other can only end when eight threads run them.
  std::atomic<int> waiting{0};
  parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
    ++waiting;
    while (waiting < 8) std::this_thread::yield();
  });
  CHECK(waiting == 8);
}

TEST_CASE("parallel_for may be nested") {
  const ThreadsGuard guard;
  for (const int n_threads : {1, 2, 8}) {
    set_threads(n_threads);
    std::atomic<std::int64_t> sum{0};
    parallel_for(20, 1, [&](std::int64_t outer, std::int64_t) {
      parallel_for(30, 1, [&](std::int64_t inner, std::int64_t) {
        parallel_for(4, 1, [&](std::int64_t innermost, std::int64_t) {
          sum += outer * 1000 + inner * 10 + innermost;
        });
      });
    });
    CHECK(sum == 190 * 1000 * 120 + 435 * 10 * 80 + 6 * 600);
  }
}

TEST_CASE("an exception of a piece reaches the caller, who can go on") {
  const ThreadsGuard guard;
  for (const int n_threads : {1, 2, 8}) {
    set_threads(n_threads);
    for (const Denormals denormals : {Denormals::keep, Denormals::flush}) {
      const auto throwing = [&] {
        parallel_for(
            64, 1,
            [](std::int64_t begin, std::int64_t) {
              if (begin == 17) throw std::runtime_error("piece 17");
            },
            denormals);
      };
      CHECK_THROWS_WITH(throwing(), "piece 17");
      CHECK(halved_smallest_normal() != 0);
      CHECK(modes().grad_enabled);
    }
    std::atomic<int> count{0};
    parallel_for(64, 1, [&](std::int64_t, std::int64_t) { ++count; });
    CHECK(count == 64);
  }
}

TEST_CASE("the caller's modes hold in each piece and leave no trace") {
  const ThreadsGuard guard;
  set_threads(8);
  const Modes saved = modes();
  modes().grad_enabled = false;
  std::atomic<int> carried{0};
  parallel_for(64, 1, [&](std::int64_t, std::int64_t) {
    carried += modes().grad_enabled ? 0 : 1;
    modes().grad_enabled = true;
  });
  CHECK(carried == 64);
  CHECK_FALSE(modes().grad_enabled);
  modes() = saved;
  std::atomic<int> fresh{0};
  parallel_for(64, 1, [&](std::int64_t, std::int64_t) { fresh += modes().grad_enabled ? 1 : 0; });
  CHECK(fresh == 64);
}

#if defined(__x86_64__)
TEST_CASE("results are flushed to zero where asked, inputs never") {
  const ThreadsGuard guard;
  constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
  for (const int n_threads : {1, 2, 8}) {
    set_threads(n_threads);
    for (const std::int64_t n : {1, 64}) {
      std::atomic<std::int64_t> flushed{0}, kept{0}, read{0};
      parallel_for(
          n, 1,
          [&](std::int64_t, std::int64_t) {
            flushed += halved_smallest_normal() == 0 ? 1 : 0;
            read += from_subnormal() != 0 ? 1 : 0;
            // A loop inside that keeps is inside a loop that flushes.
            parallel_for(2, 1, [&](std::int64_t, std::int64_t) {
              flushed += halved_smallest_normal() == 0 ? 1 : 0;
            });
          },
          Denormals::flush);
      parallel_for(
          n, 1, [&](std::int64_t, std::int64_t) { kept += halved_smallest_normal() != 0 ? 1 : 0; });
      CHECK(flushed == 3 * n);
      CHECK(kept == n);
      CHECK(read == n);
      CHECK((_mm_getcsr() & (flush_to_zero | denormals_are_zero)) == 0);
    }
  }
}

TEST_CASE("what the caller set by itself holds in each piece and stays") {
  const ThreadsGuard guard;
  set_threads(8);
  const unsigned saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040);
  std::atomic<int> same{0};
  for (const Denormals denormals : {Denormals::keep, Denormals::flush}) {
    parallel_for(
        64, 1,
        [&](std::int64_t, std::int64_t) { same += (_mm_getcsr() & 0x8040) == 0x8040 ? 1 : 0; },
        denormals);
  }
  const unsigned after = _mm_getcsr();
  _mm_setcsr(saved);
  CHECK(same == 128);
  CHECK((after & 0x8040) == 0x8040);
}
#endif

TEST_CASE("threads of the user may run loops and set the number of threads at once") {
  const ThreadsGuard guard;
  std::atomic<std::int64_t> wrong{0};
  const auto work = [&](int id) {
    for (int round = 0; round < 50; ++round) {
      if (id == 2 || round % 10 == 0) set_threads(1 + (round + id) % 4);
      std::vector<std::int64_t> squares(1000);
      parallel_for(1000, 10, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) squares[static_cast<std::size_t>(i)] = i * i;
      });
      const std::int64_t sum = std::accumulate(squares.begin(), squares.end(), std::int64_t{0});
      wrong += sum == 332833500 ? 0 : 1;
    }
  };
  std::vector<std::thread> users;
  for (int id = 0; id < 3; ++id) users.emplace_back(work, id);
  for (std::thread& user : users) user.join();
  CHECK(wrong == 0);
}
