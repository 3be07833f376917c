#pragma once

#include <cadena/autograd/core/tensor_impl.hpp>

#include <span>

namespace cadena {

namespace detail {
[[noreturn]] void fail_element(const char* what, Dtype has, Dtype asked);
}

/// One operand of a running kernel. Contiguous unless the operator says `strided`.
class Input {
 public:
  explicit Input(const detail::TensorImpl* impl) noexcept : impl_(impl) {}
  Dtype dtype() const noexcept { return impl_->dtype; }
  const Shape& shape() const noexcept { return impl_->shape; }
  std::int64_t size(int axis) const noexcept { return shape()[axis]; }
  std::int64_t numel() const noexcept { return cadena::numel(shape()); }
  Strides strides() const noexcept {
    return impl_->strides ? *impl_->strides : contiguous_strides(impl_->shape);
  }
  bool is_contiguous() const noexcept { return impl_->contiguous(); }
  const std::byte* bytes() const noexcept { return impl_->data; }
  /// The elements. Error unless T is the dtype.
  template <Element T> const T* data() const {
    if (impl_->dtype != dtype_of<T>) {
      detail::fail_element("an input", impl_->dtype, dtype_of<T>);
    }
    return reinterpret_cast<const T*>(bytes());
  }

 private:
  const detail::TensorImpl* impl_;
};

/// One result of a running kernel: contiguous memory to fill.
class Output {
 public:
  explicit Output(detail::TensorImpl* impl) noexcept : impl_(impl) {}
  Dtype dtype() const noexcept { return impl_->dtype; }
  const Shape& shape() const noexcept { return impl_->shape; }
  std::int64_t size(int axis) const noexcept { return shape()[axis]; }
  std::int64_t numel() const noexcept { return cadena::numel(shape()); }
  std::byte* bytes() const noexcept { return impl_->data; }
  /// The elements to write. Error unless T is the dtype.
  template <Element T> T* data() const {
    if (impl_->dtype != dtype_of<T>) {
      detail::fail_element("an output", impl_->dtype, dtype_of<T>);
    }
    return reinterpret_cast<T*>(bytes());
  }

 private:
  detail::TensorImpl* impl_;
};

using Inputs = std::span<const Input>;
using Outputs = std::span<const Output>;

}  // namespace cadena
