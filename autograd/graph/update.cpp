#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/graph/update.hpp>

namespace cadena::detail {
namespace {

/// Whether the cell alone holds its value. The caller's own memory (`adopt`) is never written to.
bool writable(const Ref<TensorImpl>& impl) {
  return impl.unique() && impl->storage.unique() && impl->storage->release == nullptr;
}

}  // namespace

UpdateTargets::UpdateTargets(std::span<const Cell> cells) : cells_(cells) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Ref<TensorImpl>& impl = cells[i].value().impl();
    if (writable(impl)) {
      outputs_.emplace_back(impl.get());
    } else {
      fresh_.push_back({i, Tensor(make_impl(impl->dtype, impl->shape))});
      outputs_.emplace_back(fresh_.back().second.impl().get());
    }
  }
}

void UpdateTargets::put() const {
  for (const auto& [cell, value] : fresh_) {
    cells_[cell].put(value);
  }
}

void capture_update(const OperatorRef& op, std::span<const Tensor* const> inputs,
                    std::span<const Cell> cells) {
  const Tensors values = modes().capturing->apply(op, inputs);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i].put(values[i]);
  }
}

}  // namespace cadena::detail
