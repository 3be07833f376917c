#pragma once

#include <cadena/autograd/core/tensor.hpp>

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace cadena {

class Generator;

/// How a tensor is made. Without a dtype: float32, or what the function says.
struct TensorOptions {
  std::optional<Dtype> dtype = {};
  bool requires_grad = false;
};

/// What stands in the braces of `tensor`: a number, or a list of such.
class Nested {
 public:
  template <class Number>
    requires std::is_arithmetic_v<Number> Nested(Number value) {
      if constexpr (std::same_as<Number, bool>) {
        value_ = value;
      } else if constexpr (std::floating_point<Number>) {
        value_ = static_cast<double>(value);
      } else {
        value_ = static_cast<std::int64_t>(value);
      }
    }
  Nested(std::initializer_list<Nested> list) : value_(std::vector<Nested>(list)) {}

  const std::variant<std::vector<Nested>, bool, std::int64_t, double>& value() const {
    return value_;
  }

 private:
  std::variant<std::vector<Nested>, bool, std::int64_t, double> value_;
};

/// A tensor from nested braces, one pair a dimension: tensor(5) is 0-d, tensor({5}) has shape [1],
/// tensor({{5}}) has shape [1, 1], tensor({}) has shape [0]. All integers give int64, all booleans
/// boolean, anything else float32. Error if the braces are ragged.
Tensor tensor(const Nested& values, TensorOptions options = {});

/// A copy of `values` in row-major order; their number must be that of the shape. The dtype is that
/// of T unless the options name one.
template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape, TensorOptions options = {});
template <Element T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape, TensorOptions options = {}) {
  return from_span<T>(std::span<const T>(values), shape, options);
}
Tensor from_vector(const std::vector<bool>& values, const Shape& shape, TensorOptions options = {});

/// Contiguous memory of the caller as a tensor, without a copy. The values must not change while a
/// tensor shares them; `deleter` is called when the last one is gone (in whatever thread that is).
/// After an Error the memory is still the caller's: `deleter` is not called.
template <Element T>
Tensor adopt(T* pointer, const Shape& shape, std::function<void(T*)> deleter,
             TensorOptions options = {});

Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor ones(const Shape& shape, TensorOptions options = {});
/// The number (or the only element of a tensor) everywhere. Error if the dtype does not hold it.
Tensor full(const Shape& shape, const Tensor& value, TensorOptions options = {});
Tensor zeros_like(const Tensor& x);  ///< Shape and dtype of x.
Tensor ones_like(const Tensor& x);
Tensor full_like(const Tensor& x, const Tensor& value);

/// start, start + step, ... below stop (above it for a negative step); int64 if all are whole
/// numbers and no dtype is named. Value i is start + i·step, in float64: integers reach to 2^53.
Tensor arange(double start, double stop, double step = 1, TensorOptions options = {});
Tensor arange(double stop, TensorOptions options = {});
/// `count` values from start to stop, both included.
Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options = {});
/// The identity matrix of shape [rows, columns] (columns = rows if not said).
Tensor eye(std::int64_t rows, std::optional<std::int64_t> columns = {}, TensorOptions options = {});

}  // namespace cadena
