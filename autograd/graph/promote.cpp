#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <algorithm>

namespace cadena::detail {
namespace {

/// A number in another dtype, repeated over a shape: a constant that needs no operators.
Tensor spread(const Tensor& number, Dtype dtype, const Shape& shape) {
  const TensorImpl& impl = *number.impl();
  const Ref<TensorImpl> one = make_impl(dtype, {});
  dispatch(impl.dtype, [&]<class From>() {
    dispatch(dtype, [&]<class To>() {
      *reinterpret_cast<To*>(one->data) =
          convert_number<To>(*reinterpret_cast<const From*>(impl.data));
    });
  });
  if (numel(shape) != 1) {
    one->strides = std::make_unique<Strides>(Dims::filled(shape.size(), 0));
  }
  one->shape = shape;
  return Tensor(one);
}

}  // namespace

bool all_numbers(std::span<const Tensor* const> inputs) noexcept {
  return std::all_of(inputs.begin(), inputs.end(),
                     [](const Tensor* input) { return input->defined() && input->is_number(); });
}

SmallVector<Tensor, 4> promoted(const char* operation, Domain domain,
                                std::span<const Tensor* const> inputs, bool condition) {
  SmallVector<Tensor, 4> ready;
  for (const Tensor* input : inputs) {
    if (!input->defined()) {
      fail("{}: input {} is undefined", operation, ready.size());
    }
    ready.push_back(*input);
  }
  const std::size_t first = condition ? 1 : 0;
  if (condition && ready[0].dtype() != Dtype::boolean) {
    fail("{}: the condition is {}, expected boolean", operation, name(ready[0].dtype()));
  }
  Dtype dtype = result_dtype(std::span<const Tensor>(ready).subspan(first));
  if (dtype < Dtype::int64 && domain != Domain::any) {
    fail(
        "{}: {} tensors hold data, not numbers to compute with; convert with to(float32) or "
        "to(int64)",
        operation, name(dtype));
  }
  if (domain == Domain::floating && !is_floating(dtype)) {
    dtype = Dtype::float32;
  }
  if (is_floating(dtype) && all_numbers(inputs)) {
    dtype = Dtype::float64;
  }
  if (dtype < Dtype::int64) {
    dtype = Dtype::int64;
  }
  Shape shape = ready[0].shape();
  for (const Tensor& input : ready) {
    if (input.shape() != shape) {
      shape = broadcast_shapes(shape, input.shape(), operation);
    }
  }
  for (std::size_t i = 0; i < ready.size(); ++i) {
    if (i >= first && ready[i].is_number() && !ready[i].requires_grad()) {
      ready[i] = spread(ready[i], dtype, shape);
      continue;
    }
    if (i >= first) {
      ready[i] = ready[i].to(dtype);
    }
    if (ready[i].shape() != shape) {
      ready[i] = expand(ready[i], shape);
    }
  }
  return ready;
}

Type elementwise_type(const char* operation, std::span<const Type> inputs, std::size_t expected) {
  if (inputs.size() != expected) {
    fail("{}: expected {} inputs, got {}", operation, expected, inputs.size());
  }
  for (const Type& input : inputs.subspan(1)) {
    if (input != inputs[0]) {
      fail("{}: inputs differ: {} {} and {} {}", operation, name(inputs[0].dtype), inputs[0].shape,
           name(input.dtype), input.shape);
    }
  }
  return inputs[0];
}

std::uint64_t new_identity() noexcept { return next_node_id(); }

Tensor alias(const Tensor& x) {
  // A view of the same shape: a node whose derivative is the identity.
  return reshape(x, x.shape());
}

Tensor partial_of(const Tensor& value, const Tensor& x) {
  const auto zero = [&] { return zeros(x.shape(), {.dtype = x.dtype()}); };
  if (!value.requires_grad()) {
    return zero();
  }
  const Tensor upstream = ones(value.shape(), {.dtype = value.dtype()});
  Tensor result =
      grad({&value, 1}, {&x, 1}, {&upstream, 1}, {.create_graph = true, .allow_unused = true})[0];
  return result.defined() ? result : zero();
}

}  // namespace cadena::detail
