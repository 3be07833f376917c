#pragma once

#include <unistd.h>

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

/// The state of a training run: a bar that is redrawn on a terminal, a line an epoch elsewhere.
class Progress {
 public:
  Progress(std::int64_t epochs, std::int64_t samples)
      : epochs_(epochs), samples_(samples), terminal_(isatty(STDOUT_FILENO) != 0) {}

  /// After a batch of `count` samples: its mean loss and the number of right answers.
  void batch(std::int64_t count, double loss, std::int64_t right) {
    done_ += count;
    loss_ += loss * static_cast<double>(count);
    right_ += right;
    const Clock::time_point now = Clock::now();
    if (terminal_ && now - drawn_ > std::chrono::milliseconds(100)) {
      drawn_ = now;
      fmt::print("\r{}\033[K", line());
      std::fflush(stdout);
    }
  }

  void epoch_ends(double test_accuracy) {
    fmt::print("{}{}  test {:.4f}{}\n", terminal_ ? "\r" : "", line(), test_accuracy,
               terminal_ ? "\033[K" : "");
    std::fflush(stdout);
    ++epoch_;
    finished_ += done_;
    done_ = right_ = 0;
    loss_ = 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  std::string line() const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double samples = static_cast<double>(finished_ + done_);
    const double rate = samples / std::max(seconds, 1e-9);
    const double left = (static_cast<double>(epochs_ * samples_) - samples) / std::max(rate, 1e-9);
    const double seen = static_cast<double>(std::max<std::int64_t>(done_, 1));
    std::string bar;
    if (terminal_) {
      constexpr std::int64_t width = 20;
      const auto filled =
          static_cast<std::size_t>(width * done_ / std::max<std::int64_t>(samples_, 1));
      bar = " [" + std::string(filled, '#') + std::string(width - filled, '.') + "]";
    }
    return fmt::format(
        "epoch {}/{}{}  loss {:.4f}  accuracy {:.4f}  {:.0f} images/s  {:.0f} s left", epoch_ + 1,
        epochs_, bar, loss_ / seen, static_cast<double>(right_) / seen, rate, left);
  }

  std::int64_t epochs_, samples_;
  bool terminal_;
  std::int64_t epoch_ = 0, done_ = 0, finished_ = 0, right_ = 0;
  double loss_ = 0;
  Clock::time_point start_ = Clock::now(), drawn_{};
};
