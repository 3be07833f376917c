#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/data/dataset.hpp>

#include <cstring>

namespace cadena::data {
namespace {

/// Rows of a contiguous tensor along its first dimension.
Tensor rows(const Tensor& x, std::span<const std::int64_t> samples, bool in_succession) {
  const detail::TensorImpl& impl = *x.impl();
  Shape shape = impl.shape;
  shape[0] = static_cast<std::int64_t>(samples.size());
  std::int64_t width = 1;
  for (int axis = 1; axis < shape.size(); ++axis) {
    width *= shape[axis];
  }
  if (in_succession) {
    const std::int64_t first = samples.empty() ? 0 : samples[0];
    return Tensor(detail::make_view(impl, shape, contiguous_strides(shape), first * width));
  }
  detail::Ref<detail::TensorImpl> result = detail::make_impl(impl.dtype, shape);
  const std::size_t bytes = static_cast<std::size_t>(width) * size_of(impl.dtype);
  std::byte* to = result->data;
  for (const std::int64_t sample : samples) {
    std::memcpy(to, impl.data + static_cast<std::size_t>(sample) * bytes, bytes);
    to += bytes;
  }
  return Tensor(std::move(result));
}

Tensor kept(const Tensor& x, const char* what) {
  if (!x.defined()) {
    fail("TensorDataset: the tensor of {} is undefined", what);
  }
  return x.detach().contiguous();
}

}  // namespace

TensorDataset::TensorDataset(const Tensor& inputs, const Tensor& targets)
    : inputs_(kept(inputs, "inputs")), targets_(kept(targets, "targets")) {
  if (inputs.dim() == 0 || targets.dim() == 0 || inputs.shape()[0] != targets.shape()[0]) {
    fail("TensorDataset: inputs and targets differ in their first dimension: {} against {}",
         inputs.shape(), targets.shape());
  }
}

Batch TensorDataset::batch(std::span<const std::int64_t> samples) const {
  bool in_succession = true;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (samples[i] < 0 || samples[i] >= size()) {
      fail("TensorDataset: sample {} is outside [0, {})", samples[i], size());
    }
    in_succession = in_succession && samples[i] == samples[0] + static_cast<std::int64_t>(i);
  }
  return {rows(inputs_, samples, in_succession), rows(targets_, samples, in_succession)};
}

}  // namespace cadena::data
