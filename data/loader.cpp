#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/data/loader.hpp>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <limits>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

namespace cadena::data {
namespace {

// So that no Generator of the same seed draws the same numbers.
constexpr std::uint64_t own_streams = 0x6c6f61646572;

/// The samples in the order of an epoch.
std::vector<std::int64_t> order_of(std::int64_t samples, const LoaderOptions& options,
                                   std::int64_t epoch) {
  if (options.shuffle) {
    const Generator generator;
    generator.set_state({*options.seed ^ own_streams, static_cast<std::uint64_t>(epoch)});
    return randperm(samples, {}, generator).to_vector<std::int64_t>();
  }
  std::vector<std::int64_t> order(static_cast<std::size_t>(samples));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  return order;
}

}  // namespace

/// The batches of one epoch, made where they are asked for or ahead in a thread.
struct Loader::Epoch {
  std::function<Batch(std::span<const std::int64_t>)> make_batch;
  std::vector<std::int64_t> order;
  std::size_t batch_size;
  std::size_t batches;
  std::size_t next_batch = 0;  // the next that is made

  std::size_t ahead = 0;  // 0: no thread
  std::mutex mutex;
  std::condition_variable_any changed;
  std::deque<Batch> ready;
  bool finished = false;
  std::exception_ptr error;
  std::jthread worker;  // last: it stops before the rest goes

  std::optional<Batch> make() {
    if (next_batch == batches) {
      return std::nullopt;
    }
    const std::span<const std::int64_t> all(order);
    const std::size_t begin = next_batch++ * batch_size;
    return make_batch(all.subspan(begin, std::min(batch_size, all.size() - begin)));
  }

  void start(std::size_t prefetch) {
    ahead = prefetch;
    worker = std::jthread([this, grad_enabled = modes().grad_enabled](const std::stop_token& stop) {
      modes().grad_enabled = grad_enabled;
      work(stop);
    });
  }

  void work(const std::stop_token& stop) {
    std::exception_ptr thrown;
    try {
      while (std::optional<Batch> batch = make()) {
        std::unique_lock lock(mutex);
        changed.wait(lock, stop, [this] { return ready.size() < ahead; });
        if (stop.stop_requested()) {
          return;  // left early; there may be room all the same
        }
        ready.push_back(*std::move(batch));
        changed.notify_one();
      }
    } catch (...) {
      thrown = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    error = thrown;
    finished = true;
    changed.notify_one();
  }

  std::optional<Batch> next() {
    if (ahead == 0) {
      return make();
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !ready.empty() || finished; });
    if (!ready.empty()) {
      Batch batch = std::move(ready.front());
      ready.pop_front();
      changed.notify_one();
      return batch;
    }
    if (error) {
      std::rethrow_exception(std::exchange(error, nullptr));
    }
    return std::nullopt;
  }
};

Loader::Loader(std::int64_t samples, LoaderOptions options) : samples_(samples), options_(options) {
  if (samples < 0) {
    fail("Loader: the data set has {} samples", samples);
  }
  if (options.batch_size < 0) {
    fail("Loader: batch_size must be at least 1, or 0 for all samples, got {}", options.batch_size);
  }
  if (options.prefetch < 0) {
    fail("Loader: prefetch must be at least 0, got {}", options.prefetch);
  }
  if (options_.batch_size == 0) {
    options_.batch_size = std::max<std::int64_t>(samples, 1);
  }
  if (options.shuffle && !options.seed) {
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
    options_.seed = static_cast<std::uint64_t>(randint(0, most, {}).item<std::int64_t>());
  }
}

std::int64_t Loader::size() const noexcept {
  const std::int64_t whole = samples_ / options_.batch_size;
  return whole + (!options_.drop_last && samples_ % options_.batch_size != 0 ? 1 : 0);
}

Loader::Iterator Loader::begin() {
  if (!make_batch_) {
    fail("Loader: it was moved from, and has no data set any more");
  }
  auto epoch = std::make_unique<Epoch>();
  epoch->make_batch = make_batch_;
  epoch->order = order_of(samples_, options_, epoch_);
  epoch->batch_size = static_cast<std::size_t>(options_.batch_size);
  epoch->batches = static_cast<std::size_t>(size());
  if (options_.prefetch > 0 && epoch->batches > 1) {  // one batch cannot be made ahead
    epoch->start(static_cast<std::size_t>(options_.prefetch));
  }
  ++epoch_;
  return Iterator(std::move(epoch));
}

Loader::Iterator::Iterator(std::unique_ptr<Epoch> epoch) : epoch_(std::move(epoch)) { ++*this; }
Loader::Iterator::Iterator(Iterator&&) noexcept = default;
Loader::Iterator& Loader::Iterator::operator=(Iterator&&) noexcept = default;
Loader::Iterator::~Iterator() = default;

Loader::Iterator& Loader::Iterator::operator++() {
  batch_ = {};  // the loop's last batch is gone before the next is waited for
  if (std::optional<Batch> batch = epoch_->next()) {
    batch_ = *std::move(batch);
  } else {
    epoch_.reset();
  }
  return *this;
}

}  // namespace cadena::data
