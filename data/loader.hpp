#pragma once

#include <cadena/data/dataset.hpp>

#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace cadena::data {

struct LoaderOptions {
  std::int64_t batch_size = 32;  ///< Samples a batch; 0: all of them, 1: stochastic descent.
  bool shuffle = false;          ///< A new order each epoch, by `seed` and the epoch's number.
  /// Drawn from the default generator, which manual_seed seeds, when a loader that shuffles is made
  /// without one; `options()` then tells it.
  std::optional<std::uint64_t> seed = {};
  bool drop_last = false;  ///< Leave out the last batch if it is smaller than the others.
  int prefetch = 2;        ///< Batches made ahead by a thread of its own; 0: no such thread.
};

/// The batches of a data set, epoch after epoch:
///   for (auto [inputs, targets] : loader) ...
/// Each `begin` begins an epoch. The batches depend on the options (with the seed that was drawn)
/// and on the epoch alone, not on prefetching. What the data set throws is thrown where its batch
/// is due. An epoch may be left early, and may outlive the loader.
class Loader {
  struct Epoch;

 public:
  template <Dataset D>
  explicit Loader(D dataset, LoaderOptions options = {})
      : Loader(static_cast<std::int64_t>(dataset.size()), options) {
    make_batch_ = [dataset = std::move(dataset)](std::span<const std::int64_t> samples) -> Batch {
      return dataset.batch(samples);
    };
  }

  /// Number of batches in an epoch.
  std::int64_t size() const noexcept;
  const LoaderOptions& options() const noexcept { return options_; }

  /// The number of the epoch that the next `begin` begins, 0 at first; set it to go on where
  /// another run ended.
  std::int64_t epoch() const noexcept { return epoch_; }
  void set_epoch(std::int64_t epoch) noexcept { epoch_ = epoch; }

  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;

    Iterator(Iterator&&) noexcept;
    Iterator& operator=(Iterator&&) noexcept;
    ~Iterator();
    const Batch& operator*() const noexcept { return batch_; }
    const Batch* operator->() const noexcept { return &batch_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& iterator, std::default_sentinel_t) noexcept {
      return iterator.epoch_ == nullptr;
    }

   private:
    friend class Loader;
    explicit Iterator(std::unique_ptr<Epoch> epoch);
    std::unique_ptr<Epoch> epoch_;  // null at the end
    Batch batch_;
  };

  Iterator begin();
  std::default_sentinel_t end() const noexcept { return {}; }

 private:
  Loader(std::int64_t samples, LoaderOptions options);

  std::function<Batch(std::span<const std::int64_t>)> make_batch_;
  std::int64_t samples_;
  LoaderOptions options_;
  std::int64_t epoch_ = 0;
};

}  // namespace cadena::data
