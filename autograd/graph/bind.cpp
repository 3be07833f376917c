#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/observer.hpp>

namespace cadena {

using detail::Ref;
using detail::TensorImpl;

namespace {

Tensors run_view(const Operator& op, std::span<const Tensor* const> inputs) {
  if (inputs.size() != 1) {
    fail("{}: expected 1 input, got {}", op.doc().name, inputs.size());
  }
  const TensorImpl& input = *inputs[0]->impl();
  const Layout layout =
      op.view({input.shape, input.strides ? *input.strides : contiguous_strides(input.shape), 0});
  Tensors outputs;
  outputs.emplace_back(make_view(input, layout.shape, layout.strides, layout.offset));
  return outputs;
}

Tensors run_kernel(const Operator& op, std::span<const Tensor* const> inputs) {
  SmallVector<Type, 4> types;
  SmallVector<Tensor, 4> contiguous;  // keeps copies of strided inputs alive
  SmallVector<Input, 4> arguments;
  contiguous.reserve(inputs.size());
  for (const Tensor* input : inputs) {
    const TensorImpl& impl = *input->impl();
    types.push_back({impl.dtype, impl.shape});
  }
  Tensors outputs;
  SmallVector<Output, 3> results;
  for (const Type& type : op.infer(types)) {
    outputs.emplace_back(detail::make_impl(type.dtype, type.shape));
    results.emplace_back(outputs.back().impl().get());
  }
  for (const Tensor* input : inputs) {
    if (op.strided() || input->impl()->contiguous()) {
      arguments.emplace_back(input->impl().get());
    } else {
      contiguous.push_back(input->detach().contiguous());
      arguments.emplace_back(contiguous.back().impl().get());
    }
  }
  op.run({arguments.data(), arguments.size()}, {results.data(), results.size()});
  return outputs;
}

/// As a tile call: inputs are read as they lie, there is one output of their shape.
Tensors run_elementwise(const Operator& op, const TileCall& call,
                        std::span<const Tensor* const> inputs) {
  const TensorImpl& last = *inputs.back()->impl();
  SmallVector<Input, 4> operands;
  bool agree = inputs.size() == call.inputs;
  for (const Tensor* input : inputs) {
    const TensorImpl& impl = *input->impl();
    agree = agree && impl.shape == last.shape &&
            impl.dtype == (operands.size() < call.conditions ? Dtype::boolean : last.dtype);
    operands.emplace_back(&impl);
  }
  if (!agree) {
    SmallVector<Type, 4> types;
    for (const Tensor* input : inputs) {
      types.push_back({input->dtype(), input->shape()});
    }
    static_cast<void>(op.infer(types));  // says what is wrong
    fail("{}: inputs differ in number, dtype or shape", op.doc().name);
  }
  Tensors outputs;
  outputs.emplace_back(detail::make_impl(call.result, last.shape));
  const Output output(outputs[0].impl().get());
  kernels::run_tiles(call.kernel, call.functor, operands, {&output, 1});
  return outputs;
}

Tensors run(const Operator& op, std::span<const Tensor* const> inputs) {
  if (op.is_view()) {
    return run_view(op, inputs);
  }
  if (!inputs.empty()) {
    if (const TileCall call = op.tiles(inputs.back()->impl()->dtype); call.kernel != nullptr) {
      return run_elementwise(op, call, inputs);
    }
  }
  return run_kernel(op, inputs);
}

bool wants_gradient(std::span<const Tensor* const> inputs) noexcept {
  for (const Tensor* input : inputs) {
    if (input->impl()->node) {
      return true;
    }
  }
  return false;
}

bool any_floating(const Tensors& outputs) noexcept {
  for (const Tensor& output : outputs) {
    if (is_floating(output.impl()->dtype)) {
      return true;
    }
  }
  return false;
}

Tensors apply(const OperatorRef& op, std::span<const Tensor* const> inputs) {
  detail::Capturing* capturing = modes().capturing;
  Tensors outputs = capturing == nullptr ? run(*op, inputs) : capturing->apply(op, inputs);
  if (modes().grad_enabled && wants_gradient(inputs) && any_floating(outputs)) {
    const Ref<detail::Node> node = detail::Node::make(op, inputs, outputs);
    for (std::uint32_t i = 0; i < outputs.size(); ++i) {
      TensorImpl& impl = *outputs[i].impl();
      if (is_floating(impl.dtype)) {
        impl.node = node;
        impl.output = i;
      }
    }
  }
  return outputs;
}

Tensors apply_observed(detail::Observer& observer, const OperatorRef& op,
                       std::span<const Tensor* const> inputs) {
  observer.starting(op);
  try {
    Tensors outputs = apply(op, inputs);
    observer.applied(op, inputs, outputs);
    return outputs;
  } catch (...) {
    observer.failed(op);
    throw;
  }
}

}  // namespace

Tensors detail::run_operator(const Operator& op, std::span<const Tensor* const> inputs) {
  return run(op, inputs);
}

Tensors bind(const OperatorRef& op, std::span<const Tensor* const> inputs) {
  for (const Tensor* input : inputs) {
    if (!input->defined()) {
      fail("{}: an input is undefined", op->doc().name);
    }
    if (input->impl()->data == nullptr) {
      detail::check_capture(*input->impl(), op->doc().name);
    }
  }
  detail::Observer* observer = modes().observer;
  return observer == nullptr ? apply(op, inputs) : apply_observed(*observer, op, inputs);
}

}  // namespace cadena
