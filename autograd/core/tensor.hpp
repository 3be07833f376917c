#pragma once

#include <cadena/autograd/core/small_vector.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>

#include <concepts>
#include <iosfwd>
#include <span>
#include <string>
#include <vector>

namespace cadena {

struct BackwardOptions {
  bool retain_graph = false;  ///< Keep saved values, so that the graph can be walked again.
};

/// A cheap handle to an immutable value: up to eight dimensions of float32, float64, int64, boolean
/// or uint8, perhaps a strided view of another tensor's memory, and its place in the graph of
/// operators that made it. Copying shares.
class Tensor {
 public:
  Tensor() noexcept = default;  ///< Undefined: holds nothing.
  Tensor(const Tensor&) noexcept = default;
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(const Tensor&) & noexcept = default;
  Tensor& operator=(Tensor&&) & noexcept = default;
  /// Values never change: x[0] = y would be lost. A tensor with other elements is made by
  /// index_put, where, cat, stack, pad or scatter_add.
  Tensor& operator=(const Tensor&) && = delete;

  /// A number as operand: a 0-d float64, int64 or boolean that takes the dtype of the tensor it
  /// meets within its category (2 * x keeps a float32 x, 0.5 * i makes an int64 i float32).
  template <class Number>
    requires std::is_arithmetic_v<Number> Tensor(Number value) {
      if constexpr (std::same_as<Number, bool>) {
        *this = number_of(value);
      } else if constexpr (std::same_as<Number, std::uint64_t>) {
        *this = number_of(value);
      } else if constexpr (std::floating_point<Number>) {
        *this = number_of(static_cast<double>(value));
      } else {
        *this = number_of(static_cast<std::int64_t>(value));
      }
    }

  bool defined() const noexcept { return static_cast<bool>(impl_); }
  explicit operator bool() const = delete;  // of a value or of being there? Say item or defined.

  const Shape& shape() const { return impl_ ? impl_->shape : undefined("shape").shape; }
  Dtype dtype() const { return impl_ ? impl_->dtype : undefined("dtype").dtype; }
  int dim() const { return shape().size(); }                     ///< Number of dimensions.
  std::int64_t size(std::int64_t axis) const;                    ///< One dimension; -1 is the last.
  std::int64_t numel() const { return cadena::numel(shape()); }  ///< Number of elements.
  Strides strides() const;                                       ///< In elements.
  bool is_contiguous() const;                                    ///< Row-major without gaps.
  bool is_number() const { return impl_ && impl_->number; }      ///< Made from a C++ number.

  /// The only element, converted to T. Error unless numel() == 1.
  template <Element T> T item() const;
  double item() const { return item<double>(); }

  /// All elements in row-major order, converted to T.
  template <Element T> std::vector<T> to_vector() const;

  /// The elements in place. Error when T is not the dtype or the tensor is not contiguous; the span
  /// lives as long as some tensor that shares the memory.
  template <Element T> std::span<const T> data() const;

  /// The value converted to another dtype (float to integer truncates; differentiable between
  /// floating dtypes); the tensor itself if it has it already.
  Tensor to(Dtype dtype) const;

  /// The value in contiguous memory; the tensor itself if it is.
  Tensor contiguous() const;

  /// select(*this, 0, index).
  Tensor operator[](std::int64_t index) const;

  bool requires_grad() const noexcept {
    return impl_ && impl_->node.get() != nullptr;
  }                               ///< Whether gradients flow to or through it.
  bool is_leaf() const noexcept;  ///< Not the result of a recorded operator.

  /// Gradient gathered by `backward` in a leaf; undefined when there is none. Never part of a
  /// graph. Error for the result of a recorded operator: `backward` leaves none there.
  Tensor grad() const;
  void zero_grad() const;  ///< Drops the gradient of a leaf.

  /// The same value outside of the graph.
  Tensor detach() const;
  /// The same value as a new leaf of a graph. Error for integer dtypes.
  Tensor requires_grad_leaf() const;

  /// Adds d(this)/d(leaf) to the gradient of every leaf; see graph/backward.hpp.
  void backward(BackwardOptions options = {}) const;
  /// As above, for a tensor of any shape: `gradient` (same shape) is the upstream gradient.
  void backward(const Tensor& gradient, BackwardOptions options = {}) const;

  // For the library's own parts and for kernels.
  explicit Tensor(detail::Ref<detail::TensorImpl> impl) noexcept : impl_(std::move(impl)) {}
  const detail::Ref<detail::TensorImpl>& impl() const noexcept { return impl_; }

 private:
  /// Throws: `operation` was asked of an undefined tensor.
  [[noreturn]] static const detail::TensorImpl& undefined(const char* operation);
  static Tensor number_of(bool value);
  static Tensor number_of(double value);
  static Tensor number_of(std::int64_t value);
  static Tensor number_of(std::uint64_t value);

  detail::Ref<detail::TensorImpl> impl_;
};

using Tensors = SmallVector<Tensor, 3>;

/// The dtype of an operation on these tensors, by PyTorch's rules: tensors with dimensions decide
/// within a category (boolean, integer, floating), 0-d tensors and then numbers only raise the
/// category; a floating number beside integers gives float32.
Dtype result_dtype(std::span<const Tensor> tensors);

/// In NumPy's manner, long tensors shortened, with dtype and whether a gradient flows.
std::string to_string(const Tensor& tensor);
std::ostream& operator<<(std::ostream& stream, const Tensor& tensor);

}  // namespace cadena

template <> struct fmt::formatter<cadena::Tensor> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const cadena::Tensor& tensor,
                                       fmt::format_context& context) const;
};
