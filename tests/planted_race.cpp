// A program with a data race, for ThreadSanitizer to find: the annotations around the scheduler
// must not hide what goes wrong inside a parallel loop. Its test fails if nothing is reported.
#include <cadena/autograd/kernels/parallel.hpp>

#include <cstdint>
#include <cstdio>

int main() {
  cadena::set_threads(4);
  double sum = 0;
  for (int round = 0; round < 50; ++round) {
    cadena::parallel_for(64, 1, [&](std::int64_t begin, std::int64_t) {
      volatile double work = 0;
      for (int i = 0; i < 20000; ++i) work = work + i;
      sum += static_cast<double>(begin);  // the race
    });
  }
  std::printf("%g\n", sum);
}
