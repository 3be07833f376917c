#include <cadena/autograd/core/file.hpp>
#include <cadena/autograd/graph/described.hpp>
#include <cadena/autograd/graph/observer.hpp>
#include <cadena/autograd/graph/profiler.hpp>

#include <fmt/format.h>
#include <boost/json.hpp>
#include <boost/unordered/unordered_flat_map.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <ostream>
#include <span>
#include <tuple>
#include <utility>

namespace cadena {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point begin, Clock::time_point end) {
  return std::chrono::duration<double>(end - begin).count();
}

/// Bytes of the different elements of a tensor.
double bytes_of(const detail::TensorImpl& x) {
  std::int64_t count = numel(x.shape);
  if (x.strides) {
    for (int axis = 0; axis < x.shape.size(); ++axis) {
      count /= (*x.strides)[axis] == 0 ? std::max<std::int64_t>(x.shape[axis], 1) : 1;
    }
  }
  return static_cast<double>(count) * static_cast<double>(size_of(x.dtype));
}

double flop_of(const Operator& op, std::span<const Tensor* const> inputs, const Tensors& outputs) {
  if (op.is_view()) {
    return 0;
  }
  if (!inputs.empty() && op.tiles(inputs.back()->dtype()).kernel != nullptr) {
    return static_cast<double>(outputs[0].numel());
  }
  SmallVector<Type, 4> types;
  for (const Tensor* input : inputs) {
    types.push_back({input->dtype(), input->shape()});
  }
  try {
    return op.flop(types);
  } catch (...) {
    return -1;  // the operator has its results: what a user's member throws is not its error
  }
}

/// The thread's number in traces.
std::int64_t thread_number() {
  static std::atomic<std::int64_t> last{0};
  thread_local const std::int64_t number = ++last;
  return number;
}

}  // namespace

class Profiler::Record final : public detail::ChainedObserver {
 public:
  explicit Record(const ProfilerOptions& options)
      : most_events_(static_cast<std::size_t>(std::max<std::int64_t>(options.max_events, 0))) {}

  void starting(const OperatorRef& op) override {
    // The outer observers, told next here and first at the end, have theirs on top.
    running.push_back({this, Clock::now()});
    try {
      ChainedObserver::starting(op);
    } catch (...) {
      running.pop_back();
      throw;
    }
  }

  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    const Clock::time_point end = Clock::now();
    Event event{op->doc().name, modes().deriving != nullptr, thread_number()};
    if (!full_.load(std::memory_order_relaxed)) {
      event.attributes = detail::attributes_or_error(*op);
      for (const Tensor* input : inputs) {
        event.inputs.push_back({input->dtype(), input->shape()});
      }
      for (const Tensor& output : outputs) {
        event.outputs.push_back({output.dtype(), output.shape()});
      }
    }
    Amount amount{flop_of(*op, inputs, outputs)};
    if (!op->is_view()) {
      for (const Tensor* input : inputs) {
        amount.read += bytes_of(*input->impl());
      }
      for (const Tensor& output : outputs) {
        amount.written += bytes_of(*output.impl());
      }
    }
    ChainedObserver::applied(op, inputs, outputs);
    const Running& own = running.back();
    event.begin = own.begin;
    event.seconds = seconds_between(own.begin, end);
    amount.seconds = event.seconds - own.inner;
    add(std::move(event), amount);
    ended(end);
  }

  void failed(const OperatorRef& op) noexcept override {
    ChainedObserver::failed(op);
    // Not so where an observer threw after this one had seen the end.
    if (!running.empty() && running.back().profiler == this) {
      ended(Clock::now());
    }
  }

  ProfilerReport report() const {
    ProfilerReport report;
    report.wall = seconds_between(begin_, Clock::now());
    const std::lock_guard lock(mutex_);
    report.outside = report.wall - inside_;
    for (const auto& [key, sum] : sums_) {
      const auto same = std::ranges::find_if(report.rows, [&](const ProfilerRow& row) {
        return row.name == sum.name && row.backward == key.second;
      });
      if (same == report.rows.end()) {
        report.rows.push_back(sum);
        report.rows.back().backward = key.second;
        continue;
      }
      same->count += sum.count;
      same->seconds += sum.seconds;
      same->bytes_read += sum.bytes_read;
      same->bytes_written += sum.bytes_written;
      same->flop = same->flop < 0 || sum.flop < 0 ? -1 : same->flop + sum.flop;
    }
    std::ranges::sort(report.rows, [](const ProfilerRow& a, const ProfilerRow& b) {
      return std::tie(b.seconds, a.name, a.backward) < std::tie(a.seconds, b.name, b.backward);
    });
    return report;
  }

  std::string trace() const {
    const auto quoted = [](std::string_view text) { return boost::json::serialize(text); };
    const auto types = [&](const std::vector<Type>& all) {
      std::string text;
      for (const Type& type : all) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(type.dtype), type.shape);
      }
      return quoted(text);
    };
    const std::lock_guard lock(mutex_);
    std::string text = fmt::format(
        "{{\"displayTimeUnit\":\"ms\",\"otherData\":{{\"dropped_events\":{}}},\"traceEvents\":[\n"
        "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{},\"args\":{{\"name\":\"cadena\"}}}}",
        dropped_, ::getpid());
    for (const Event& event : events_) {
      text += fmt::format(
          ",\n{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{:.3f},\"dur\":{:.3f},"
          "\"pid\":{},\"tid\":{},\"args\":{{\"inputs\":{},\"outputs\":{}",
          quoted(event.name), event.backward ? "backward" : "forward",
          seconds_between(begin_, event.begin) * 1e6, event.seconds * 1e6, ::getpid(), event.thread,
          types(event.inputs), types(event.outputs));
      if (!event.attributes.empty()) {
        text += fmt::format(",\"attributes\":{}", quoted(event.attributes));
      }
      text += "}}";
    }
    return text + "\n]}\n";
  }

 private:
  struct Running {
    const Record* profiler;
    Clock::time_point begin;
    double inner = 0;  // seconds in operators that ran inside
  };
  struct Event {
    const char* name;
    bool backward;
    std::int64_t thread;
    Clock::time_point begin = {};
    double seconds = 0;
    std::string attributes = {};
    std::vector<Type> inputs = {}, outputs = {};
  };
  struct Amount {
    double flop, read = 0, written = 0, seconds = 0;
  };
  struct Sum : ProfilerRow {
    Sum() { flop = 0; }
  };

  void add(Event event, const Amount& amount) {
    const std::lock_guard lock(mutex_);
    // Operators of one struct share the text of their name, so its address is enough here.
    Sum& sum = sums_[{event.name, event.backward}];
    if (sum.count++ == 0) {
      sum.name = event.name;
    }
    sum.seconds += amount.seconds;
    sum.bytes_read += amount.read;
    sum.bytes_written += amount.written;
    sum.flop = sum.flop < 0 || amount.flop < 0 ? -1 : sum.flop + amount.flop;
    if (events_.size() < most_events_) {
      events_.push_back(std::move(event));
    } else {
      ++dropped_;
    }
    full_ = events_.size() == most_events_;
  }

  /// Takes the last operator of this thread off the list of those that run.
  void ended(Clock::time_point end) noexcept {
    const double taken = seconds_between(running.back().begin, end);
    running.pop_back();
    for (std::size_t i = running.size(); i-- > 0;) {
      if (running[i].profiler == this) {
        running[i].inner += taken;
        return;
      }
    }
    if (thread_number() == owner_) {
      const std::lock_guard lock(mutex_);
      inside_ += taken;
    }
  }

  /// Operators that this thread runs at the moment; each as often as profilers see it, for the
  /// outermost of them last.
  static thread_local std::vector<Running> running;

  const std::size_t most_events_;
  const Clock::time_point begin_ = Clock::now();
  const std::int64_t owner_ = thread_number();
  mutable std::mutex mutex_;
  boost::unordered_flat_map<std::pair<const char*, bool>, Sum> sums_;
  std::vector<Event> events_;
  std::atomic<bool> full_{most_events_ == 0};
  std::int64_t dropped_ = 0;
  double inside_ = 0;  // seconds of the owner in operators
};

thread_local std::vector<Profiler::Record::Running> Profiler::Record::running;

Profiler::Profiler(ProfilerOptions options) : record_(new Record(options)) {}
Profiler::~Profiler() = default;

ProfilerReport Profiler::report() const { return record_->report(); }
std::string Profiler::chrome_trace() const { return record_->trace(); }

void Profiler::write_chrome_trace(const std::string& path) const {
  const std::string text = chrome_trace();
  detail::write_atomically(path, "write_chrome_trace", [&](const detail::Write& write) {
    write(std::as_bytes(std::span(text)));
  });
}

std::string to_string(const ProfilerReport& report) {
  double sum = 0;
  std::size_t width = std::string_view("operator").size();
  for (const ProfilerRow& row : report.rows) {
    sum += row.seconds;
    width = std::max(width, row.name.size());
  }
  const auto part = [](double some, double all) { return all > 0 ? 100 * some / all : 0.0; };
  std::string text =
      fmt::format("wall {:.3f} ms, outside of operators {:.3f} ms ({:.1f}%)\n", 1e3 * report.wall,
                  1e3 * report.outside, part(report.outside, report.wall));
  text += fmt::format("{:{}}  {:8}  {:>7}  {:>9}  {:>9}  {:>6}  {:>9}  {:>10}  {:>7}  {:>7}\n",
                      "operator", width, "pass", "count", "total ms", "mean us", "share", "MB read",
                      "MB written", "GFLOP/s", "GB/s");
  for (const ProfilerRow& row : report.rows) {
    const auto rate = [&](double amount) {
      return amount > 0 && row.seconds > 0 ? fmt::format("{:.2f}", amount / row.seconds / 1e9)
                                           : std::string("-");
    };
    const double bytes = row.bytes_read + row.bytes_written;
    text += fmt::format(
        "{:{}}  {:8}  {:7}  {:9.3f}  {:9.2f}  {:5.1f}%  {:9.2f}  {:10.2f}  {:>7}  {:>7}\n",
        row.name, width, row.backward ? "backward" : "forward", row.count, 1e3 * row.seconds,
        1e6 * row.seconds / static_cast<double>(row.count), part(row.seconds, sum),
        row.bytes_read / 1e6, row.bytes_written / 1e6, rate(row.flop), rate(bytes));
  }
  return text;
}

std::ostream& operator<<(std::ostream& stream, const ProfilerReport& report) {
  return stream << to_string(report);
}

std::string to_string(const Profiler& profiler) { return to_string(profiler.report()); }

std::ostream& operator<<(std::ostream& stream, const Profiler& profiler) {
  return stream << to_string(profiler);
}

}  // namespace cadena

fmt::format_context::iterator fmt::formatter<cadena::ProfilerReport>::format(
    const cadena::ProfilerReport& report, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(cadena::to_string(report), context);
}

fmt::format_context::iterator fmt::formatter<cadena::Profiler>::format(
    const cadena::Profiler& profiler, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(cadena::to_string(profiler), context);
}
