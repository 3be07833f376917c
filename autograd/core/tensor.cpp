#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <algorithm>

namespace cadena {
namespace detail {

TensorImpl::TensorImpl() = default;
TensorImpl::~TensorImpl() = default;

Ref<TensorImpl> make_impl(Dtype dtype, const Shape& shape) {
  check_shape(shape, "tensor");
  Ref<TensorImpl> impl(new TensorImpl);
  impl->dtype = dtype;
  impl->shape = shape;
  impl->storage = Storage::make(static_cast<std::size_t>(numel(shape)) * size_of(dtype));
  impl->data = impl->storage->data;
  return impl;
}

bool is_contiguous(const Shape& shape, const Strides& strides) noexcept {
  bool contiguous = true;
  std::int64_t step = 1;
  for (int i = shape.size(); i-- > 0;) {
    contiguous = contiguous && (strides[i] == step || shape[i] == 1);
    step *= shape[i];
  }
  return contiguous || step == 0;
}

Ref<TensorImpl> make_view(const TensorImpl& base, const Shape& shape, const Strides& strides,
                          std::int64_t offset) {
  check_shape(shape, "tensor");
  Ref<TensorImpl> impl(new TensorImpl);
  impl->dtype = base.dtype;
  impl->shape = shape;
  impl->storage = base.storage;
  impl->data = base.data + offset * static_cast<std::int64_t>(size_of(base.dtype));
  if (!is_contiguous(shape, strides)) {
    impl->strides = std::make_unique<Strides>(strides);
  }
  return impl;
}

Ref<TensorImpl> with_node(const TensorImpl& value, Ref<Node> node, std::uint32_t output) {
  Ref<TensorImpl> impl(new TensorImpl);
  impl->dtype = value.dtype;
  impl->number = value.number;
  impl->shape = value.shape;
  impl->storage = value.storage;
  impl->data = value.data;
  impl->node = std::move(node);
  impl->output = output;
  if (value.strides) {
    impl->strides = std::make_unique<Strides>(*value.strides);
  }
  return impl;
}

TensorImpl& impl_of(const Tensor& tensor, const char* operation) {
  if (!tensor.defined()) {
    fail("{}: the tensor is undefined", operation);
  }
  return *tensor.impl();
}

void fail_element(const char* what, Dtype has, Dtype asked) {
  fail("kernel: {} holds {}, asked for {}; choose by its dtype() (dispatch_floating does)", what,
       name(has), name(asked));
}

namespace {

template <class T> Tensor make_number(T value) {
  Ref<TensorImpl> impl = make_impl(dtype_of<T>, {});
  *reinterpret_cast<T*>(impl->data) = value;
  impl->number = true;
  return Tensor(std::move(impl));
}

}  // namespace
}  // namespace detail

using detail::impl_of;

const detail::TensorImpl& Tensor::undefined(const char* operation) {
  fail("{}: the tensor is undefined", operation);
}

Tensor Tensor::number_of(bool value) { return detail::make_number(value); }
Tensor Tensor::number_of(double value) { return detail::make_number(value); }
Tensor Tensor::number_of(std::int64_t value) { return detail::make_number(value); }
Tensor Tensor::number_of(std::uint64_t value) {
  if (!std::in_range<std::int64_t>(value)) {
    fail("tensor: {} is outside of what int64 holds", value);
  }
  return detail::make_number(static_cast<std::int64_t>(value));
}

bool Tensor::is_contiguous() const { return impl_of(*this, "is_contiguous").contiguous(); }

std::int64_t Tensor::size(std::int64_t axis) const {
  return shape()[normalize_axis(axis, dim(), "size")];
}

Strides Tensor::strides() const {
  const detail::TensorImpl& impl = impl_of(*this, "strides");
  return impl.strides ? *impl.strides : contiguous_strides(impl.shape);
}

template <Element T> T Tensor::item() const {
  const detail::TensorImpl& impl = detail::value_of(*this, "item");
  if (numel() != 1) {
    fail("item: expected one element, got a tensor of shape {}", impl.shape);
  }
  return dispatch(impl.dtype, [&]<class S>() -> T {
    return convert_number<T>(*reinterpret_cast<const S*>(impl.data));
  });
}

template <Element T> std::vector<T> Tensor::to_vector() const {
  const detail::TensorImpl& impl = detail::value_of(*this, "to_vector");
  std::vector<T> values(static_cast<std::size_t>(numel()));
  dispatch(impl.dtype, [&]<class S>() {
    if (impl.contiguous()) {
      const S* from = reinterpret_cast<const S*>(impl.data);
      std::transform(from, from + values.size(), values.begin(),
                     [](S value) { return convert_number<T>(value); });
      return;
    }
    auto to = values.begin();
    detail::for_each<S>(impl, [&](S value) { *to++ = convert_number<T>(value); });
  });
  return values;
}

template <Element T> std::span<const T> Tensor::data() const {
  const detail::TensorImpl& impl = detail::value_of(*this, "data");
  if (impl.dtype != dtype_of<T>) {
    fail("data: the tensor holds {}, asked for {}", name(impl.dtype), name(dtype_of<T>));
  }
  if (!impl.contiguous()) {
    fail("data: the tensor of shape {} is a strided view; ask its contiguous()", impl.shape);
  }
  return {reinterpret_cast<const T*>(impl.data), static_cast<std::size_t>(numel())};
}

template bool Tensor::item<bool>() const;
template std::uint8_t Tensor::item<std::uint8_t>() const;
template std::int64_t Tensor::item<std::int64_t>() const;
template float Tensor::item<float>() const;
template double Tensor::item<double>() const;
template std::vector<bool> Tensor::to_vector() const;
template std::vector<std::uint8_t> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;
template std::span<const bool> Tensor::data() const;
template std::span<const std::uint8_t> Tensor::data() const;
template std::span<const std::int64_t> Tensor::data() const;
template std::span<const float> Tensor::data() const;
template std::span<const double> Tensor::data() const;

Dtype result_dtype(std::span<const Tensor> tensors) {
  const auto category = [](Dtype dtype) {
    return is_floating(dtype) ? 2 : dtype == Dtype::boolean ? 0 : 1;
  };
  // Operands by rank: tensors with dimensions, 0-d tensors, numbers. A later group counts only
  // where its category is higher than that of all before it.
  bool found = false;
  Dtype result = Dtype::boolean;
  for (int group = 0; group < 3; ++group) {
    bool any = false;
    Dtype dtype = Dtype::boolean;
    for (const Tensor& tensor : tensors) {
      const detail::TensorImpl& impl = impl_of(tensor, "result_dtype");
      const int its_group = impl.number ? 2 : impl.shape.empty() ? 1 : 0;
      if (its_group == group) {
        any = true;
        dtype = promote(dtype, impl.dtype);
      }
    }
    if (any && (!found || category(dtype) > category(result))) {
      result = group == 2 && is_floating(dtype) ? Dtype::float32 : dtype;
      found = true;
    }
  }
  return result;
}

}  // namespace cadena
