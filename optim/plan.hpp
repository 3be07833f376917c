#pragma once

// What one step of an optimizer does to memory.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/optim/update.hpp>

#include <array>
#include <vector>

namespace cadena::optim {

/// A parameter with its state.
struct Member {
  Cell parameter;
  std::vector<Cell> states;
  Cell step;  // undefined when updates are not counted
};

/// The number in a 0-d float64 cell.
double number_in(const Cell& cell);
void set_number(const Cell& cell, double value);

/// The updates of all parameters in one step, run as one loop over all their elements. It is kept
/// between steps, so that a step allocates nothing.
class Plan {
 public:
  void clear() noexcept;
  /// The constants of the members added from now on.
  void use(const Update& update) { updates_.push_back(update); }
  /// The gradient is contiguous, of the shape and dtype of the parameter and its states.
  void add(const Member& member, Tensor gradient);
  /// To be written to the member's count of updates.
  void count(const Member& member, double step) { counted_.push_back({&member.step, step}); }
  /// Computes, then puts the new values in their places. Nothing has changed before.
  void run();

 private:
  static constexpr std::size_t max_states = 3;

  /// A parameter in the line of all elements of a dtype.
  struct Segment {
    std::int64_t begin, end;
    std::size_t update;  // index of its constants
    std::size_t states;
    std::array<const std::byte*, max_states + 2> in;
    std::array<std::byte*, max_states + 1> out;
  };
  struct Fresh {
    const Cell* cell;
    Tensor value;
  };
  struct Counted {
    const Cell* cell;
    double step;
  };

  std::byte* target(const Cell& cell);
  template <class T> void run_line(const std::vector<Segment>& line) const;

  std::vector<Update> updates_;
  std::vector<Segment> float32_, float64_;
  std::vector<Tensor> gradients_;  // kept alive
  std::vector<Fresh> fresh_;
  std::vector<Counted> counted_;
};

}  // namespace cadena::optim
