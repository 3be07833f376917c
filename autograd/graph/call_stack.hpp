#pragma once

#include <cadena/autograd/core/small_vector.hpp>

#include <cstddef>
#include <string>

namespace cadena::detail {

/// The calls that a thread is in, as addresses; names are looked up when they are asked for.
class CallStack {
 public:
  CallStack() = default;
  /// Those of the calling thread, at most the 64 innermost ones.
  static CallStack here();

  /// One line a call, the innermost first: function and, where the program has debug information,
  /// file and line; else the program or library and the place in it, for addr2line. Calls inside of
  /// the library are left out, up to the first of its user.
  std::string text(const char* indent) const;

  std::size_t hash() const noexcept;
  bool operator==(const CallStack&) const = default;

 private:
  SmallVector<const void*, 24> calls_;
};

}  // namespace cadena::detail
