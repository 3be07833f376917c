#pragma once

#include <cadena/autograd/core/cell.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cadena::optim {

/// Whose formula and defaults where the two differ: see the options of each optimizer.
enum class Convention { lecture, pytorch };

/// Parameters that share their options.
template <class Options> struct ParameterGroup {
  std::vector<Cell> parameters;
  Options options = {};
};

struct Update;  // one step's constants and kernels: update.hpp

/// The update of the t-th step (0 if not counted) at a learning rate.
using Rule = std::function<Update(double lr, double t)>;

/// What the states of an optimizer's parameters are.
struct States {
  std::vector<const char*> names = {};  ///< Shape and dtype of the parameter, 0 at first.
  bool counts = false;                  ///< And "step": how often the parameter was updated.
};

/// Updates parameters from their gradients. All parameters are updated in one parallel loop, in
/// place where nobody else holds the memory and into fresh memory otherwise, so a saved value, a
/// view or a snapshot keeps what it saw. The same bits for any number of threads. Of an optimizer
/// that was moved from, every function is an Error.
class Optimizer {
 public:
  virtual ~Optimizer();
  Optimizer(Optimizer&&) noexcept;
  Optimizer& operator=(Optimizer&&) noexcept;

  /// One update of each parameter that has a gradient; the others are left as they are, their state
  /// too. Error if not one has a gradient, or a gradient or a state does not fit its parameter;
  /// then nothing has changed.
  void step();
  /// Drops the gradients of all parameters.
  void zero_grad();

  std::size_t group_count() const;
  const std::vector<Cell>& parameters(std::size_t group = 0) const;

  /// The learning rate of a group; it may be set at any time. At least 0.
  double lr(std::size_t group = 0) const;
  void set_lr(double lr);  ///< Of all groups.
  void set_lr(std::size_t group, double lr);

  /// Number of steps made.
  std::int64_t steps() const;

  /// The place of a parameter's state, such as "m" of Adam. Error if there is none.
  const Cell& state(const Cell& parameter, std::string_view name) const;
  /// All that changes, for saving and for loading by `assign`: "steps", "lr.<group>" and
  /// "<state>.<index of the parameter over all groups>". Numbers are 0-d float64.
  std::vector<NamedCell> named_state() const;

 protected:
  /// A group: its parameters, the states each has, the learning rate, and the options in a rule.
  struct Members {
    std::vector<Cell> parameters;
    States states;
    double lr;
    Rule rule;
  };
  Optimizer(const char* name, std::vector<Members> groups);

  void check_group(std::size_t group) const;

 private:
  struct Impl;
  Impl& impl() const;  // Error once moved from
  std::unique_ptr<Impl> impl_;
};

/// An optimizer with its options, one a group.
template <class Options> class OptimizerWith : public Optimizer {
 public:
  using Group = ParameterGroup<Options>;

  /// As given, what was left open filled in. `lr` is the first one.
  const Options& options(std::size_t group = 0) const {
    check_group(group);
    return options_[group];
  }

 protected:
  /// The constants of the t-th update of a parameter, t = 1, 2, ... (0 if not counted).
  using UpdateOf = Update (*)(const Options& options, double lr, double t);

  /// `checked(options)` fills in and validates, `states(options)` says what state there is.
  template <class Checked, class StatesOf>
  OptimizerWith(const char* name, std::vector<Group> groups, Checked checked, StatesOf states,
                UpdateOf update)
      : OptimizerWith(name, filled_in(std::move(groups), checked), states, update) {}

 private:
  template <class StatesOf>
  OptimizerWith(const char* name, const std::vector<Group>& groups, StatesOf states,
                UpdateOf update)
      : Optimizer(name, members(groups, states, update)) {
    options_.reserve(groups.size());
    for (const Group& group : groups) {
      options_.push_back(group.options);
    }
  }

  template <class Checked>
  static std::vector<Group> filled_in(std::vector<Group> groups, Checked checked) {
    for (Group& group : groups) {
      group.options = checked(group.options);
    }
    return groups;
  }
  template <class StatesOf>
  static std::vector<Members> members(const std::vector<Group>& groups, StatesOf states,
                                      UpdateOf update) {
    std::vector<Members> all;
    all.reserve(groups.size());
    for (const Group& group : groups) {
      all.push_back({group.parameters, states(group.options), rate_of(group.options.lr),
                     rule_of(group.options, update)});
    }
    return all;
  }
  static Rule rule_of(const Options& options, UpdateOf update);
  static double rate_of(double lr) { return lr; }
  template <class Optional> static double rate_of(const Optional& lr) { return *lr; }

  std::vector<Options> options_;
};

}  // namespace cadena::optim
