#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

/// The state of a training run: a line that is redrawn on a terminal, as wide as that allows, and a
/// line an epoch elsewhere.
class Progress {
 public:
  /// `samples` an epoch, called `unit` in print.
  Progress(std::int64_t epochs, std::int64_t samples, std::string unit)
      : epochs_(epochs),
        samples_(samples),
        unit_(std::move(unit)),
        terminal_(isatty(STDOUT_FILENO) != 0) {}

  /// After a batch of `count` samples: its mean loss and the number of right answers.
  void batch(std::int64_t count, double loss, std::int64_t right) {
    done_ += count;
    loss_ += loss * static_cast<double>(count);
    right_ += right;
    const Clock::time_point now = Clock::now();
    trained_ += now - last_;
    last_ = now;
    if (terminal_ && now - drawn_ > std::chrono::milliseconds(100)) {
      drawn_ = now;
      fmt::print("\r{}\033[K", line(""));
      std::fflush(stdout);
    }
  }

  /// After an epoch and its test, whose time does not count as training.
  void epoch_ends(double test_accuracy) {
    const std::string text = line(fmt::format("  test {:.4f}", test_accuracy));
    fmt::print("{}{}{}\n", terminal_ ? "\r" : "", text, terminal_ ? "\033[K" : "");
    std::fflush(stdout);
    ++epoch_;
    finished_ += done_;
    done_ = right_ = 0;
    loss_ = 0;
    last_ = Clock::now();
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Where the run is, then `end`. On a terminal what does not fit is left out, least needed first.
  std::string line(const std::string& end) const {
    using Seconds = std::chrono::duration<double>;
    const double samples = static_cast<double>(std::max<std::int64_t>(finished_ + done_, 1));
    const double rate = samples / std::max(Seconds(trained_).count(), 1e-9);
    const double left = Seconds(Clock::now() - start_).count() *
                        (static_cast<double>(epochs_ * samples_) / samples - 1);
    const double seen = static_cast<double>(std::max<std::int64_t>(done_, 1));
    const std::string epoch = fmt::format("epoch {}/{}", epoch_ + 1, epochs_);
    std::string rest = fmt::format("  loss {:.4f}  accuracy {:.4f}", loss_ / seen,
                                   static_cast<double>(right_) / seen);
    const std::string speed = fmt::format("  {:.0f} {}/s", rate, unit_);
    const std::string wait = fmt::format("  {:.0f} s left", left);
    if (!terminal_) {
      return epoch + rest + speed + wait + end;
    }
    const std::size_t width = columns();
    for (const std::string& more : {speed, wait}) {
      rest += epoch.size() + rest.size() + more.size() + end.size() <= width ? more : "";
    }
    rest += end;
    return (epoch + bar(width, epoch.size() + rest.size()) + rest).substr(0, width);
  }

  /// As long as there is room beside `used` columns; nothing where it would be too short.
  std::string bar(std::size_t width, std::size_t used) const {
    constexpr std::size_t frame = 3, shortest = 5, longest = 20;
    if (width < used + frame + shortest) {
      return "";
    }
    const std::size_t length = std::min(width - used - frame, longest);
    const double part =
        static_cast<double>(done_) / static_cast<double>(std::max<std::int64_t>(samples_, 1));
    const auto filled =
        std::min(length, static_cast<std::size_t>(part * static_cast<double>(length)));
    return " [" + std::string(filled, '#') + std::string(length - filled, '.') + "]";
  }

  /// Of the terminal. The last one stays free: some terminals wrap once it is written.
  static std::size_t columns() {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return (known ? size.ws_col : 80) - 1u;
  }

  std::int64_t epochs_, samples_;
  std::string unit_;
  bool terminal_;
  std::int64_t epoch_ = 0, done_ = 0, finished_ = 0, right_ = 0;
  double loss_ = 0;
  Clock::time_point start_ = Clock::now(), last_ = start_, drawn_{};
  Clock::duration trained_{};
};
