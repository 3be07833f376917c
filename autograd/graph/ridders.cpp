#include <cadena/autograd/graph/ridders.hpp>

#include <algorithm>
#include <cmath>

namespace cadena::detail {
namespace {

/// Neville's table for one function: estimates at decreasing steps, extrapolated to step 0 in
/// powers of step^power.
class Table {
 public:
  explicit Table(int power) : power_(power) {}

  /// An estimate from a step smaller than those before.
  void add(double step, double estimate, double noise) {
    if (!steps_.empty() && !(step < steps_.back())) {
      return;
    }
    const std::size_t columns = std::min(steps_.size() + 1, most_columns);
    steps_.push_back(step);
    std::vector<double> row(columns), row_noise(columns);
    row[0] = estimate;
    row_noise[0] = noise;
    for (std::size_t j = 1; j < columns; ++j) {
      const double shrink = steps_[steps_.size() - 1 - j] / step;
      const double gain = 1 / (std::pow(shrink, power_) - 1);
      row[j] = row[j - 1] + gain * (row[j - 1] - row_[j - 1]);
      row_noise[j] = (1 + gain) * row_noise[j - 1] + gain * noise_[j - 1];
      consider(row[j], std::max(std::abs(row[j] - row[j - 1]), std::abs(row[j] - row_[j - 1])),
               row_noise[j]);
    }
    if (columns > 1) {
      consider(estimate, std::abs(estimate - row_[0]), noise);
    }
    row_ = std::move(row);
    noise_ = std::move(row_noise);
  }

  void restart() {
    steps_.clear();
    best_ = Derivative();
    extrapolation_ = std::numeric_limits<double>::infinity();
  }

  const Derivative& best() const noexcept { return best_; }
  bool empty() const noexcept { return steps_.empty(); }

  /// Whether smaller steps are of no use: agreed, or lost in noise.
  bool settled(double accuracy) const noexcept {
    return steps_.size() >= 3 &&
           (extrapolation_ <= std::max(accuracy * std::abs(best_.value), best_.noise) ||
            noise_[0] > best_.error);
  }

 private:
  static constexpr std::size_t most_columns = 10;

  void consider(double value, double extrapolation, double noise) {
    if (extrapolation + noise < best_.error) {
      best_ = {value, extrapolation + noise, noise, steps_.back(), 0};
      extrapolation_ = extrapolation;
    }
  }

  int power_;
  std::vector<double> steps_, row_, noise_;
  Derivative best_;
  double extrapolation_ = std::numeric_limits<double>::infinity();
};

/// How the next step follows: a little smaller once values are finite, and while they are not,
/// smaller by more each time.
class Descent {
 public:
  explicit Descent(const Ladder& ladder) : ladder_(ladder), step_(ladder.first) {}
  double step() const noexcept { return step_; }
  bool done() const noexcept { return row_ >= ladder_.rows || !(step_ > ladder_.lowest); }
  void next(bool finite) noexcept {
    if (finite) {
      step_ /= ladder_.ratio;
      ++row_;
    } else {
      leap_ = std::min(leap_ * 2, 4096.0);
      step_ /= leap_;
    }
  }

 private:
  const Ladder& ladder_;
  double step_;
  double leap_ = 2;
  int row_ = 0;
};

}  // namespace

std::vector<Derivative> central_derivatives(const Curve& curve, std::span<const double> middle,
                                            const Ladder& ladder) {
  const std::size_t count = middle.size();
  std::vector<Table> tables(count, Table(2)), bends(count, Table(1));
  std::vector<char> settled(count, 0);
  std::vector<double> above(count), below(count), noise_above(count), noise_below(count);
  for (Descent descent(ladder); !descent.done();) {
    const double right = curve(descent.step(), above, noise_above);
    const double left = curve(-descent.step(), below, noise_below);
    const double width = right - left;
    bool any_finite = false, all_settled = true;
    for (std::size_t k = 0; k < count && width > 0; ++k) {
      if (settled[k] != 0) {
        continue;
      }
      if (std::isfinite(above[k]) && std::isfinite(below[k])) {
        any_finite = true;
        const double noise = noise_above[k] + noise_below[k];
        tables[k].add(width / 2, (above[k] - below[k]) / width, noise / width);
        bends[k].add(width / 2, 2 * ((above[k] - middle[k]) + (below[k] - middle[k])) / width,
                     4 * noise / width);
        settled[k] = tables[k].settled(ladder.accuracy) ? 1 : 0;
      } else {
        tables[k].restart();
        bends[k].restart();
      }
      all_settled = all_settled && settled[k] != 0;
    }
    if (!(width > 0) || all_settled) {
      break;
    }
    descent.next(any_finite);
  }
  std::vector<Derivative> results;
  for (std::size_t k = 0; k < count; ++k) {
    results.push_back(tables[k].best());
    const Derivative& bend = bends[k].best();
    if (std::abs(bend.value) > 10 * bend.error + 1e-3 * std::abs(results[k].value)) {
      results[k].bend = bend.value;
    }
  }
  return results;
}

std::vector<Side> one_sided_derivatives(const Curve& curve, std::size_t count, int side,
                                        const Ladder& ladder) {
  std::vector<Table> slopes(count, Table(1)), limits(count, Table(1));
  std::vector<Side> sides(count);
  std::vector<char> settled(count, 0);
  std::vector<double> first_slope(count, 0), growth(count, 0);
  std::vector<double> near(count), far(count), noise_near(count), noise_far(count);
  for (Descent descent(ladder); !descent.done();) {
    const double t_near = curve(side * descent.step(), near, noise_near);
    const double t_far = curve(side * 2 * descent.step(), far, noise_far);
    const double width = t_far - t_near;
    bool any_finite = false, all_settled = true;
    for (std::size_t k = 0; k < count && width != 0; ++k) {
      if (settled[k] != 0) {
        continue;
      }
      if (std::isfinite(near[k]) && std::isfinite(far[k])) {
        any_finite = true;
        const double slope = (far[k] - near[k]) / width;
        const double noise = noise_near[k] + noise_far[k];
        const double relative = t_near / width;
        if (slopes[k].empty()) {
          first_slope[k] = std::abs(slope);
          growth[k] = 0;
        }
        growth[k] = std::abs(slope) > std::abs(sides[k].steepest) ? growth[k] + 1 : 0;
        sides[k].steepest = slope;
        sides[k].finite = true;
        slopes[k].add(std::abs(width), slope, noise / std::abs(width));
        limits[k].add(std::abs(width), near[k] - relative * (far[k] - near[k]), 2 * noise);
        settled[k] = slopes[k].settled(ladder.accuracy) ? 1 : 0;
      } else {
        slopes[k].restart();
        limits[k].restart();
        sides[k].finite = false;
      }
      all_settled = all_settled && settled[k] != 0;
    }
    if (width == 0 || all_settled) {
      break;
    }
    descent.next(any_finite);
  }
  for (std::size_t k = 0; k < count; ++k) {
    Side& result = sides[k];
    result.slope = slopes[k].best();
    result.limit = limits[k].best();
    const bool unsure = !(result.slope.error < 0.1 * std::abs(result.slope.value));
    result.diverges = result.finite && unsure && growth[k] >= 8 &&
                      std::abs(result.steepest) > 30 * first_slope[k];
  }
  return sides;
}

}  // namespace cadena::detail
