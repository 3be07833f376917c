#pragma once

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/operator.hpp>

namespace cadena {

namespace detail {
/// Where the new values of cells are written, and how they get into their places.
class UpdateTargets {
 public:
  explicit UpdateTargets(std::span<const Cell> cells);
  Outputs outputs() const noexcept { return {outputs_.data(), outputs_.size()}; }
  /// Puts the values that were written elsewhere into their cells.
  void put() const;

 private:
  std::span<const Cell> cells_;
  SmallVector<Output, 16> outputs_;
  SmallVector<std::pair<std::size_t, Tensor>, 1> fresh_;
};

void capture_update(const OperatorRef& op, std::span<const Tensor* const> inputs,
                    std::span<const Cell> cells);
}  // namespace detail

/// The door for operators whose outputs are new values of cells, of the dtypes and shapes there. A
/// value is written into the memory of the old one when the cell alone holds that, so the operator
/// has to read each element before it writes it. Inputs are contiguous. No gradient is recorded;
/// nothing has changed if the operator throws before it writes.
template <class Op>
void bind_update(const Op& op, std::span<const Tensor* const> inputs, std::span<const Cell> cells) {
  if (modes().capturing != nullptr) {
    detail::capture_update(make_operator(op), inputs, cells);
    return;
  }
  SmallVector<Input, 16> in;
  for (const Tensor* input : inputs) {
    in.emplace_back(input->impl().get());
  }
  const detail::UpdateTargets targets(cells);
  op.run({in.data(), in.size()}, targets.outputs());
  targets.put();
}

}  // namespace cadena
