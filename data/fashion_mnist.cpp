#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/data/fashion_mnist.hpp>
#include <cadena/data/idx.hpp>

#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

namespace cadena::data {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t pixels = 28;

/// The file, perhaps with .gz; empty if there is neither.
std::string find(const fs::path& directory, const std::string& file) {
  for (const char* suffix : {"", ".gz"}) {
    const fs::path path = directory / (file + suffix);
    std::error_code ignored;
    if (fs::exists(path, ignored)) {
      return path.string();
    }
  }
  return {};
}

std::vector<std::string> share_directories() {
  std::vector<std::string> all;
  if (const char* home = std::getenv("XDG_DATA_HOME"); home != nullptr && *home != '\0') {
    all.emplace_back(home);
  } else if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0') {
    all.push_back(std::string(user) + "/.local/share");
  }
  if (const char* system = std::getenv("XDG_DATA_DIRS")) {
    std::string_view rest = system;
    while (!rest.empty()) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      if (colon > 0) {
        all.emplace_back(rest.substr(0, colon));
      }
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  for (const char* usual : {"/usr/share", "/usr/local/share", "/opt/homebrew/share"}) {
    all.emplace_back(usual);
  }
  return all;
}

std::string default_directory() {
  for (const std::string& share : share_directories()) {
    std::string directory = share + "/datasets/fashion-mnist";
    if (!find(directory, "train-images-idx3-ubyte").empty()) {
      return directory;
    }
  }
  fail(
      "load_fashion_mnist: no data in /usr/share/datasets/fashion-mnist or another share "
      "directory; "
      "install it (Debian, Ubuntu: apt-get install dataset-fashion-mnist) or name a directory that "
      "holds train-images-idx3-ubyte.gz and the other three files (--data DIR)");
}

Tensor read(const std::string& directory, const std::string& file) {
  const std::string path = find(directory, file);
  if (path.empty()) {
    fail(
        "load_fashion_mnist: {} has no {} or {}.gz; install the data (Debian, Ubuntu: apt-get "
        "install "
        "dataset-fashion-mnist) or name the directory that holds the four files (--data DIR)",
        directory, file, file);
  }
  return read_idx(path);
}

TensorDataset part(const std::string& directory, const std::string& name) {
  const Tensor images = read(directory, name + "-images-idx3-ubyte");
  const Tensor labels = read(directory, name + "-labels-idx1-ubyte");
  if (images.dtype() != uint8 || images.dim() != 3 || images.size(1) != pixels ||
      images.size(2) != pixels) {
    fail("load_fashion_mnist: {}/{}-images: expected uint8 [n, 28, 28], got {} {}", directory, name,
         cadena::name(images.dtype()), images.shape());
  }
  const std::int64_t count = images.size(0);
  if (labels.dtype() != uint8 || labels.shape() != Shape{count}) {
    fail("load_fashion_mnist: {}/{}-labels: expected uint8 [{}], one an image, got {} {}",
         directory, name, count, cadena::name(labels.dtype()), labels.shape());
  }
  const std::span<const std::uint8_t> classes = labels.data<std::uint8_t>();
  for (std::size_t i = 0; i < classes.size(); ++i) {
    if (classes[i] >= fashion_mnist_classes.size()) {
      fail("load_fashion_mnist: {}/{}-labels: label {} is {}, expected less than 10", directory,
           name, i, classes[i]);
    }
  }
  detail::Ref<detail::TensorImpl> scaled = detail::make_impl(float32, {count, pixels * pixels});
  auto* to = reinterpret_cast<float*>(scaled->data);
  for (const std::uint8_t shade : images.data<std::uint8_t>()) {
    *to++ = static_cast<float>(shade) / 255.0f;
  }
  return {Tensor(std::move(scaled)), labels.to(int64)};
}

}  // namespace

FashionMnist load_fashion_mnist(const std::string& directory) {
  const std::string from = directory.empty() ? default_directory() : directory;
  return {part(from, "train"), part(from, "t10k")};
}

}  // namespace cadena::data
