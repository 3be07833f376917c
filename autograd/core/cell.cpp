#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/cell_state.hpp>
#include <cadena/autograd/graph/node.hpp>

namespace cadena {
namespace detail {

namespace {

/// The value with the cell's leaf as its place in graphs. A number becomes an ordinary tensor.
Tensor placed(const Tensor& value, const Ref<Node>& leaf) {
  const Tensor compact = value.is_number() ? value.to(value.dtype()) : value.contiguous();
  return Tensor(with_node(*compact.impl(), leaf, 0));
}

}  // namespace
}  // namespace detail

Cell::Cell() noexcept = default;
Cell::Cell(const Cell&) noexcept = default;
Cell::Cell(Cell&&) noexcept = default;
Cell& Cell::operator=(const Cell&) noexcept = default;
Cell& Cell::operator=(Cell&&) noexcept = default;
Cell::~Cell() = default;

Cell::Cell(const Tensor& value, bool requires_grad) {
  const detail::TensorImpl& impl = detail::impl_of(value, "cell");
  detail::refuse_capture("makes a parameter, a buffer or an optimizer");
  if (requires_grad && !is_floating(impl.dtype)) {
    fail("cell: only float32 and float64 tensors have gradients, got {} {}", name(impl.dtype),
         impl.shape);
  }
  state_ = detail::Ref<detail::CellState>(new detail::CellState);
  state_->leaf = requires_grad ? detail::Leaf::make(impl.dtype, impl.shape) : nullptr;
  state_->value = detail::placed(value.detach(), state_->leaf);
}

const Tensor& Cell::value() const {
  if (!state_) {
    fail("cell: the cell is undefined (moved from, or never given a value)");
  }
  detail::Capturing* capturing = modes().capturing;
  return capturing == nullptr ? state_->value : capturing->value(*state_);
}

void Cell::assign(const Tensor& value) const {
  const Tensor& old = this->value();
  const detail::TensorImpl& impl = detail::impl_of(value, "assign");
  if (impl.shape != old.shape() || impl.dtype != old.dtype()) {
    fail("assign: expected {} {}, got {} {}", name(old.dtype()), old.shape(), name(impl.dtype),
         impl.shape);
  }
  put(value.detach());
}

void Cell::put(Tensor value) const {
  Tensor placed = detail::placed(value, state_->place());
  if (detail::Capturing* capturing = modes().capturing; capturing != nullptr) {
    capturing->put(*state_, std::move(placed));
  } else {
    state_->value = std::move(placed);
  }
}

void Cell::leave(bool replaced) const noexcept {
  if (state_) {
    state_->fate = replaced ? detail::Fate::replaced : detail::Fate::destroyed;
  }
}

void Cell::reset(const Tensor& value) const {
  detail::refuse_capture("moves a parameter to another dtype or shape");
  const Cell fresh(value, trainable());
  state_->leaf = fresh.state_->leaf;
  put(value.detach());
}

void Cell::set_grad(const Tensor& gradient) const {
  const Tensor& own = value();
  if (!requires_grad()) {
    fail("set_grad: the cell ({} {}) takes no gradient", name(own.dtype()), own.shape());
  }
  if (gradient.defined() && (gradient.shape() != own.shape() || gradient.dtype() != own.dtype())) {
    fail("set_grad: expected {} {}, got {} {}", name(own.dtype()), own.shape(),
         name(gradient.dtype()), gradient.shape());
  }
  detail::put_gradient(*detail::as_leaf(state_->leaf.get()),
                       gradient.defined() ? gradient.detach() : Tensor());
}

bool Cell::trainable() const {
  value();
  return state_->leaf.get() != nullptr;
}

void Cell::requires_grad(bool required) const {
  if (!trainable()) {
    fail("requires_grad: the cell ({} {}) is no parameter", name(value().dtype()), value().shape());
  }
  if (required && !state_->frozen) {
    return;
  }
  detail::refuse_capture("freezes a parameter or makes it trained again");
  // Also what a backward pass through a graph made before may have left meanwhile.
  detail::put_gradient(*detail::as_leaf(state_->leaf.get()), Tensor());
  state_->frozen = !required;
  put(value().detach());
}

}  // namespace cadena
