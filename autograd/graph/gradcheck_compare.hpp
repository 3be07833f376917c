#pragma once

// The comparison of gradients with numerical derivatives; not for users.

#include <cadena/autograd/graph/gradcheck_problem.hpp>
#include <cadena/autograd/graph/ridders.hpp>

#include <limits>
#include <map>
#include <optional>
#include <set>

namespace cadena::detail {

/// A weight for each output element: one element alone, or all.
struct Cotangent {
  std::int64_t element = -1;
  double weight = 1;          ///< Of the one element.
  std::vector<double> dense;  ///< Of all, otherwise.

  double apply(std::span<const double> outputs) const;
  /// Rounding of the weighted sum when each output is off by a share `roundoff`.
  double noise(std::span<const double> outputs, double roundoff) const;
  std::vector<double> full(std::int64_t numel) const;
};

/// A way to move a variable: one element alone, or all.
struct Direction {
  std::size_t variable;
  std::int64_t element = -1;
  std::vector<double> dense;
  double first_step;
  double nearest = 0;  ///< Distance to 0 of the one element, 0 otherwise.
};

/// A place with its gradients for each cotangent.
struct Anchor {
  Place place;  ///< Empty: the variables' own values.
  Recorded at;
  std::vector<Pulled> gradients;
};

/// One problem at one order.
class Comparison {
 public:
  Comparison(Problem& problem, int order, const GradcheckOptions& options, GradcheckReport& report)
      : problem_(problem),
        order_(order),
        options_(options),
        report_(report),
        random_(options.seed * 2 + static_cast<std::uint64_t>(order)) {}
  /// False if two calls of the problem with the same inputs differ.
  bool run();

 private:
  /// What is known of one comparison.
  struct Finding {
    double gradient = 0, numerical = 0, error = 0, allowed = 0;
    double length = 1;     ///< Of the direction.
    double magnitude = 0;  ///< The derivative's own size: root of the sum of squares of its terms.
    bool reached = true;
    bool fine = false;
  };
  /// Numerical derivatives of one comparison from all that was tried.
  struct Evidence {
    std::optional<Derivative> central;  ///< The clear one with the smallest error.
    bool firm = false;                  ///< So clear that an infinite derivative is ruled out.
    Derivative vague;                   ///< What there is without a clear result.
    Side left, right;
    bool left_clear = false, right_clear = false;
    bool contradicted = false;  ///< Smaller steps tell otherwise: nothing is known.
  };
  struct ScanRow {
    double step;
    std::vector<double> slopes, noise, sizes;  ///< Of each cotangent.
  };
  using Cotangents = std::vector<const Cotangent*>;

  /// Calls the function so many times more at the inputs; if anything differs, that is all that is
  /// reported.
  void check_repeatable(int times);
  void check_backward();
  void check_layout();
  void find_gaps();
  void choose_cotangents();
  void measure_noise();
  void check_variable(std::size_t v);
  void check_moved();
  Direction element_direction(std::size_t v, std::int64_t element) const;
  Direction random_direction(std::size_t v);

  void check_direction(const Direction& direction, const Anchor& anchor);
  std::vector<Evidence> gather(const Direction& direction, const Anchor& anchor,
                               const std::vector<std::size_t>& suspects,
                               const std::vector<Derivative>& first);
  /// Slopes from both sides, for what smaller steps do not contradict.
  void look_aside(const Direction& direction, const Anchor& anchor, const Cotangents& chosen,
                  const std::vector<Finding>& findings, std::vector<Evidence>& evidence);
  /// Plain differences over all sizes of steps: what is a derivative shows at all smaller ones.
  std::vector<ScanRow> scan(const Direction& direction, const Anchor& anchor,
                            const Cotangents& chosen);
  /// Whether rounding errors are as large as what they disturb, so that differences tell nothing.
  bool drowned(const std::vector<ScanRow>& rows, std::size_t i, double noise, double size) const;
  /// The largest step of the lowest range in which differences agree; 0 if there is none.
  static double plateau(const std::vector<ScanRow>& rows, std::size_t i);
  /// Whether smaller steps than it is made of tell something else, as for a function that repeats
  /// itself within a step.
  static bool contradicts(const std::vector<ScanRow>& rows, std::size_t i,
                          const Derivative& derivative);
  void decide(const Direction& direction, const Anchor& anchor, std::size_t k, Finding finding,
              const Evidence& evidence, bool singular);
  void decide_by_sides(const Direction& direction, const Anchor& anchor, std::size_t k,
                       Finding finding, const Evidence& evidence);
  void narrow(Direction& direction, const Anchor& anchor, Cotangent& cotangent, Finding& finding);
  Finding probe(const Direction& direction, const Anchor& anchor, const Cotangent& cotangent,
                const Pulled& gradients);

  Curve curve(const Direction& direction, const Anchor& anchor, Cotangents cotangents, bool moved,
              Observer* observer = nullptr);
  std::vector<double> middle(const Cotangents& cotangents, const Anchor& anchor) const;
  Finding finding(const Direction& direction, const Pulled& gradients) const;
  /// Whether a derivative is known well enough to say something; `k` counts in sizes_, noises_.
  bool clear(const Derivative& derivative, const Finding& finding, std::size_t k,
             const Direction& direction) const;
  /// Whether a derivative of 0 could be told from the gradient, or does not matter beside others.
  bool telling(const Derivative& derivative, const Finding& finding, std::size_t k,
               const Direction& direction) const;
  void judge(Finding& finding, const Derivative& derivative, double extra) const;
  /// Noise of an output combination: from rounding, and with inputs moved by an ulp if so `moved`.
  double spread(const Cotangent& cotangent, bool moved) const;
  double gradient_spread(const Direction& direction, std::size_t k);

  GradcheckPlace place(const Direction& direction, const Cotangent& cotangent,
                       const Finding& finding) const;
  void accept(const Direction& direction, std::size_t k, const Finding& finding);
  void reject(Direction direction, const Anchor& anchor, std::size_t k, Finding finding);
  void note(GradcheckNote::Kind kind, const Direction& direction, std::size_t k,
            const Finding& finding, const Evidence& evidence);
  bool stopped() const {
    return static_cast<int>(report_.failures.size()) >= options_.max_failures || !repeats_ ||
           !problem_.misfit().empty();
  }
  GradcheckInput* summary(std::size_t v);

  Problem& problem_;
  int order_;
  const GradcheckOptions& options_;
  GradcheckReport& report_;
  CheckRandom random_;
  Anchor own_;
  std::vector<Cotangent> cotangents_;
  bool complete_ = false;               // every output element has a cotangent of its own
  bool repeats_ = true;                 // as far as seen
  std::vector<std::int64_t> compared_;  // comparisons of each variable
  double largest_gradient_ = 0;  // of all, as change of an output per relative change of a variable
  double roundoff_ = 0x1p-53;
  double tiny_ = std::numeric_limits<double>::min();  // below, numbers are not exact
  std::vector<std::vector<double>> rounded_values_;   // outputs with other rounding errors
  std::vector<std::vector<double>> moved_values_;     // and with inputs one ulp away
  std::vector<Place> moved_places_;
  std::map<std::size_t, std::vector<Pulled>> moved_gradients_;  // by cotangent
  // Of each cotangent in the direction at hand: the largest output, its rounding noise at the
  // start, and how far it goes from there.
  std::vector<double> sizes_, noises_, variations_;
  std::set<std::size_t> kinked_;  // variables without clear derivatives along random directions
};

}  // namespace cadena::detail
