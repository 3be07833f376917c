// The rows as Cadena does them, under Google Benchmark: choose with --benchmark_filter=REGEX.

#include "works.hpp"

#include <benchmark/benchmark.h>

int main(int argc, char** argv) {
  for (const bench::Row& row : bench::rows()) {
    benchmark::RegisterBenchmark(row.name.c_str(),
                                 [row](benchmark::State& state) {
                                   const bench::Work work = row.make();
                                   if (!work.step)
                                     return state.SkipWithError("this row is not a time");
                                   for (auto _ : state) {
                                     work.step();
                                   }
                                   if (work.count != 1) {
                                     state.counters["per_one"] = benchmark::Counter(
                                         work.count, benchmark::Counter::kIsIterationInvariantRate |
                                                         benchmark::Counter::kInvert);
                                   }
                                 })
        ->Unit(benchmark::kMicrosecond)
        ->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
