#include <cadena/nn/hooked.hpp>

#include <atomic>

namespace cadena::nn {

void LayerHook::remove() noexcept {
  if (const auto list = list_.lock()) {
    std::erase_if(*list, [this](const LayerFunctionEntry& entry) { return entry.id == id_; });
  }
  list_.reset();
}

LayerHook& LayerHook::operator=(LayerHook&& other) noexcept {
  if (this != &other) {
    remove();
    list_ = std::move(other.list_);
    id_ = other.id_;
  }
  return *this;
}

LayerHook LayerHooks::add(LayerFunction function) {
  static std::atomic<std::uint64_t> last{0};
  if (!list_) {
    list_ = std::make_shared<std::vector<LayerFunctionEntry>>();
  }
  const std::uint64_t id = ++last;
  list_->push_back({id, std::move(function)});
  return LayerHook(list_, id);
}

Tensor LayerHooks::applied(std::span<const Tensor> inputs, Tensor output) const {
  const std::vector<LayerFunctionEntry> now = *list_;  // a hook may remove itself or others
  for (const LayerFunctionEntry& entry : now) {
    if (Tensor other = entry.function(inputs, output); other.defined()) {
      output = std::move(other);
    }
  }
  return output;
}

}  // namespace cadena::nn
