#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/described.hpp>
#include <cadena/autograd/graph/reproducible_watch.hpp>

#include <fmt/format.h>

namespace cadena::detail {
namespace {

Print print_of(const Operator& op, std::span<const Tensor* const> inputs, const Tensors& outputs) {
  Hash what, given, made;
  what.add(std::string_view(op.doc().name));
  what.add(std::string_view(attributes_or_error(op)));
  for (const Tensor* input : inputs) {
    given.add(*input);
  }
  for (const Tensor& output : outputs) {
    made.add(output);
  }
  return {op.doc().name, what.value(), given.value(), made.value()};
}

Caught caught_of(const Operator& op, std::span<const Tensor* const> inputs,
                 const Tensors& outputs) {
  Caught caught{described(op), {}};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    caught.text +=
        fmt::format("{}{} {}", i == 0 ? "(" : ", ", name(inputs[i]->dtype()), inputs[i]->shape());
  }
  caught.text += inputs.empty() ? "" : ")";
  caught.text += modes().deriving != nullptr ? ", in backward" : "";
  for (const Tensor& output : outputs) {
    caught.outputs.push_back(output.detach());
  }
  return caught;
}

}  // namespace

void Hash::add(const Tensor& x) {
  add(static_cast<std::uint64_t>(x.dtype()));
  for (const std::int64_t size : x.shape()) {
    add(static_cast<std::uint64_t>(size));
  }
  const detail::TensorImpl& impl = *x.impl();
  if (impl.contiguous()) {
    add(impl.data, static_cast<std::size_t>(x.numel()) * size_of(impl.dtype));
    return;
  }
  dispatch(impl.dtype, [&]<class T>() {
    detail::for_each<T>(impl, [&](const T& value) {
      std::uint64_t word = 0;
      std::memcpy(&word, &value, sizeof value);
      add(word);
    });
  });
}

std::uint64_t Print::key() const noexcept {
  Hash hash;
  hash.add(op);
  hash.add(inputs);
  hash.add(outputs);
  return hash.value();
}

void PrintWatch::applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
                         const Tensors& outputs) {
  const Print print = print_of(*op, inputs, outputs);
  std::optional<Caught> found;
  if (wanted_ != nullptr && print == *wanted_) {
    found = caught_of(*op, inputs, outputs);
  }
  ChainedObserver::applied(op, inputs, outputs);
  const std::lock_guard lock(mutex_);
  prints.push_back(print);
  in_order = in_order && std::this_thread::get_id() == owner_;
  if (found && !caught) {
    caught = std::move(found);
  }
}

}  // namespace cadena::detail
