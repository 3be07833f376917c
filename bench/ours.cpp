// The rows as Cadena does them, for scripts/bench.py.

#include <cadena/cadena.hpp>

#include "run.hpp"
#include "works.hpp"

int main(int argc, char** argv) {
  return bench::run(argc, argv, bench::rows(), [](const bench::Options& options) {
    cadena::set_threads(options.threads);
    bench::set_compiled(options.compiled);
  });
}
