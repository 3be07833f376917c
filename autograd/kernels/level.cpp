#include <cadena/autograd/kernels/level.hpp>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace cadena::kernels {
namespace {

int level_of_the_machine() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("x86-64-v4") ? 4 : __builtin_cpu_supports("x86-64-v3") ? 3 : 0;
#else
  return 0;
#endif
}

// Anything but a known name asks for nothing.
int level_asked_for() {
  const char* text = std::getenv("CADENA_ARCHITECTURE");
  const std::string_view name = text == nullptr ? "" : text;
  return name == "baseline" ? 0 : name == "v3" ? 3 : 4;
}

int find_level() {
  const int bound = std::min(level_of_the_machine(), level_asked_for());
#ifdef CADENA_WITH_V4
  if (bound >= 4) return 4;
#endif
#ifdef CADENA_WITH_V3
  if (bound >= 3) return 3;
#endif
  return 0;
}

}  // namespace

int level() {
  static const int found = find_level();
  return found;
}

}  // namespace cadena::kernels
