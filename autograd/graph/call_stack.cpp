// The only file that knows Boost.Stacktrace.
#include <cadena/autograd/graph/call_stack.hpp>

#include <dlfcn.h>
#include <link.h>

#include <fmt/format.h>
#include <boost/stacktrace.hpp>

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace cadena::detail {
namespace {

constexpr std::size_t deepest = 64;   // calls that are kept
constexpr std::size_t longest = 160;  // characters of a name that are shown
constexpr std::string_view nameless = "(anonymous namespace)";

/// A function's name without its result: `ns::f<int>(int)` of `ns::Result ns::f<int>(int)`.
std::string_view qualified(std::string_view text) {
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, nameless.size()) == nameless) {
      i += nameless.size() - 1;
      continue;
    }
    switch (text[i]) {
      case '<':
      case '{':
      case '[':
        ++depth;
        break;
      case '>':
      case '}':
      case ']':
        --depth;
        break;
      case '(':
        if (depth == 0) {
          return text.substr(begin);
        }
        ++depth;
        break;
      case ')':
        --depth;
        break;
      case ' ':
        if (depth == 0) {
          begin = i + 1;
        }
        break;
      default:
        break;
    }
  }
  return text.substr(begin);
}

/// The program or library that an address is in and its place there, as addr2line takes them; empty
/// if it is in none.
std::string place_of(const void* address) {
  Dl_info info{};
  if (::dladdr(address, &info) == 0 || info.dli_fname == nullptr || info.dli_fbase == nullptr) {
    return "";
  }
  const auto begin = reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  const bool fixed = static_cast<const ElfW(Ehdr)*>(info.dli_fbase)->e_type == ET_EXEC;
  return fmt::format("{}+{:#x}", info.dli_fname,
                     reinterpret_cast<std::uintptr_t>(address) - (fixed ? 0 : begin));
}

struct Call {
  std::string name, line;

  explicit Call(const void* address) {
    // The call itself lies before the address that it returns to.
    const void* call = static_cast<const char*>(address) - 1;
    const boost::stacktrace::frame frame(call);
    name = frame.name();
    line = name.empty()             ? "(no name known)"
           : name.size() <= longest ? name
                                    : name.substr(0, longest) + "...";
    if (const std::size_t number = frame.source_line(); number != 0) {
      line += fmt::format(" at {}:{}", frame.source_file(), number);
    } else if (const std::string place = place_of(call); !place.empty()) {
      line += fmt::format(" in {}", place);
    } else {
      line += fmt::format(" at {}", call);
    }
  }
  bool in(std::string_view space) const { return qualified(name).starts_with(space); }
  bool below() const { return in("std::") || in("tbb::"); }
};

}  // namespace

CallStack CallStack::here() {
  CallStack stack;
  const void* calls[deepest + 1];  // with a null at the end
  const std::size_t count =
      boost::stacktrace::safe_dump_to(1, static_cast<void*>(calls), sizeof calls);
  for (std::size_t i = 0; i < count && calls[i] != nullptr; ++i) {
    stack.calls_.push_back(calls[i]);
  }
  return stack;
}

std::string CallStack::text(const char* indent) const {
  std::vector<Call> calls;
  for (const void* address : calls_) {
    calls.emplace_back(address);
    if (calls.back().name == "main") {
      break;
    }
  }
  // The library's functions, and between them those without a name and of the libraries below, up
  // to the first known call of another; a program without names is shown as it is.
  std::size_t begin = 0;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].in("cadena::")) {
      begin = i + 1;
    } else if (!calls[i].name.empty() && !calls[i].below()) {
      break;
    }
  }
  if (begin == calls.size()) {
    begin = 0;
  }
  std::string text;
  for (std::size_t i = begin; i < calls.size(); ++i) {
    if (!calls[i].below()) {
      text += fmt::format("{}{}\n", indent, calls[i].line);
    }
  }
  return text;
}

std::size_t CallStack::hash() const noexcept {
  std::size_t hash = calls_.size();
  for (const void* call : calls_) {
    hash = (hash ^ std::hash<const void*>()(call)) * 0x9e3779b97f4a7c15U;
    hash ^= hash >> 29;
  }
  return hash;
}

}  // namespace cadena::detail
