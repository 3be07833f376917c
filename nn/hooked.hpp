#pragma once

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/nn/fields.hpp>

#include <concepts>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace cadena::nn {

/// Called after a layer with its inputs and its output; a defined result takes the output's place.
using LayerFunction = std::function<Tensor(std::span<const Tensor> inputs, const Tensor& output)>;

/// Shared with the calls that are under way, which may outlast its place in the list.
struct LayerFunctionEntry {
  LayerFunction function;
  bool removed = false;
};
using LayerFunctions = std::vector<std::shared_ptr<LayerFunctionEntry>>;

/// A function set on a layer; removed when this handle is destroyed. It may outlive the layer.
class LayerHook {
 public:
  LayerHook() noexcept = default;
  LayerHook(std::weak_ptr<LayerFunctions> list, std::weak_ptr<LayerFunctionEntry> entry) noexcept
      : list_(std::move(list)), entry_(std::move(entry)) {}
  LayerHook(LayerHook&&) noexcept = default;
  LayerHook& operator=(LayerHook&& other) noexcept;
  ~LayerHook() { remove(); }
  /// The function is not called again, in a call of the layer that is under way either.
  void remove() noexcept;

 private:
  std::weak_ptr<LayerFunctions> list_;
  std::weak_ptr<LayerFunctionEntry> entry_;
};

/// The hooks of one layer. They belong to the place: a copy has none, and an assignment leaves
/// those that are there. A move takes them along, into a place that has none, so that a swap swaps
/// them.
class LayerHooks {
 public:
  LayerHooks() = default;
  LayerHooks(const LayerHooks&) noexcept {}
  LayerHooks(LayerHooks&&) noexcept = default;
  LayerHooks& operator=(const LayerHooks&) noexcept { return *this; }
  LayerHooks& operator=(LayerHooks&& other) noexcept;
  ~LayerHooks() = default;

  /// Error for an empty function.
  LayerHook add(LayerFunction function);
  bool empty() const noexcept { return !list_ || list_->empty(); }
  /// The output after all hooks, in the order in which they were set. One that is set meanwhile is
  /// called from the next time on.
  Tensor applied(std::span<const Tensor> inputs, Tensor output) const;

 private:
  std::shared_ptr<LayerFunctions> list_;
};

/// A layer that can be watched and changed from outside:
///   nn::Hooked<nn::Linear> hidden{784, 128};
///   nn::LayerHook hook = model.hidden.hook([&](auto inputs, const Tensor& output) { ... });
/// Its parameters have the names that they have without it, `hidden.weight`, and are reached by
/// `model.hidden->weight`. Without hooks it costs nothing.
template <class Layer> class Hooked {
 public:
  template <class... Arguments>
    requires(std::constructible_from<Layer, Arguments...> &&
             !(std::same_as<std::remove_cvref_t<Arguments>, Hooked> || ...))
  explicit Hooked(Arguments&&... arguments) : layer(std::forward<Arguments>(arguments)...) {}

  template <std::convertible_to<const Tensor&>... Inputs>
  Tensor operator()(const Inputs&... inputs) const {
    Tensor output = layer(inputs...);
    if (hooks_.empty()) {
      return output;
    }
    const std::vector<Tensor> given{static_cast<const Tensor&>(inputs)...};
    return hooks_.applied(given, std::move(output));
  }

  /// Calls f(inputs, output) after each call of the layer, from now on until the handle is gone. A
  /// defined Tensor that f returns (it may return nothing) takes the output's place, and gradients
  /// flow through it. For the gradient of the output set `register_hook` on it.
  template <class F>
    requires(std::invocable<F&, std::span<const Tensor>, const Tensor&>)
  [[nodiscard]] LayerHook hook(F f) {
    if constexpr (std::is_void_v<
                      std::invoke_result_t<F&, std::span<const Tensor>, const Tensor&>>) {
      return hooks_.add(
          [f = std::move(f)](std::span<const Tensor> inputs, const Tensor& output) mutable {
            f(inputs, output);
            return Tensor();
          });
    } else {
      return hooks_.add(std::move(f));
    }
  }

  Layer* operator->() noexcept { return &layer; }
  const Layer* operator->() const noexcept { return &layer; }

  Layer layer;

  static auto fields() { return transparent<&Hooked::layer>{}; }

 private:
  LayerHooks hooks_;
};

}  // namespace cadena::nn
