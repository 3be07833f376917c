// The only file that knows about TBB. It is compiled without ThreadSanitizer even when all else is
// compiled with it: the scheduler is not instrumented, so its synchronisation is told by
// annotations.
#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

// Null unless the program is linked with ThreadSanitizer's runtime.
extern "C" __attribute__((weak)) void __tsan_acquire(void*);
extern "C" __attribute__((weak)) void __tsan_release(void*);

namespace cadena {
namespace {

void annotate_acquire(void* address) {
  if (__tsan_acquire != nullptr) __tsan_acquire(address);
}
void annotate_release(void* address) {
  if (__tsan_release != nullptr) __tsan_release(address);
}

// The floating-point state of a thread: rounding mode and treatment of subnormals. Elsewhere than
// on x86-64 flushing results would flush inputs as well: there it is empty.
struct FloatControl {
  static constexpr unsigned flags = 0x3f, flush_to_zero = 0x8000;
  unsigned bits = 0;

  static FloatControl of_this_thread() {
#if defined(__x86_64__)
    return {_mm_getcsr()};
#else
    return {};
#endif
  }
  FloatControl with(Denormals denormals) const {
    return {denormals == Denormals::flush ? bits | flush_to_zero : bits};
  }
  bool same_as(FloatControl other) const { return ((bits ^ other.bits) & ~flags) == 0; }
  void apply() const {
#if defined(__x86_64__)
    _mm_setcsr(bits);
#endif
  }
};

// Gives this thread a state for the life of the guard. Exception flags raised meanwhile are lost:
// reading them back would cost as much as all the rest.
class FloatControlGuard {
 public:
  explicit FloatControlGuard(FloatControl wanted, FloatControl now = FloatControl::of_this_thread())
      : saved_(now), changed_(!wanted.same_as(now)) {
    if (changed_) wanted.apply();
  }
  ~FloatControlGuard() {
    if (changed_) saved_.apply();
  }
  FloatControlGuard(const FloatControlGuard&) = delete;
  FloatControlGuard& operator=(const FloatControlGuard&) = delete;

 private:
  FloatControl saved_;
  bool changed_;
};

class ModesGuard {
 public:
  explicit ModesGuard(const Modes& wanted) { modes() = wanted; }
  ~ModesGuard() { modes() = saved_; }
  ModesGuard(const ModesGuard&) = delete;
  ModesGuard& operator=(const ModesGuard&) = delete;

 private:
  Modes saved_ = modes();
};

constexpr int most_threads = 1024;

struct Scheduler {
  std::atomic<int> threads{
      std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, most_threads)};
  std::mutex mutex;
  // Lets the number of threads exceed that of cores. There is one at a time: of several the lowest
  // counts, and loops that still run in an older arena must not bound the next one.
  std::optional<tbb::global_control> control;
  std::shared_ptr<tbb::task_arena> arena;  // made by the first loop that needs it

  std::shared_ptr<tbb::task_arena> current_arena() {
    const std::lock_guard lock(mutex);
    if (!arena) {
      const int n = threads.load(std::memory_order_relaxed);
      control.reset();
      control.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(n));
      arena = std::make_shared<tbb::task_arena>(n);
    }
    return arena;
  }
};

// Never destroyed: loops may run in the destructors of static objects.
Scheduler& scheduler() {
  static Scheduler& instance = *new Scheduler;
  return instance;
}

// A loop as its pieces see it.
struct Region {
  void (*piece)(void*, std::int64_t);
  void* context;
  Modes modes;
  FloatControl control;
  std::int64_t begun = 0, ended = 0;  // addresses that stand for the edges of the loop

  void run(std::int64_t i) {
    annotate_acquire(&begun);
    struct End {
      void* address;
      ~End() { annotate_release(address); }
    } end{&ended};
    const ModesGuard modes_guard(modes);
    const FloatControlGuard control_guard(control);
    piece(context, i);
  }
};

}  // namespace

int threads() { return scheduler().threads.load(std::memory_order_relaxed); }

void set_threads(int n) {
  if (n < 1 || n > most_threads) {
    fail("set_threads: expected 1 to {} threads, got {}", most_threads, n);
  }
  Scheduler& s = scheduler();
  std::shared_ptr<tbb::task_arena>
      old;  // dies after the lock is released, when no loop uses it any more
  const std::lock_guard lock(s.mutex);
  if (s.threads.exchange(n, std::memory_order_relaxed) != n) old = std::move(s.arena);
}

void detail::run_pieces(std::int64_t count, void (*piece)(void*, std::int64_t), void* context,
                        Denormals denormals) {
  if (count <= 0) return;
  const FloatControl now = FloatControl::of_this_thread();
  if (count == 1 || threads() == 1) {
    const FloatControlGuard guard(now.with(denormals), now);
    for (std::int64_t i = 0; i < count; ++i) piece(context, i);
    return;
  }
  Region region{piece, context, modes(), now.with(denormals)};
  struct End {
    void* address;
    ~End() { annotate_acquire(address); }
  } end{&region.ended};
  annotate_release(&region.begun);
  const std::shared_ptr<tbb::task_arena> arena = scheduler().current_arena();
  arena->execute([&region, count] {
    // A thread that waits for its own loop must not start foreign work under its modes and locks.
    tbb::this_task_arena::isolate([&region, count] {
      tbb::parallel_for(
          std::int64_t{0}, count, [&region](std::int64_t i) { region.run(i); },
          tbb::simple_partitioner());
    });
  });
}

}  // namespace cadena
