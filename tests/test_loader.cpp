// Prefetching is done by a std::jthread.
#include "support.hpp"

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/data/loader.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

using namespace cadena;
using namespace support;
using data::Batch;
using data::Loader;
using data::LoaderOptions;
using data::TensorDataset;

namespace {

/// Inputs [n, 2] and targets [n] that name their sample.
TensorDataset numbered(std::int64_t n) {
  std::vector<float> inputs;
  std::vector<std::int64_t> targets;
  for (std::int64_t i = 0; i < n; ++i) {
    inputs.push_back(static_cast<float>(i));
    inputs.push_back(static_cast<float>(-i));
    targets.push_back(i);
  }
  return {from_vector(inputs, {n, 2}), from_vector(targets, {n})};
}

/// The samples of one epoch; checks that inputs and targets belong together.
std::vector<std::vector<std::int64_t>> epoch_of(Loader& loader) {
  std::vector<std::vector<std::int64_t>> batches;
  for (const auto& [inputs, targets] : loader) {
    const std::vector<std::int64_t> samples = targets.to_vector<std::int64_t>();
    REQUIRE(inputs.shape() == Shape{static_cast<std::int64_t>(samples.size()), 2});
    const std::vector<double> values = inputs.to_vector<double>();
    for (std::size_t i = 0; i < samples.size(); ++i) {
      REQUIRE(values[2 * i] == static_cast<double>(samples[i]));
      REQUIRE(values[2 * i + 1] == -static_cast<double>(samples[i]));
    }
    batches.push_back(samples);
  }
  return batches;
}

std::vector<std::int64_t> joined(const std::vector<std::vector<std::int64_t>>& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) {
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

std::vector<std::int64_t> first(std::int64_t n) {
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < n; ++i) {
    all.push_back(i);
  }
  return all;
}

/// Throws at its seventh batch.
struct Failing {
  std::int64_t size() const { return 100; }
  Batch batch(std::span<const std::int64_t> samples) const {
    if (samples[0] == 60) {
      fail("sample 60 cannot be read");
    }
    const Tensor x =
        full({static_cast<std::int64_t>(samples.size())}, static_cast<double>(samples[0]));
    return {x, x};
  }
};

}  // namespace

TEST_CASE("A data set's tensors share their first dimension") {
  check_error([] { TensorDataset(zeros({3, 2}), zeros({4})); }, {"[3, 2] against [4]"});
  check_error([] { TensorDataset(zeros({}), zeros({})); }, {"first dimension"});
  const TensorDataset dataset = numbered(5);
  CHECK(dataset.size() == 5);
  check_error(
      [&] {
        (void)dataset.batch(std::vector<std::int64_t>{0, 5});
      },
      {"sample 5", "[0, 5)"});
  const std::vector<std::int64_t> some{4, 0, 0}, row{1, 2, 3};
  CHECK(dataset.batch(some).inputs.to_vector<double>() == std::vector<double>{4, -4, 0, 0, 0, 0});
  const Batch view = dataset.batch(row);  // samples in succession are not copied
  CHECK(view.inputs.data<float>().data() == dataset.inputs().data<float>().data() + 2);
  check_error([] { TensorDataset(Tensor(), zeros({2})); }, {"TensorDataset", "inputs is undef"});
  check_error([] { TensorDataset(zeros({2}), Tensor()); }, {"TensorDataset", "targets is undef"});
}

TEST_CASE("Without shuffling the loader keeps the order; batch sizes 1, n and all") {
  for (const int prefetch : {0, 1, 3}) {
    for (const std::int64_t batch_size : {1, 4, 10, 11, 0}) {
      Loader loader(numbered(10), {.batch_size = batch_size, .prefetch = prefetch});
      const auto batches = epoch_of(loader);
      INFO("batch size " << batch_size << ", prefetch " << prefetch);
      CHECK(joined(batches) == first(10));
      CHECK(static_cast<std::int64_t>(batches.size()) == loader.size());
      const std::size_t expected = batch_size == 1 ? 10 : batch_size == 4 ? 3 : 1;
      CHECK(batches.size() == expected);
      CHECK(batches[0].size() == (batch_size == 1 ? 1u : batch_size == 4 ? 4u : 10u));
    }
    Loader whole_ones(numbered(10), {.batch_size = 4, .drop_last = true, .prefetch = prefetch});
    CHECK(whole_ones.size() == 2);
    CHECK(joined(epoch_of(whole_ones)) == first(8));
    Loader none(numbered(3), {.batch_size = 4, .drop_last = true, .prefetch = prefetch});
    CHECK(epoch_of(none).empty());
    Loader empty(numbered(0), {.batch_size = 0, .prefetch = prefetch});
    CHECK(epoch_of(empty).empty());
  }
}

TEST_CASE("Shuffling: every sample once, another order each epoch, the same again by seed") {
  const auto epochs = [](LoaderOptions options, int count) {
    Loader loader(numbered(103), options);
    std::vector<std::vector<std::int64_t>> all;
    for (int i = 0; i < count; ++i) {
      all.push_back(joined(epoch_of(loader)));
    }
    return all;
  };
  const auto reference = epochs({.batch_size = 10, .shuffle = true, .seed = 5}, 4);
  std::set<std::vector<std::int64_t>> orders(reference.begin(), reference.end());
  CHECK(orders.size() == 4);
  CHECK(orders.count(first(103)) == 0);
  for (std::vector<std::int64_t> order : reference) {
    std::sort(order.begin(), order.end());
    REQUIRE(order == first(103));
  }
  for (const int prefetch : {0, 1, 7}) {
    CHECK(epochs({.batch_size = 10, .shuffle = true, .seed = 5, .prefetch = prefetch}, 4) ==
          reference);
  }
  CHECK(epochs({.batch_size = 1, .shuffle = true, .seed = 5}, 4) == reference);
  CHECK(epochs({.batch_size = 10, .shuffle = true, .seed = 6}, 4) != reference);

  Loader later(numbered(103), {.batch_size = 10, .shuffle = true, .seed = 5});
  later.set_epoch(2);
  CHECK(joined(epoch_of(later)) == reference[2]);
  CHECK(later.epoch() == 3);
}

TEST_CASE("Shuffling treats places alike") {
  constexpr std::int64_t n = 6;
  constexpr int count = 6000;
  Loader loader(numbered(n), {.batch_size = 0, .shuffle = true, .seed = 1});
  int seen[n][n] = {};
  for (int i = 0; i < count; ++i) {
    const auto order = epoch_of(loader)[0];
    for (std::size_t place = 0; place < order.size(); ++place) {
      ++seen[place][order[place]];
    }
  }
  double chi_squared = 0;
  for (const auto& place : seen) {
    for (const int times : place) {
      chi_squared += (times - 1000.0) * (times - 1000.0) / 1000.0;
    }
  }
  CHECK(chi_squared < 60);  // 25 degrees of freedom: above 60 once in 10,000
}

TEST_CASE("What the data set throws comes after the batches before it") {
  for (const int prefetch : {0, 1, 50}) {
    Loader loader(Failing{}, {.batch_size = 10, .prefetch = prefetch});
    for (int again = 0; again < 2; ++again) {
      int batches = 0;
      check_error(
          [&] {
            for (const Batch& batch : loader) {
              REQUIRE(batch.inputs.to_vector<double>()[0] == batches * 10);
              ++batches;
            }
          },
          {"sample 60 cannot be read"});
      CHECK(batches == 6);
    }
  }
}

TEST_CASE("An epoch may be left early, moved, and outlive its loader") {
  const std::int64_t blocks = memory_stats().blocks_in_use;
  for (const int prefetch : {0, 1, 4}) {
    auto loader = std::make_unique<Loader>(
        numbered(1000), LoaderOptions{.batch_size = 3, .shuffle = true, .prefetch = prefetch});
    for (int i = 0; i < 50; ++i) {
      int seen = 0;
      for (auto [inputs, targets] : *loader) {
        if (seen++ == i % 5) {
          break;
        }
      }
      CHECK(loader->epoch() == i + 1);
    }
    Loader::Iterator epoch = loader->begin();
    Loader::Iterator moved = std::move(epoch);
    Loader::Iterator other = loader->begin();  // two epochs at a time
    loader.reset();
    std::int64_t samples = 0, others = 0;
    for (; moved != std::default_sentinel; ++moved) {
      samples += moved->targets.numel();
    }
    for (; other != std::default_sentinel; ++other) {
      others += (*other).targets.numel();
    }
    CHECK(samples == 1000);
    CHECK(others == 1000);
  }
  CHECK(memory_stats().blocks_in_use == blocks);
}

TEST_CASE("An epoch that is left makes no more batches, room or not") {
  struct Slow {
    std::shared_ptr<std::atomic<int>> made = std::make_shared<std::atomic<int>>(0);
    std::int64_t size() const { return 50; }
    Batch batch(std::span<const std::int64_t>) const {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      ++*made;
      return {zeros({1}), zeros({1})};
    }
  };
  const Slow dataset;
  Loader loader(dataset, {.batch_size = 1, .prefetch = 50});
  for (const Batch& batch : loader) {
    (void)batch;
    break;
  }
  CHECK(*dataset.made < 50);
}

TEST_CASE("Without a seed the order follows manual_seed, and differs from loader to loader") {
  const auto order = [](Loader& loader) { return joined(epoch_of(loader)); };
  const LoaderOptions options{.batch_size = 10, .shuffle = true};
  manual_seed(4);
  Loader first(numbered(103), options), second(numbered(103), options);
  const auto of_first = order(first), of_second = order(second);
  CHECK(of_first != of_second);
  manual_seed(4);
  Loader again(numbered(103), options);
  CHECK(order(again) == of_first);
  Loader given(numbered(103), first.options());  // the seed that was drawn
  CHECK(order(given) == of_first);
  manual_seed(5);
  Loader other(numbered(103), options);
  CHECK(order(other) != of_first);
}

TEST_CASE("A loader may be moved, and what is left of it says so") {
  Loader first(numbered(10), {.batch_size = 3});
  Loader second = std::move(first);
  CHECK(joined(epoch_of(second)).size() == 10);
  check_error([&] { (void)first.begin(); }, {"Loader", "moved from"});
}

TEST_CASE("No more batches are made ahead than asked for") {
  struct Counting {
    std::shared_ptr<std::atomic<int>> made = std::make_shared<std::atomic<int>>(0);
    std::int64_t size() const { return 100; }
    Batch batch(std::span<const std::int64_t>) const {
      ++*made;
      return {zeros({1}), zeros({1})};
    }
  };
  const Counting dataset;
  Loader loader(dataset, {.batch_size = 1, .prefetch = 3});
  int taken = 0;
  for (const Batch& batch : loader) {
    (void)batch;
    ++taken;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    REQUIRE(*dataset.made <= taken + 4);  // three wait, one is in the making
  }
  CHECK(*dataset.made == 100);
}

TEST_CASE("Wrong loader options are errors") {
  check_error([] { Loader(numbered(3), {.batch_size = -1}); }, {"batch_size", "-1"});
  check_error([] { Loader(numbered(3), {.prefetch = -2}); }, {"prefetch", "-2"});
}
