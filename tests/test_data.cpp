// Prefetching is done by a std::jthread.
#include "test.hpp"

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/random.hpp>
#include <cadena/data/fashion_mnist.hpp>
#include <cadena/data/idx.hpp>
#include <cadena/data/loader.hpp>
#include <cadena/data/synthetic.hpp>

#include <boost/iostreams/copy.hpp>
#include <boost/iostreams/device/back_inserter.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_stream.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace cadena;
using data::Batch;
using data::Loader;
using data::LoaderOptions;
using data::TensorDataset;

namespace {

namespace fs = std::filesystem;

/// A directory of the test's own, gone at the end.
class Directory {
 public:
  Directory() {
    static int number = 0;
    path_ = fs::temp_directory_path() /
            ("cadena-test-" + std::to_string(getpid()) + "-" + std::to_string(number++));
    fs::create_directories(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string path() const { return path_.string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream((path_ / name).string(), std::ios::binary) << bytes;
    return (path_ / name).string();
  }

 private:
  fs::path path_;
};

std::string gzipped(const std::string& bytes) {
  std::string result;
  boost::iostreams::filtering_ostream out;
  out.push(boost::iostreams::gzip_compressor());
  out.push(boost::iostreams::back_inserter(result));
  out << bytes;
  boost::iostreams::close(out);
  return result;
}

std::string big_endian(std::uint64_t value, int bytes) {
  std::string result;
  for (int i = bytes; i-- > 0;) {
    result.push_back(static_cast<char>(value >> (8 * i)));
  }
  return result;
}

std::string idx(int type, const std::vector<std::uint32_t>& shape, const std::string& content) {
  std::string result{'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const std::uint32_t dimension : shape) {
    result += big_endian(dimension, 4);
  }
  return result + content;
}

std::string counted(std::size_t count) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i) {
    result.push_back(static_cast<char>(i * 7));
  }
  return result;
}

template <class Action> void check_error(Action&& action, const std::vector<std::string>& words) {
  std::string text;
  try {
    action();
  } catch (const Error& error) {
    text = error.what();
  }
  INFO("the error: \"" << text << '"');
  REQUIRE(!text.empty());
  for (const std::string& word : words) {
    CHECK(text.find(word) != std::string::npos);
  }
}

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
  for (auto [inputs, targets] : loader) {
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

TEST_CASE("IDX files of all types, plain and gzip") {
  const Directory directory;
  struct Case {
    int type;
    std::string content;
    Dtype dtype;
    std::vector<double> values;
  };
  const std::vector<Case> cases{
      {0x08, std::string("\x00\x01\x7f\x80\xff\x05", 6), uint8, {0, 1, 127, 128, 255, 5}},
      {0x09, std::string("\x00\x01\x7f\x80\xff\x05", 6), int64, {0, 1, 127, -128, -1, 5}},
      {0x0b,
       std::string("\x00\x01\x7f\xff\x80\x00\xff\xff\x00\x00\x01\x00", 12),
       int64,
       {1, 32767, -32768, -1, 0, 256}},
      {0x0c,
       std::string("\x00\x00\x00\x01\x7f\xff\xff\xff\x80\x00\x00\x00", 12) +
           std::string("\xff\xff\xff\xff\x00\x00\x00\x00\x00\x01\x00\x00", 12),
       int64,
       {1, 2147483647, -2147483648.0, -1, 0, 65536}},
      {0x0d,
       big_endian(0x3f800000, 4) + big_endian(0xc0000000, 4) + big_endian(0, 4) +
           big_endian(0x3f000000, 4) + big_endian(0x7f800000, 4) + big_endian(0x42c80000, 4),
       float32,
       {1, -2, 0, 0.5, INFINITY, 100}},
      {0x0e,
       big_endian(0x3ff0000000000000, 8) + big_endian(0xc000000000000000, 8) + big_endian(0, 8) +
           big_endian(0x3fe0000000000000, 8) + big_endian(0x7ff0000000000000, 8) +
           big_endian(0x4059000000000000, 8),
       float64,
       {1, -2, 0, 0.5, INFINITY, 100}},
  };
  for (const Case& one : cases) {
    const std::string bytes = idx(one.type, {2, 3}, one.content);
    for (const std::string& path :
         {directory.write("plain", bytes), directory.write("packed.gz", gzipped(bytes))}) {
      INFO("type " << one.type << ", " << path);
      const Tensor x = data::read_idx(path);
      CHECK(x.dtype() == one.dtype);
      CHECK(x.shape() == Shape{2, 3});
      CHECK(x.to_vector<double>() == one.values);
    }
  }
}

TEST_CASE("IDX files without dimensions, without elements, and of several megabytes") {
  const Directory directory;
  CHECK(data::read_idx(directory.write("number", idx(8, {}, "\x2a"))).item() == 42);
  CHECK(data::read_idx(directory.write("none", idx(8, {5, 0, 4294967295u}, ""))).numel() == 0);
  const std::string content = counted(5'000'000);
  const Tensor large =
      data::read_idx(directory.write("large", gzipped(idx(8, {5000, 1000}, content))));
  REQUIRE(large.shape() == Shape{5000, 1000});
  const auto values = large.data<std::uint8_t>();
  CHECK(std::equal(values.begin(), values.end(), content.begin(),
                   [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
}

TEST_CASE("IDX files that lie or are damaged: the error names file, offset, expected and got") {
  const Directory directory;
  const auto wrong = [&](const std::string& name, const std::string& bytes,
                         const std::vector<std::string>& words) {
    for (const bool packed : {false, true}) {
      const std::string path = directory.write(name, packed ? gzipped(bytes) : bytes);
      std::vector<std::string> all = words;
      all.push_back(path);
      INFO(name << (packed ? ", gzip" : ""));
      check_error([&] { (void)data::read_idx(path); }, all);
    }
  };
  wrong("empty", "", {"offset 0", "expected 4 bytes of header", "got 0"});
  wrong("short-header", std::string("\0\0\x08", 3), {"offset 0", "expected 4", "got 3"});
  wrong("short-shape", idx(8, {2, 3}, "").substr(0, 10), {"offset 8", "expected 4", "got 2"});
  wrong("text", "hello world", {"offset 0", "expected an IDX file", "68 65 6c"});
  wrong("type", idx(0x0a, {1}, "x"), {"offset 0", "expected an IDX file", "00 00 0a"});
  wrong("rank", idx(8, std::vector<std::uint32_t>(9, 1), "x"),
        {"offset 3", "at most 8 dimensions", "got 9"});
  wrong("short", idx(8, {2, 3}, "12345"), {"offset 12", "6 bytes", "uint8 [2, 3]", "got 5"});
  wrong("long", idx(8, {2, 3}, "1234567"), {"offset 18", "expected the end", "more"});
  wrong("huge", idx(8, {4294967295u, 1000}, "12345"),
        {"offset 12", "expected 4294967295000 bytes", "got 5"});
  wrong("overflow", idx(0x0e, std::vector<std::uint32_t>(8, 4294967295u), "12345"),
        {"offset 36", "no file can hold"});
  check_error([&] { (void)data::read_idx(directory.path() + "/absent"); },
              {"cannot open", "/absent", "No such file"});
  check_error([&] { (void)data::read_idx(directory.path()); }, {directory.path(), "directory"});
  const std::string pipe = directory.path() + "/pipe";
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  check_error([&] { (void)data::read_idx(pipe); }, {pipe, "no regular file"});
  wrong("empty and too large", idx(8, {0, 2147483647, 2147483647, 2147483647}, ""),
        {"offset 20", "no file can hold"});

  const std::string packed = gzipped(idx(8, {5000}, counted(5000)));
  const auto damaged = [&](const std::string& bytes, const char* words) {
    const std::string path = directory.write("damaged.gz", bytes);
    check_error([&] { (void)data::read_idx(path); }, {path, words});
  };
  std::string changed = packed;
  changed[packed.size() - 6] ^= 1;
  damaged(changed, "checksum is not the recorded one");
  damaged(packed + "junk", "other bytes after the compressed data");
  damaged(packed.substr(0, packed.size() - 3), "end of the file within the checksum");
  damaged(packed.substr(0, packed.size() / 2), "end of the file within the compressed data");
  changed = packed;
  changed[10] = '\xff';
  damaged(changed, "damaged compressed data");
}

TEST_CASE("A header that lies does not take memory") {
  const Directory directory;
  const auto peak = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;  // KiB
  };
  const std::string bytes = idx(0x0e, {1u << 20, 1u << 10}, counted(1000));
  const long before = peak();
  for (const std::string& path :
       {directory.write("plain", bytes), directory.write("packed", gzipped(bytes))}) {
    check_error([&] { (void)data::read_idx(path); }, {"expected 8589934592 bytes", "got 1000"});
  }
  CHECK(peak() - before < 64 * 1024);
}

TEST_CASE("Every truncation of an IDX file is an error, no changed byte does harm") {
  const Directory directory;
  const std::string plain = idx(8, {3, 5}, counted(15));
  for (const std::string& whole : {plain, gzipped(plain)}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      const std::string path = directory.write("cut", whole.substr(0, n));
      INFO("the first " << n << " of " << whole.size() << " bytes");
      check_error([&] { (void)data::read_idx(path); }, {path, "offset"});
    }
    int errors = 0;
    for (std::size_t n = 0; n < whole.size(); ++n) {
      for (const int bit : {0, 3, 7}) {
        std::string changed = whole;
        changed[n] = static_cast<char>(changed[n] ^ (1 << bit));
        const std::string path = directory.write("changed", changed);
        try {
          (void)data::read_idx(path);
        } catch (const Error&) {
          ++errors;
        }
      }
    }
    CHECK(errors > 0);
  }
}

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

TEST_CASE("Fashion-MNIST from a directory, plain or gzip") {
  const Directory directory;
  const std::string images = counted(3 * 784), labels = "\x05\x09\x02";
  check_error([&] { (void)data::load_fashion_mnist(directory.path()); },
              {directory.path(), "train-images-idx3-ubyte", "dataset-fashion-mnist", "--data"});
  directory.write("train-images-idx3-ubyte", idx(8, {3, 28, 28}, images));
  directory.write("train-labels-idx1-ubyte.gz", gzipped(idx(8, {3}, labels)));
  directory.write("t10k-images-idx3-ubyte.gz", gzipped(idx(8, {1, 28, 28}, counted(784))));
  directory.write("t10k-labels-idx1-ubyte", idx(8, {1}, "\x01"));
  const data::FashionMnist loaded = data::load_fashion_mnist(directory.path());
  CHECK(loaded.train.inputs().shape() == Shape{3, 784});
  CHECK(loaded.train.inputs().dtype() == float32);
  CHECK(loaded.train.targets().dtype() == int64);
  CHECK(loaded.train.targets().to_vector<std::int64_t>() == std::vector<std::int64_t>{5, 9, 2});
  CHECK(loaded.test.size() == 1);
  const auto pixels = loaded.train.inputs().data<float>();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    REQUIRE(pixels[i] == static_cast<float>(static_cast<std::uint8_t>(images[i])) / 255.0f);
  }
  CHECK(std::string(data::fashion_mnist_classes[9]) == "Ankle boot");

  directory.write("t10k-labels-idx1-ubyte", idx(8, {2}, "\x01\x01"));
  check_error([&] { (void)data::load_fashion_mnist(directory.path()); }, {"t10k", "[1]", "[2]"});
  directory.write("t10k-labels-idx1-ubyte", idx(8, {1}, "\x0a"));
  check_error([&] { (void)data::load_fashion_mnist(directory.path()); }, {"label 0 is 10"});
  directory.write("train-images-idx3-ubyte", idx(8, {3, 28, 27}, counted(3 * 28 * 27)));
  check_error([&] { (void)data::load_fashion_mnist(directory.path()); },
              {"[n, 28, 28]", "[3, 28, 27]"});
}

TEST_CASE("Fashion-MNIST as the system has it") {
  if (!fs::exists("/usr/share/datasets/fashion-mnist")) {
    WARN("dataset-fashion-mnist is not installed");
    return;
  }
  const data::FashionMnist loaded = data::load_fashion_mnist();
  CHECK(loaded.train.size() == 60000);
  CHECK(loaded.test.size() == 10000);
  std::vector<int> per_class(10);
  for (const std::int64_t label : loaded.train.targets().data<std::int64_t>()) {
    ++per_class[static_cast<std::size_t>(label)];
  }
  CHECK(per_class == std::vector<int>(10, 6000));
  double sum = 0;
  for (const float pixel : loaded.train.inputs().data<float>()) {
    sum += static_cast<double>(pixel);
  }
  CHECK(sum / 60000 / 784 == Approx(0.2860).margin(1e-3));  // as its authors' users publish it
}

TEST_CASE("Spirals: arms in turn, inside the disk, repeatable") {
  const TensorDataset two = data::spirals({.samples_per_arm = 100, .noise = 0});
  CHECK(two.size() == 200);
  const auto points = two.inputs().data<float>();
  for (std::int64_t i = 0; i < 200; ++i) {
    REQUIRE(two.targets().data<std::int64_t>()[static_cast<std::size_t>(i)] == i % 2);
    const auto k = static_cast<std::size_t>(2 * i);
    const double radius = std::hypot(points[k], points[k + 1]);
    REQUIRE(radius == Approx((static_cast<double>(i / 2) + 0.5) / 100).epsilon(1e-5));
  }
  // Without noise the second of two arms is the first one turned by half a turn.
  CHECK(points[2] == Approx(-points[0]));
  CHECK(points[3] == Approx(-points[1]));
  const auto values = [](std::uint64_t seed) {
    return data::spirals({.arms = 3, .samples_per_arm = 10, .seed = seed})
        .inputs()
        .to_vector<double>();
  };
  CHECK(values(1) == values(1));
  CHECK(values(1) != values(2));
  check_error([] { (void)data::spirals({.arms = 0}); }, {"spirals", "1 arm", "got 0"});
  check_error([] { (void)data::spirals({.noise = -1}); }, {"spirals", "noise", "-1"});
}
