#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/storage.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace cadena {
namespace {

using detail::make_impl;
using detail::Ref;
using detail::TensorImpl;

template <class T> T* values_of(const Ref<TensorImpl>& impl) {
  return reinterpret_cast<T*>(impl->data);
}

Tensor finish(Ref<TensorImpl> impl, const TensorOptions& options) {
  Tensor result(std::move(impl));
  return options.requires_grad ? result.requires_grad_leaf() : result;
}

/// A number as an element. Error where an integer dtype does not reach it.
template <class T, class Number> T element(const char* operation, Number number) {
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool> &&
                !std::is_same_v<Number, bool>) {
    if (!in_range<T>(number)) {
      fail("{}: {} is outside of what {} holds", operation, number, name(dtype_of<T>));
    }
  }
  return convert_number<T>(number);
}

/// A tensor whose element i is value(i), a double or an int64.
template <class Value>
Tensor generate(const char* operation, const Shape& shape, Dtype dtype,
                const TensorOptions& options, Value&& value) {
  Ref<TensorImpl> impl = make_impl(dtype, shape);
  const std::int64_t count = numel(shape);
  dispatch(dtype, [&]<class T>() {
    T* out = values_of<T>(impl);
    for (std::int64_t i = 0; i < count; ++i) {
      out[i] = element<T>(operation, value(i));
    }
  });
  return finish(std::move(impl), options);
}

Ref<TensorImpl> zeroed(Dtype dtype, const Shape& shape) {
  Ref<TensorImpl> impl = make_impl(dtype, shape);
  std::memset(impl->data, 0, impl->storage->bytes);
  return impl;
}

using List = std::vector<Nested>;

void shape_of(const Nested& nested, Shape& shape) {
  if (const auto* list = std::get_if<List>(&nested.value())) {
    shape.push_back(static_cast<std::int64_t>(list->size()));
    if (!list->empty()) {
      shape_of(list->front(), shape);
    }
  }
}

/// Calls leaf(number) in row-major order; Error where the nesting is not that of `shape`.
template <class Leaf> void walk(const Nested& nested, const Shape& shape, int depth, Leaf&& leaf) {
  const auto* list = std::get_if<List>(&nested.value());
  const bool expected_list = depth < shape.size();
  if ((list != nullptr) != expected_list ||
      (list != nullptr && static_cast<std::int64_t>(list->size()) != shape[depth])) {
    fail("tensor: the braces are ragged: expected {} at depth {} (shape so far {}), got {}",
         expected_list ? fmt::format("{} values", shape[depth]) : std::string("a number"), depth,
         shape, list != nullptr ? fmt::format("{} values", list->size()) : std::string("a number"));
  }
  if (list == nullptr) {
    leaf(nested);
    return;
  }
  for (const Nested& item : *list) {
    walk(item, shape, depth + 1, leaf);
  }
}

}  // namespace

Tensor tensor(const Nested& values, TensorOptions options) {
  Shape shape;
  shape_of(values, shape);
  bool all_bool = true, all_integer = true, any = false;
  walk(values, shape, 0, [&](const Nested& number) {
    any = true;
    all_bool = all_bool && std::holds_alternative<bool>(number.value());
    all_integer = all_integer && std::holds_alternative<std::int64_t>(number.value());
  });
  const Dtype natural = any && all_bool      ? Dtype::boolean
                        : any && all_integer ? Dtype::int64
                                             : Dtype::float32;
  Ref<TensorImpl> impl = make_impl(options.dtype.value_or(natural), shape);
  dispatch(impl->dtype, [&]<class T>() {
    T* out = values_of<T>(impl);
    walk(values, shape, 0, [&](const Nested& number) {
      std::visit(
          [&]<class V>(const V& value) {
            if constexpr (std::is_arithmetic_v<V>) {
              *out++ = element<T>("tensor", value);
            }
          },
          number.value());
    });
  });
  return finish(std::move(impl), options);
}

template <Element T>
Tensor from_span(std::span<const T> values, const Shape& shape, TensorOptions options) {
  check_shape(shape, "from_span");
  if (numel(shape) != static_cast<std::int64_t>(values.size())) {
    fail("from_span: shape {} has {} elements, the span {}", shape, numel(shape), values.size());
  }
  Ref<TensorImpl> impl = make_impl(dtype_of<T>, shape);
  if (!values.empty()) {
    std::memcpy(impl->data, values.data(), values.size_bytes());
  }
  Tensor result(std::move(impl));
  if (options.dtype) {
    result = result.to(*options.dtype);
  }
  return options.requires_grad ? result.requires_grad_leaf() : result;
}

Tensor from_vector(const std::vector<bool>& values, const Shape& shape, TensorOptions options) {
  const auto bits = std::make_unique<bool[]>(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    bits[i] = values[i];
  }
  return from_span<bool>({bits.get(), values.size()}, shape, options);
}

template <Element T>
Tensor adopt(T* pointer, const Shape& shape, std::function<void(T*)> deleter,
             TensorOptions options) {
  check_shape(shape, "adopt");
  if (pointer == nullptr && numel(shape) > 0) {
    fail("adopt: null pointer for shape {}", shape);
  }
  if (options.dtype && *options.dtype != dtype_of<T>) {
    fail("adopt: the memory holds {}, asked for {}", name(dtype_of<T>), name(*options.dtype));
  }
  if (options.requires_grad && !is_floating(dtype_of<T>)) {
    fail("adopt: only float32 and float64 tensors have gradients, got {}", name(dtype_of<T>));
  }
  Ref<TensorImpl> impl(new TensorImpl);
  impl->dtype = dtype_of<T>;
  impl->shape = shape;
  std::function<void()> release;
  if (deleter) {
    release = [pointer, deleter = std::move(deleter)] { deleter(pointer); };
  }
  impl->storage = detail::Storage::adopt(reinterpret_cast<std::byte*>(pointer),
                                         static_cast<std::size_t>(numel(shape)) * sizeof(T),
                                         std::move(release));
  impl->data = impl->storage->data;
  return finish(std::move(impl), options);
}

template Tensor from_span(std::span<const bool>, const Shape&, TensorOptions);
template Tensor from_span(std::span<const std::uint8_t>, const Shape&, TensorOptions);
template Tensor from_span(std::span<const std::int64_t>, const Shape&, TensorOptions);
template Tensor from_span(std::span<const float>, const Shape&, TensorOptions);
template Tensor from_span(std::span<const double>, const Shape&, TensorOptions);
template Tensor adopt(bool*, const Shape&, std::function<void(bool*)>, TensorOptions);
template Tensor adopt(std::uint8_t*, const Shape&, std::function<void(std::uint8_t*)>,
                      TensorOptions);
template Tensor adopt(std::int64_t*, const Shape&, std::function<void(std::int64_t*)>,
                      TensorOptions);
template Tensor adopt(float*, const Shape&, std::function<void(float*)>, TensorOptions);
template Tensor adopt(double*, const Shape&, std::function<void(double*)>, TensorOptions);

Tensor zeros(const Shape& shape, TensorOptions options) {
  check_shape(shape, "zeros");
  return finish(zeroed(options.dtype.value_or(Dtype::float32), shape), options);
}

Tensor ones(const Shape& shape, TensorOptions options) {
  check_shape(shape, "ones");
  return full(shape, 1, options);
}

Tensor full(const Shape& shape, const Tensor& value, TensorOptions options) {
  check_shape(shape, "full");
  const TensorImpl& number = detail::impl_of(value, "full");
  if (numel(number.shape) != 1) {
    fail("full: expected one value, got a tensor of shape {}", number.shape);
  }
  Ref<TensorImpl> impl = make_impl(options.dtype.value_or(Dtype::float32), shape);
  dispatch(number.dtype, [&]<class From>() {
    dispatch(impl->dtype, [&]<class To>() {
      std::fill_n(values_of<To>(impl), numel(shape),
                  element<To>("full", *reinterpret_cast<const From*>(number.data)));
    });
  });
  return finish(std::move(impl), options);
}

Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), {.dtype = x.dtype()}); }
Tensor ones_like(const Tensor& x) { return ones(x.shape(), {.dtype = x.dtype()}); }
Tensor full_like(const Tensor& x, const Tensor& value) {
  return full(x.shape(), value, {.dtype = x.dtype()});
}

Tensor arange(double start, double stop, double step, TensorOptions options) {
  const double count = std::ceil((stop - start) / step);
  if (!std::isfinite(start) || !std::isfinite(stop) || !std::isfinite(step) || step == 0) {
    fail("arange: expected finite bounds and a step other than 0, got {} to {} by {}", start, stop,
         step);
  }
  if (!(count <= 1e12)) {
    fail("arange: {} values from {} to {} by {} are too many", count, start, stop, step);
  }
  const auto whole = [](double value) { return value == std::floor(value); };
  const Dtype natural = whole(start) && whole(stop) && whole(step) ? Dtype::int64 : Dtype::float32;
  const Shape shape{count > 0 ? static_cast<std::int64_t>(count) : 0};
  const Dtype dtype = options.dtype.value_or(natural);
  constexpr double exact = 0x1p53;
  if (!is_floating(dtype) && std::max(std::abs(start), std::abs(stop)) > exact) {
    fail("arange: bounds of {} values reach to 2^53, got {} to {}", name(dtype), start, stop);
  }
  return generate("arange", shape, dtype, options,
                  [=](std::int64_t i) { return start + static_cast<double>(i) * step; });
}

Tensor arange(double stop, TensorOptions options) { return arange(0, stop, 1, options); }

Tensor linspace(double start, double stop, std::int64_t count, TensorOptions options) {
  if (count < 0) {
    fail("linspace: expected at least 0 values, got {}", count);
  }
  if (!std::isfinite(start) || !std::isfinite(stop)) {
    fail("linspace: expected finite ends, got {} to {}", start, stop);
  }
  check_shape({count}, "linspace");
  return generate(
      "linspace", {count}, options.dtype.value_or(Dtype::float32), options, [=](std::int64_t i) {
        // From the nearer end, so that both ends are exact.
        const double half_step =  // halves, as stop - start may overflow
            count > 1 ? (0.5 * stop - 0.5 * start) / static_cast<double>(count - 1) : 0;
        return 2 * i < count ? start + 2 * (static_cast<double>(i) * half_step)
                             : stop - 2 * (static_cast<double>(count - 1 - i) * half_step);
      });
}

Tensor eye(std::int64_t rows, std::optional<std::int64_t> columns, TensorOptions options) {
  const Shape shape{rows, columns.value_or(rows)};
  check_shape(shape, "eye");
  Ref<TensorImpl> impl = zeroed(options.dtype.value_or(Dtype::float32), shape);
  dispatch(impl->dtype, [&]<class T>() {
    for (std::int64_t i = 0; i < std::min(shape[0], shape[1]); ++i) {
      values_of<T>(impl)[i * (shape[1] + 1)] = T{1};
    }
  });
  return finish(std::move(impl), options);
}

}  // namespace cadena
