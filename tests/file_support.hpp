#pragma once

// What the tests of files share.

#include <cadena/autograd/core/create.hpp>
#include <cadena/nn/linear.hpp>

#include <stdlib.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>

namespace file_support {

/// A directory that is gone at the end of the test.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "cadena-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_),
                                                  std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A file from a header and values, with the right length unless another is given.
inline std::string file_of(const std::string& header, const std::string& values,
                           std::uint64_t length = std::numeric_limits<std::uint64_t>::max()) {
  length = length == std::numeric_limits<std::uint64_t>::max() ? header.size() : length;
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + values;
}

struct Mlp {
  cadena::nn::Linear hidden{3, 4};
  cadena::nn::Linear output{4, 2};
  cadena::Buffer steps{cadena::tensor(5)};
};

inline bool same(const cadena::Tensor& a, const cadena::Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         a.to_vector<double>() == b.to_vector<double>();
}

}  // namespace file_support
