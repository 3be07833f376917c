#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
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
#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace cadena;
using namespace support;
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
    const std::int64_t along = i / 2;
    REQUIRE(radius == Approx((static_cast<double>(along) + 0.5) / 100).epsilon(1e-5));
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
