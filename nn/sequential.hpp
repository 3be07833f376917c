#pragma once

#include <cadena/autograd/core/error.hpp>
#include <cadena/nn/fields.hpp>

#include <concepts>
#include <cstddef>
#include <tuple>
#include <utility>

namespace cadena::nn {

/// Layers one after the other, of any types that can be called with a Tensor:
///   Sequential model{Linear(2, 8), Tanh{}, Linear(8, 2)};
/// Parameters are named by position: 0.weight, 0.bias, 2.weight, 2.bias. An Error of a layer says
/// at which position it is.
template <class... Layers> class Sequential {
 public:
  Sequential() requires(std::default_initializable<Layers>&&...) = default;
  explicit Sequential(Layers... layers) requires(sizeof...(Layers) > 0)
      : layers_(std::move(layers)...) {}

  Tensor operator()(const Tensor& x) const {
    return std::apply(
        [&](const auto&... layer) {
          Tensor value = x;
          [[maybe_unused]] std::size_t position = 0;
          ((value = applied(layer, position++, value)), ...);
          return value;
        },
        layers_);
  }

  /// The layer at a position.
  template <std::size_t position> auto& get() { return std::get<position>(layers_); }
  template <std::size_t position> const auto& get() const { return std::get<position>(layers_); }
  static constexpr std::size_t size() { return sizeof...(Layers); }

  static auto fields() { return transparent<&Sequential::layers_>{}; }

 private:
  template <class Layer>
  static Tensor applied(const Layer& layer, std::size_t position, const Tensor& x) {
    try {
      return layer(x);
    } catch (const Error& error) {
      fail("Sequential: layer {} ({}): {}", position, detail::type_name<Layer>(), error.what());
    }
  }

  std::tuple<Layers...> layers_;
};

}  // namespace cadena::nn
