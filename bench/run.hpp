#pragma once

#include "row.hpp"

#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// The main function of the programs that scripts/bench.py compares: it runs the rows named and
// prints a line of JSON for each.

namespace bench {

struct Options {
  int threads = 2;
  double seconds = 0.5;         ///< To repeat the step for.
  bool rest = false;            ///< Time the step after a millisecond of rest, too.
  bool check = false;           ///< Print what the row computes instead of timing it.
  bool compiled = false;        ///< Run steps as programs; Cadena's rows.
  bool keep_denormals = false;  ///< The peer flushes them to zero otherwise.
};

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Bytes after `field` (VmRSS, VmHWM) of what the system says of this process.
inline double process_bytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) {
      return 1024 * std::strtod(line.c_str() + field.size() + 1, nullptr);
    }
  }
  return 0;
}

/// Makes VmHWM begin anew, without the numbers that inputs were copied from.
inline void forget_peak() {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << 5;  // where the system forbids it, the peak has both
}

/// Seconds of a step: the median of what fits in `seconds` after a warm-up, of three steps if these
/// are long, of fewer if they are very long.
template <class Step> double time_steps(const Step& step, double seconds, bool rest = false) {
  const double begin = now();
  do {
    step();
  } while (now() - begin < seconds / 5);
  std::vector<double> times;
  const double start = now();
  for (double past = 0; past < (times.size() < 3 ? 4 * seconds : seconds); past = now() - start) {
    if (rest) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const double before = now();
    step();
    times.push_back(now() - before);
  }
  return median(std::move(times));
}

inline void run_row(const Row& row, const Options& options) {
  const double bytes_before = process_bytes("VmRSS");
  const Work work = row.make();
  std::printf("{\"name\": \"%s\"", row.name.c_str());
  if (options.check) {
    std::printf(", \"check\": [");
    if (work.result) {
      for (int i = 0; i < 10; ++i) {  // enough for an optimizer's formula to show
        work.step();
      }
      const char* separator = "";
      for (const Fingerprint& print : work.result()) {
        std::printf("%s[%.9g, %.9g]", separator, print.projection, print.norm);
        separator = ", ";
      }
    }
    std::printf("]");
  } else {
    forget_peak();
    const double figure =
        work.figure ? work.figure() : time_steps(work.step, options.seconds) / work.count;
    std::printf(", \"figure\": %.9g", figure);
    if (options.rest && work.step) {
      std::printf(", \"rested\": %.9g", time_steps(work.step, options.seconds, true) / work.count);
    }
    std::printf(", \"memory\": %.0f", std::max(0.0, process_bytes("VmHWM") - bytes_before));
  }
  std::printf("}\n");
  std::fflush(stdout);
}

/// `set_up` is called once, before the first row.
template <class SetUp>
int run(int argc, char** argv, const std::vector<Row>& rows, const SetUp& set_up) {
  try {
    Options options;
    std::vector<Row> chosen;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      const auto value = [&] {
        if (++i == argc) throw std::runtime_error(word + ": a number is missing");
        return argv[i];
      };
      if (word == "--list") {
        for (const Row& row : rows) std::puts(row.name.c_str());
        return 0;
      }
      if (word == "--threads") {
        options.threads = std::atoi(value());
      } else if (word == "--seconds") {
        options.seconds = std::atof(value());
      } else if (word == "--rest") {
        options.rest = true;
      } else if (word == "--check") {
        options.check = true;
      } else if (word == "--compiled") {
        options.compiled = true;
      } else if (word == "--keep-denormals") {
        options.keep_denormals = true;
      } else if (word == "all") {
        chosen = rows;
      } else {
        const auto row = std::ranges::find(rows, word, &Row::name);
        if (row == rows.end()) throw std::runtime_error("no such row or option: " + word);
        chosen.push_back(*row);
      }
    }
    if (chosen.empty()) {
      throw std::runtime_error(
          "usage: [--threads N] [--seconds S] [--rest] [--check] [--compiled] [--keep-denormals] "
          "ROW... | all | --list");
    }
    set_up(options);
    for (const Row& row : chosen) run_row(row, options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace bench
