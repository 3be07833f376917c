#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/modes.hpp>

namespace cadena::detail {

Ref<Storage> Symbol::make(std::uint64_t capture, std::uint32_t value) {
  auto* symbol = new (allocate(sizeof(Symbol))) Symbol;
  symbol->bytes = symbolic;
  symbol->capture = capture;
  symbol->value = value;
  return Ref<Storage>(symbol);
}

const Symbol* symbol_of(const TensorImpl& impl) noexcept {
  const Storage* storage = impl.storage.get();
  return storage != nullptr && storage->bytes == symbolic ? static_cast<const Symbol*>(storage)
                                                          : nullptr;
}

void check_capture(const TensorImpl& impl, const char* operation) {
  const Symbol* symbol = symbol_of(impl);
  const Capturing* capturing = modes().capturing;
  if (symbol != nullptr && (capturing == nullptr || capturing->id() != symbol->capture)) {
    fail(
        "{}: the tensor ({} {}) was made while a function was captured by compile, and has no "
        "value "
        "outside of that function; return it from there",
        operation, name(impl.dtype), impl.shape);
  }
}

const TensorImpl& value_of(const Tensor& tensor, const char* operation) {
  const TensorImpl& impl = impl_of(tensor, operation);
  if (const Symbol* symbol = symbol_of(impl); symbol != nullptr) {
    check_capture(impl, operation);
    fail(
        "{}: asks for the value of a tensor ({} {}, made by {}) while compile captures the "
        "function: "
        "there is none yet. Return the tensor and ask outside, choose between values with where(), "
        "or leave this part out of the compiled function",
        operation, name(impl.dtype), impl.shape, modes().capturing->maker(symbol->value));
  }
  return impl;
}

void refuse_capture(const char* what) {
  if (modes().capturing != nullptr) {
    fail(
        "compile: the function {}, which a program does not repeat; do it before the compiled "
        "function is called",
        what);
  }
}

}  // namespace cadena::detail
