#pragma once

#include <cadena/autograd/core/flag.hpp>
#include <cadena/autograd/core/generator.hpp>
#include <cadena/autograd/graph/cell_state.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/operator.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace cadena::detail {

/// A place among the values of a listing.
using ValueIndex = std::uint32_t;

/// Where a value comes from.
enum class Origin : std::uint8_t {
  argument,  ///< What the function is called with.
  constant,  ///< A tensor from outside, which cannot change.
  cell,      ///< What a cell holds when the program begins.
  gradient,  ///< What a leaf has for a gradient when the program begins.
  draw,      ///< The state of a generator for one draw.
  result,    ///< What an instruction makes.
};

struct ListedValue {
  Type type;
  Origin origin = Origin::result;
  std::uint32_t index = 0;   ///< In the list of its origin; of a result, when it was captured.
  std::uint32_t output = 0;  ///< Which output of the instruction.
  std::optional<Strides> strides = {};  ///< None when contiguous.
};

/// One application of an operator.
struct Instruction {
  OperatorRef op;
  SmallVector<ValueIndex, 4> inputs;
  SmallVector<ValueIndex, 2> outputs;
  SmallVector<bool, 4> flows = {};  ///< Through which inputs a gradient flows.
  std::uint32_t region = 0;         ///< Not 0 for what is computed again.
};

/// What a result has for a place in graphs.
enum class Place : std::uint8_t {
  none,
  argument,  ///< That of an argument, which it is.
  leaf,      ///< A leaf from outside: a parameter's, say.
  fresh,     ///< A leaf of its own.
  released,  ///< A graph that a backward inside of the function has used up.
  graph,     ///< The function: its gradient flows on to arguments and leaves.
};

/// A captured function: operators in the order of their application, what they read, and what they
/// give and change.
struct Listing {
  struct Draws {
    Generator generator;
    std::uint64_t count;
  };
  struct Draw {
    std::uint32_t generator;  ///< Its index in `generators`.
    std::uint64_t offset;     ///< Draws from it before this one.
  };
  struct Result {
    ValueIndex value;
    Place place = Place::none;
    Ref<Node> leaf = {};
  };
  /// A leaf from outside, or that of an argument.
  struct LeafOf {
    Ref<Node> outside;  ///< Null for an argument's.
    std::uint32_t argument = 0;
  };
  struct CellWrite {
    Ref<CellState> cell;
    ValueIndex value;
  };
  struct GradientWrite {
    LeafOf leaf;
    std::optional<ValueIndex> value;  ///< None: there is no gradient any more.
  };

  std::vector<ListedValue> values;
  std::vector<Instruction> instructions;
  std::vector<Tensor> constants;
  std::vector<Ref<CellState>> cells;
  std::vector<LeafOf> gradients;
  std::vector<Draws> generators;
  std::vector<Draw> draws;
  std::vector<Result> results;
  std::vector<CellWrite> cell_writes;
  std::vector<GradientWrite> gradient_writes;

  /// Values, instructions and what they change as nodes.
  Graph graph() const;
};

/// What a program relies on besides its arguments: met by the function on its way.
struct Guards {
  struct OfCell {
    Ref<CellState> cell;
    Type type;
    Ref<Node> place;
  };
  struct OfGradient {
    Ref<Node> leaf;
    bool defined;
    std::optional<Strides> strides;
  };
  struct OfFlag {
    Ref<FlagState> flag;
    bool on;
  };

  std::vector<OfCell> cells;
  std::vector<OfGradient> gradients;
  std::vector<OfFlag> flags;

  /// Whether all is as it was. Error if a parameter is gone.
  bool hold() const;
};

}  // namespace cadena::detail
