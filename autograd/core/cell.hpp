#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <string>
#include <utility>

namespace cadena {

namespace detail {
struct CellState;
}

/// What changes: a shared place that holds a value. Values never change; `assign` puts another in
/// the place (same shape and dtype), so a saved value, a view or a snapshot keeps what it saw.
/// Copying a Cell shares the place.
class Cell {
 public:
  Cell() noexcept;
  /// A place that holds `value`; with `requires_grad` it is a leaf of graphs and has a `grad`.
  explicit Cell(const Tensor& value, bool requires_grad = false);
  Cell(const Cell&) noexcept;
  Cell(Cell&&) noexcept;
  Cell& operator=(const Cell&) noexcept;
  Cell& operator=(Cell&&) noexcept;
  ~Cell();

  bool defined() const noexcept { return static_cast<bool>(state_); }
  const Tensor& value() const;
  /// Error unless shape and dtype are those of the place. The graph of `value` is not kept.
  void assign(const Tensor& value) const;
  Tensor grad() const { return value().grad(); }
  void zero_grad() const { value().zero_grad(); }
  /// Puts a gradient in the place of the one there is; an undefined one drops it. Error unless the
  /// cell requires a gradient, and shape and dtype are its own.
  void set_grad(const Tensor& gradient) const;
  bool requires_grad() const { return value().requires_grad(); }
  /// Freezes a parameter (false) or makes it trained again; its gradient is dropped. A parameter
  /// that is trained anyway stays as it is. Error for a cell that is no parameter.
  void requires_grad(bool required) const;
  /// Whether it is a parameter, frozen or not.
  bool trainable() const;
  /// Replaces shape and dtype too: for moving a model to another dtype.
  void reset(const Tensor& value) const;

  friend bool operator==(const Cell& a, const Cell& b) noexcept { return a.state_ == b.state_; }

  // For optimizers: `assign` of a value known to fit.
  void put(Tensor value) const;
  // For fields: no model has this place any more, or another one in its stead. Programs of compiled
  // functions that read it are no good from then on.
  void leave(bool replaced) const noexcept;

 private:
  detail::Ref<detail::CellState> state_;
};

/// A place under the name that models, optimizers and files give it.
struct NamedCell {
  std::string name;
  Cell cell;
};

/// A field of a model: a value like std::string. Copying a model copies its parameters (memory is
/// shared until one is assigned), moving one keeps the cell. Assigning a field of the same shape
/// and dtype puts the value into the place that is there, so an optimizer made for the model keeps
/// its hold on it; otherwise the field gets another place. `=` from a Tensor and `+=` do not
/// compile: use assign.
template <bool trainable> class Field {
 public:
  Field() = default;  ///< Undefined: an absent bias, say.
  explicit Field(const Tensor& value) : cell_(value, trainable) {}
  Field(const Field& other) : cell_(other.copied()) {}
  Field(Field&&) noexcept = default;
  ~Field() { cell_.leave(false); }
  Field& operator=(const Field& other) {
    if (this != &other && !takes(other)) {
      replace(other.copied());
    }
    return *this;
  }
  // Not noexcept: a value that is put into its place may need memory.
  Field& operator=(Field&& other) {  // NOLINT(performance-noexcept-move-constructor)
    if (this != &other && !takes(other)) {
      replace(std::move(other.cell_));
    }
    return *this;
  }
  Field& operator=(const Tensor&) = delete;  // use assign

  operator const Tensor&() const { return cell_.value(); }
  const Tensor& value() const { return cell_.value(); }
  bool defined() const noexcept { return cell_.defined(); }
  void assign(const Tensor& value) const { cell_.assign(value); }
  Tensor grad() const { return cell_.grad(); }
  void zero_grad() const { cell_.zero_grad(); }
  void set_grad(const Tensor& gradient) const { cell_.set_grad(gradient); }
  bool requires_grad() const { return cell_.requires_grad(); }
  /// Freezes the parameter (false) or makes it trained again; see Cell.
  void requires_grad(bool required) const requires trainable { cell_.requires_grad(required); }
  const Shape& shape() const { return value().shape(); }
  Dtype dtype() const { return value().dtype(); }
  /// The place itself, shared: what optimizers and files work with.
  const Cell& cell() const noexcept { return cell_; }

 private:
  void replace(Cell cell) {
    cell_.leave(true);
    cell_ = std::move(cell);
  }
  /// Takes the value of a field that fits into its own place.
  bool takes(const Field& other) const {
    const bool fits =
        defined() && other.defined() && shape() == other.shape() && dtype() == other.dtype();
    if (fits) {
      assign(other.value());
    }
    return fits;
  }
  Cell copied() const {
    if (!cell_.defined()) {
      return Cell();
    }
    const Cell copy(cell_.value().detach(), trainable);
    if (trainable && !cell_.requires_grad()) {
      copy.requires_grad(false);
    }
    return copy;
  }
  Cell cell_;
};

using Parameter = Field<true>;  ///< Trained: optimizers update it.
using Buffer = Field<false>;    ///< State that is saved but not trained.

}  // namespace cadena

template <bool trainable>
struct fmt::formatter<cadena::Field<trainable>> : fmt::formatter<cadena::Tensor> {
  auto format(const cadena::Field<trainable>& field, fmt::format_context& context) const {
    return fmt::formatter<cadena::Tensor>::format(
        field.defined() ? field.value() : cadena::Tensor(), context);
  }
};
