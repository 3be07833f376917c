#pragma once

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <cstdint>

namespace cadena::detail {

/// What became of the field of a model that a cell was made for.
enum class Fate : std::uint8_t {
  held,       ///< The field is there, or there never was one.
  replaced,   ///< The field got another cell.
  destroyed,  ///< The field is gone.
};

/// What a Cell points to.
struct CellState : Counted, Pooled {
  Tensor value;
  Ref<Node> leaf;
  bool frozen = false;  // the leaf waits
  Fate fate = Fate::held;
  const Ref<Node>& place() const {
    static const Ref<Node> none;
    return frozen ? none : leaf;
  }
  static void destroy(CellState* state) noexcept { delete state; }
};

}  // namespace cadena::detail
