// run_if_supported LEVEL PROGRAM [ARGUMENT...]: runs the program if this processor has the x86-64
// level (0 for any, 3, 4), else returns 77, which ctest counts as skipped. The check cannot be in
// the program itself: its static initialisers are compiled for that level already.
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace {

bool supports(const char* level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (std::strcmp(level, "4") == 0) return __builtin_cpu_supports("x86-64-v4") != 0;
  if (std::strcmp(level, "3") == 0) return __builtin_cpu_supports("x86-64-v3") != 0;
#endif
  return std::strcmp(level, "0") == 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: run_if_supported LEVEL PROGRAM [ARGUMENT...]\n", stderr);
    return 2;
  }
  if (!supports(argv[1])) {
    std::printf("skipped: this processor lacks x86-64-v%s\n", argv[1]);
    return 77;
  }
  execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
