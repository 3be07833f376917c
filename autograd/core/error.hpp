#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <utility>

namespace cadena {

/// The one exception of the library. The text says what was expected and what was got.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws an Error with a formatted text.
template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
  throw Error(fmt::format(text, std::forward<Arguments>(arguments)...));
}

}  // namespace cadena
