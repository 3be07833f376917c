#include <cadena/autograd/core/error.hpp>
#include <cadena/nn/hooked.hpp>

namespace cadena::nn {

void LayerHook::remove() noexcept {
  if (const auto entry = entry_.lock()) {
    entry->removed = true;
    if (const auto list = list_.lock()) {
      std::erase(*list, entry);
    }
  }
  entry_.reset();
  list_.reset();
}

LayerHook& LayerHook::operator=(LayerHook&& other) noexcept {
  if (this != &other) {
    remove();
    list_ = std::move(other.list_);
    entry_ = std::move(other.entry_);
  }
  return *this;
}

LayerHooks& LayerHooks::operator=(LayerHooks&& other) noexcept {
  if (empty()) {
    list_ = std::move(other.list_);
  }
  return *this;
}

LayerHook LayerHooks::add(LayerFunction function) {
  if (!function) {
    fail("Hooked: the function is empty");
  }
  if (!list_) {
    list_ = std::make_shared<LayerFunctions>();
  }
  list_->push_back(std::make_shared<LayerFunctionEntry>(LayerFunctionEntry{std::move(function)}));
  return LayerHook(list_, list_->back());
}

Tensor LayerHooks::applied(std::span<const Tensor> inputs, Tensor output) const {
  const LayerFunctions now = *list_;  // a hook may set and remove others, and itself
  for (const std::shared_ptr<LayerFunctionEntry>& entry : now) {
    if (entry->removed) {
      continue;
    }
    if (Tensor other = entry->function(inputs, output); other.defined()) {
      output = std::move(other);
    }
  }
  return output;
}

}  // namespace cadena::nn
