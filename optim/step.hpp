#pragma once

#include <cadena/autograd/graph/operator.hpp>
#include <cadena/optim/update.hpp>

#include <memory>
#include <vector>

namespace cadena::optim {

/// One step of an optimizer as an operator: all parameters in one parallel loop. Its inputs are the
/// number of steps, the rates of all groups, and for each parameter its value, its gradient, its
/// states and, where updates are counted, their number. Its outputs are the number of steps, and
/// for each parameter its value, its states and the number of its updates. An output may lie in the
/// memory of its input. Numbers are 0-d float64.
struct Step {
  struct Member {
    std::size_t group;
    std::size_t states;
    bool counts;
    bool operator==(const Member&) const = default;
  };

  static constexpr Doc doc{"step", "one step of an optimizer"};
  static constexpr bool in_place = true;

  const char* optimizer;
  std::vector<Rule> rules;  ///< One a group.
  std::vector<Member> members;

  Types infer(std::span<const Type> in) const;
  void run(Inputs in, Outputs out) const;
  std::string attributes() const { return optimizer; }
  bool operator==(const Step& other) const { return this == &other; }
};

}  // namespace cadena::optim
