#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

namespace cadena {

struct ProfilerOptions {
  /// Applications kept for `chrome_trace`; the rest is counted.
  std::int64_t max_events = 100'000;
};

/// What was measured of an operator, its applications in forward and backward apart.
struct ProfilerRow {
  std::string name;
  bool backward = false;
  std::int64_t count = 0;
  double seconds = 0;        ///< Without operators that run inside of it.
  double bytes_read = 0;     ///< Of inputs; what a broadcast repeats counts once.
  double bytes_written = 0;  ///< Of outputs. A view moves no data.
  /// 2 m n k for a product, 1 an element for an elementwise operator; below 0 where that is not
  /// known.
  double flop = -1;
};

struct ProfilerReport {
  std::vector<ProfilerRow> rows;  ///< The longest time first.
  double wall = 0;                ///< Seconds.
  /// Seconds in which this thread was in no operator: graphs, optimizers, data.
  double outside = 0;
};

/// A table of the report.
std::string to_string(const ProfilerReport& report);
std::ostream& operator<<(std::ostream& stream, const ProfilerReport& report);

/// While it lives, measures the operators of this thread and of the loops it starts. An application
/// costs 0.1 us more, 0.2 while its event is kept; memory is bounded by `max_events` and the number
/// of different operators. Profilers end in any order, but in the thread that they began in and not
/// inside of an operator.
class Profiler {
 public:
  explicit Profiler(ProfilerOptions options = {});
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  /// What was measured so far.
  ProfilerReport report() const;
  /// The applications in the order of their end, as JSON for chrome://tracing and Perfetto: name,
  /// pass (forward or backward), begin and duration, thread, dtypes and shapes.
  std::string chrome_trace() const;
  /// Writes `chrome_trace` to a file that is there as a whole or not at all.
  void write_chrome_trace(const std::string& path) const;

 private:
  class Record;
  std::unique_ptr<Record> record_;
};

std::string to_string(const Profiler& profiler);  ///< That of its report.
std::ostream& operator<<(std::ostream& stream, const Profiler& profiler);

}  // namespace cadena

template <> struct fmt::formatter<cadena::ProfilerReport> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const cadena::ProfilerReport& report,
                                       fmt::format_context& context) const;
};
template <> struct fmt::formatter<cadena::Profiler> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const cadena::Profiler& profiler,
                                       fmt::format_context& context) const;
};
