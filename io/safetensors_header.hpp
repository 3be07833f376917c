#pragma once

#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cadena::io {

/// Where a tensor lies in a safetensors file.
struct SafetensorsEntry {
  std::string name;
  std::string dtype_name;      ///< As in the file.
  std::optional<Dtype> dtype;  ///< None for what Cadena has no dtype for, BF16 say.
  Shape shape;
  std::uint64_t begin = 0, end = 0;  ///< In bytes from the end of the header.
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry>
      entries;  ///< Without gaps and overlaps, in the order of the values.
  std::map<std::string, std::string> metadata;
};

/// The longest header that is read, in bytes.
inline constexpr std::uint64_t longest_safetensors_header = 100'000'000;
/// The most tensors, and the most entries of __metadata__.
inline constexpr std::size_t most_safetensors_names = 1'000'000;

/// A file that is not what it says it is.
template <class... Arguments>
[[noreturn]] void reject(const std::string& path, fmt::format_string<Arguments...> text,
                         Arguments&&... arguments) {
  fail("load_safetensors: {}: {}", path, fmt::format(text, std::forward<Arguments>(arguments)...));
}

/// Text of unknown origin for a message: quoted, without control characters, shortened.
std::string shown(std::string_view text);

/// The name of a dtype in safetensors files.
const char* safetensors_name(Dtype dtype) noexcept;

/// Reads the header's JSON (which begins at byte 8 of the file) and checks everything in it against
/// the number of bytes that follow.
SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view json,
                                           std::uint64_t value_bytes);

}  // namespace cadena::io
