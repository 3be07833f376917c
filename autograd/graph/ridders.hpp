#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace cadena::detail {

/// Values of several functions of one real t, and how far each value may be off by rounding. Where
/// a function has no value it is infinite or NaN. Returns the t that was really taken: the nearest
/// one whose argument is representable.
using Curve = std::function<double(double t, std::span<double> values, std::span<double> noise)>;

/// A derivative with the error that its computation shows.
struct Derivative {
  double value = std::numeric_limits<double>::quiet_NaN();
  double error = std::numeric_limits<double>::infinity();  ///< Of extrapolation and of noise.
  double noise = 0;                                        ///< The share of noise in the error.
  double step = 0;                                         ///< The smallest t it is made of.
  double bend = 0;  ///< Right slope minus left slope, as far as symmetric differences tell.
  bool found() const noexcept { return error < std::numeric_limits<double>::infinity(); }
};

/// The steps that are tried: from `first` downward, each smaller by `ratio` (much smaller while
/// some value is not finite), until extrapolation agrees to `accuracy` (relative) or noise is all
/// that is left. A ratio that is not a whole number never walks in step with a periodic function.
struct Ladder {
  double first = 0.1;
  double lowest = 0;
  int rows = 30;
  double ratio = 1.9;
  double accuracy = 1e-9;
};

/// Derivatives at t = 0 from symmetric differences, extrapolated to step 0 in powers of the step's
/// square (C. Ridders, Accurate computation of F'(x) and F'(x)F''(x), Advances in Engineering
/// Software 4(2), 1982). The entry of the table with the smallest error is taken, where the error
/// is the difference from its neighbours plus the noise of the values carried through the table.
/// `middle` are the values at t = 0, from which bends are told.
std::vector<Derivative> central_derivatives(const Curve& curve, std::span<const double> middle,
                                            const Ladder& ladder);

/// What a function does on one side of t = 0, from values on that side alone.
struct Side {
  Derivative slope;
  Derivative limit;       ///< Of the function's value, with its error.
  bool finite = false;    ///< Whether the function had values on this side.
  bool diverges = false;  ///< The slope grows as the step shrinks, with no end in sight.
  double steepest = 0;    ///< The slope at the smallest step.
};

/// Slopes and limits from the right (side = 1) or from the left (side = -1), extrapolated in powers
/// of the step from differences between t = side·h and t = 2·side·h.
std::vector<Side> one_sided_derivatives(const Curve& curve, std::size_t count, int side,
                                        const Ladder& ladder);

}  // namespace cadena::detail
