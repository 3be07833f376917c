#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/node.hpp>

namespace cadena {

HookHandle::HookHandle() noexcept = default;
HookHandle::HookHandle(detail::Ref<detail::Node> node, std::uint64_t id) noexcept
    : node_(std::move(node)), id_(id) {}
HookHandle::HookHandle(HookHandle&& other) noexcept = default;
HookHandle& HookHandle::operator=(HookHandle&& other) noexcept {
  remove();
  node_ = std::move(other.node_);
  id_ = other.id_;
  return *this;
}
HookHandle::~HookHandle() { remove(); }

void HookHandle::remove() noexcept {
  if (node_ && node_->extras) {
    std::erase_if(node_->extras->hooks,
                  [this](const detail::Hook& hook) { return hook.id == id_; });
  }
  node_ = nullptr;
}

HookHandle register_hook(const Tensor& x, std::function<Tensor(const Tensor&)> hook) {
  const detail::TensorImpl& impl = detail::impl_of(x, "register_hook");
  if (!impl.node) {
    fail("register_hook: the tensor (shape {}) takes no gradient", impl.shape);
  }
  if (!hook) {
    fail("register_hook: the function is empty");
  }
  const std::uint64_t id = detail::next_node_id();
  impl.node->its_extras().hooks.push_back({id, impl.output, std::move(hook)});
  return HookHandle(impl.node, id);
}

}  // namespace cadena
