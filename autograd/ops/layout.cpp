#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/tiles.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <algorithm>
#include <optional>

namespace cadena {
namespace ops {
namespace {

/// Strides for `shape` over the same elements in the same order, if there are any.
std::optional<Strides> reshaped_strides(const Shape& from, const Strides& strides,
                                        const Shape& shape) {
  Strides result = Dims::filled(shape.size(), 1);
  if (numel(from) == 0) {
    return contiguous_strides(shape);
  }
  // Runs of old dimensions that can be walked with one stride are filled from the last new one on.
  int to = shape.size() - 1;
  std::int64_t run = 1, step = from.empty() ? 1 : strides.back();
  for (int i = from.size() - 1; i >= 0; --i) {
    run *= from[i];
    const bool ends = i == 0 || (from[i - 1] != 1 && strides[i - 1] != run * step);
    if (!ends) {
      continue;
    }
    std::int64_t filled = 1;
    while (to >= 0 && (filled < run || shape[to] == 1)) {
      result[to] = filled * step;
      filled *= shape[to];
      --to;
    }
    if (filled != run) {
      return std::nullopt;
    }
    if (i > 0) {
      run = 1;
      step = strides[i - 1];
    }
  }
  return result;
}

struct Reshape {
  Shape shape;
  static constexpr Doc doc{"reshape", "the same values in row-major order"};
  Layout view(const Layout& x) const {
    return {shape, *reshaped_strides(x.shape, x.strides, shape), x.offset};
  }
  Gradients vjp(const Backward& b) const { return {reshape(b.grad(), b.in_shape(0))}; }
  std::string attributes() const { return to_string(shape); }
  bool operator==(const Reshape&) const = default;
};

struct Permute {
  Axes axes;
  static constexpr Doc doc{"permute", "y[i_0, i_1, ...] = x[j], j_axes[k] = i_k"};
  Layout view(const Layout& x) const {
    Layout y{x.shape, x.strides, x.offset};
    for (int i = 0; i < axes.size(); ++i) {
      y.shape[i] = x.shape[static_cast<int>(axes[i])];
      y.strides[i] = x.strides[static_cast<int>(axes[i])];
    }
    return y;
  }
  Gradients vjp(const Backward& b) const {
    Axes inverse = axes;
    for (int i = 0; i < axes.size(); ++i) {
      inverse[static_cast<int>(axes[i])] = i;
    }
    return {permute(b.grad(), inverse)};
  }
  std::string attributes() const { return to_string(axes); }
  bool operator==(const Permute&) const = default;
};

struct Contiguous {
  static constexpr Doc doc{"contiguous", "the same values in row-major order in memory"};
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const;
  Gradients vjp(const Backward& b) const { return {b.grad()}; }
  bool operator==(const Contiguous&) const = default;
};

void Contiguous::run(Inputs in, Outputs out) const {
  dispatch(in[0].dtype(), [&]<class T>() {
    kernels::copy_elements(in[0].shape(), out[0].data<T>(), contiguous_strides(in[0].shape()),
                           in[0].data<T>(), in[0].strides());
  });
}

template <class From, class To>
void convert_tile(const void*, const std::byte* const* in, std::byte* const* out, std::int64_t n) {
  const From* from = reinterpret_cast<const From*>(in[0]);
  To* to = reinterpret_cast<To*>(out[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    to[i] = convert_number<To>(from[i]);
  }
}

struct Convert {
  Dtype dtype;
  static constexpr Doc doc{"convert", "x in another dtype"};
  Types infer(std::span<const Type> in) const { return {{dtype, in[0].shape}}; }
  TileCall tiles(Dtype from) const {
    return dispatch(from, [&]<class From>() {
      return dispatch(dtype, [&]<class To>() -> TileCall {
        return {convert_tile<From, To>, nullptr, dtype, 1};
      });
    });
  }
  Gradients vjp(const Backward& b) const { return {convert(b.grad(), b.in_type(0).dtype)}; }
  std::string attributes() const { return name(dtype); }
  bool operator==(const Convert&) const = default;
};

}  // namespace
}  // namespace ops

Tensor reshape(const Tensor& x, const Shape& shape) {
  const detail::TensorImpl& impl = detail::impl_of(x, "reshape");
  Shape wanted = shape;
  const std::int64_t count = numel(impl.shape);
  int unknown = -1;
  Shape stated;
  for (int i = 0; i < shape.size(); ++i) {
    if (shape[i] == -1 && unknown < 0) {
      unknown = i;
    } else if (shape[i] < 0) {
      fail("reshape: expected dimensions of at least 0 and at most one -1, got {}", shape);
    } else {
      stated.push_back(shape[i]);
    }
  }
  check_shape(stated, "reshape");
  const std::int64_t known = numel(stated);
  if (unknown >= 0) {
    if (known == 0 || count % known != 0) {
      fail("reshape: {} elements of shape {} do not fit {}", count, impl.shape, shape);
    }
    wanted[unknown] = count / known;
  }
  if (numel(wanted) != count) {
    fail("reshape: {} elements of shape {} do not fit {}", count, impl.shape, shape);
  }
  const bool viewable =
      impl.contiguous() || ops::reshaped_strides(impl.shape, *impl.strides, wanted).has_value();
  return bind(ops::Reshape{wanted}, viewable ? x : contiguous(x));
}

Tensor flatten(const Tensor& x, std::int64_t first, std::int64_t last) {
  const Shape& shape = detail::impl_of(x, "flatten").shape;
  if (shape.empty()) {
    return reshape(x, {1});
  }
  const int begin = normalize_axis(first, shape.size(), "flatten");
  const int end = normalize_axis(last, shape.size(), "flatten");
  if (begin > end) {
    fail("flatten: first dimension {} comes after last {}", begin, end);
  }
  Shape merged;
  std::int64_t run = 1;
  for (int i = 0; i < shape.size(); ++i) {
    if (i < begin || i > end) {
      merged.push_back(shape[i]);
    } else {
      run *= shape[i];
      if (i == end) {
        merged.push_back(run);
      }
    }
  }
  return reshape(x, merged);
}

Tensor permute(const Tensor& x, const Axes& axes) {
  const int rank = detail::impl_of(x, "permute").shape.size();
  if (axes.size() != rank) {
    fail("permute: {} axes for a tensor of shape {}", axes.size(), x.shape());
  }
  Axes normal = axes;
  std::uint32_t seen = 0;
  for (std::int64_t& axis : normal) {
    axis = normalize_axis(axis, rank, "permute");
    seen |= std::uint32_t{1} << axis;
  }
  if (seen != (std::uint32_t{1} << rank) - 1) {
    fail("permute: expected each axis once, got {}", axes);
  }
  return bind(ops::Permute{normal}, x);
}

Tensor transpose(const Tensor& x, std::int64_t a, std::int64_t b) {
  const int rank = detail::impl_of(x, "transpose").shape.size();
  Axes axes;
  for (int i = 0; i < rank; ++i) {
    axes.push_back(i);
  }
  std::swap(axes[normalize_axis(a, rank, "transpose")], axes[normalize_axis(b, rank, "transpose")]);
  return bind(ops::Permute{axes}, x);
}

Tensor squeeze(const Tensor& x, const Axes& axes) {
  const Shape& shape = detail::impl_of(x, "squeeze").shape;
  const Axes named = axes.empty() ? Axes{} : normalize_axes(axes, shape.size(), "squeeze");
  Shape kept;
  for (int i = 0; i < shape.size(); ++i) {
    const bool is_named = std::find(named.begin(), named.end(), i) != named.end();
    if (is_named && shape[i] != 1) {
      fail("squeeze: dimension {} of {} is {}, expected 1", i, shape, shape[i]);
    }
    if (!(is_named || (axes.empty() && shape[i] == 1))) {
      kept.push_back(shape[i]);
    }
  }
  return reshape(x, kept);
}

Tensor unsqueeze(const Tensor& x, std::int64_t axis) {
  Shape shape = detail::impl_of(x, "unsqueeze").shape;
  shape.insert(normalize_axis(axis, shape.size() + 1, "unsqueeze"), 1);
  return reshape(x, shape);
}

Tensor convert(const Tensor& x, Dtype dtype) {
  const detail::TensorImpl& impl = detail::impl_of(x, "convert");
  return impl.dtype == dtype && !impl.number ? x : bind(ops::Convert{dtype}, x);
}

Tensor contiguous(const Tensor& x) {
  return detail::impl_of(x, "contiguous").contiguous() ? x : bind(ops::Contiguous{}, x);
}

void ops::list_layout(OpList& list) {
  const auto values = [](const Shape& shape) { return sample_values(shape, -1, 1); };
  const auto one = [](Tensor (*f)(const Tensor&)) -> OperatorCall {
    return [f](std::span<const Tensor> in) { return f(in[0]); };
  };
  list.add({Reshape::doc,
            {{"another shape", {values({2, 6})}, one([](auto& x) {
                return reshape(x, {3, 4});
              })},
             {"one dimension inferred", {values({2, 6})}, one([](auto& x) {
                return reshape(x, {4, -1});
              })},
             {"of a transposed view, which copies", {transpose(values({2, 6}))}, one([](auto& x) {
                return reshape(x, {3, 4});
              })},
             {"to 0-d", {values({1, 1})}, one([](auto& x) { return reshape(x, {}); })},
             {"empty", {values({0, 3})}, one([](auto& x) {
                return reshape(x, {3, 0, 2});
              })}},
            true,
            {}});
  list.add({Permute::doc,
            {{"three axes", {values({2, 3, 4})}, one([](auto& x) {
                return permute(x, {2, 0, 1});
              })},
             {"negative axes", {values({2, 3, 4})}, one([](auto& x) {
                return permute(x, {-1, -3, -2});
              })},
             {"0-d", {values({})}, one([](auto& x) { return permute(x, {}); })},
             {"empty", {values({0, 3})}, one([](auto& x) {
                return permute(x, {1, 0});
              })}},
            true,
            {}});
  list.add(
      {{"transpose", "permute with two axes swapped"},
       {{"last axes", {values({2, 3, 4})}, one([](auto& x) { return transpose(x); })},
        {"first and last", {values({2, 3, 4})}, one([](auto& x) { return transpose(x, 0, -1); })},
        {"empty", {values({0, 3})}, one([](auto& x) { return transpose(x); })}}});
  list.add({{"flatten", "reshape with neighbouring dimensions merged"},
            {{"last dimensions", {values({2, 3, 2})}, one([](auto& x) { return flatten(x, 1); })},
             {"all, of a transposed view", {transpose(values({2, 3}))}, one([](auto& x) {
                return flatten(x);
              })},
             {"0-d", {values({})}, one([](auto& x) { return flatten(x); })},
             {"empty", {values({0, 3})}, one([](auto& x) { return flatten(x); })}}});
  list.add(
      {{"squeeze", "reshape without dimensions of 1"},
       {{"one", {values({1, 3, 1, 2})}, one([](auto& x) { return squeeze(x, {0}); })},
        {"negative axis", {values({1, 3, 1, 2})}, one([](auto& x) { return squeeze(x, {-2}); })},
        {"all", {values({1, 3, 1, 2})}, one([](auto& x) { return squeeze(x); })},
        {"to 0-d", {values({1, 1})}, one([](auto& x) { return squeeze(x); })},
        {"empty", {values({0, 1})}, one([](auto& x) { return squeeze(x); })}}});
  list.add({{"unsqueeze", "reshape with another dimension of 1"},
            {{"last", {values({3, 2})}, one([](auto& x) { return unsqueeze(x, -1); })},
             {"first", {values({3, 2})}, one([](auto& x) { return unsqueeze(x, 0); })},
             {"0-d", {values({})}, one([](auto& x) { return unsqueeze(x, 0); })},
             {"empty", {values({0, 3})}, one([](auto& x) { return unsqueeze(x, 1); })}}});
  list.add({Contiguous::doc,
            {{"of a transposed view", {transpose(values({2, 3}))}, one([](auto& x) {
                return contiguous(x);
              })},
             {"of what is", {values({2, 3})}, one([](auto& x) { return contiguous(x); })},
             {"empty", {values({0, 3})}, one([](auto& x) { return contiguous(x); })}},
            true,
            {}});
  list.add({Convert::doc,
            {{"to its own dtype", {values({2, 3})}, one([](auto& x) {
                return convert(x, Dtype::float64);
              })},
             {"empty", {values({0, 3})}, one([](auto& x) { return convert(x, Dtype::float64); })},
             {"to float32",
              {values({2, 3})},
              one([](auto& x) { return convert(x, Dtype::float32); }),
              false},
             {"to int64",
              {sample_values({2, 3}, -9, 9)},
              one([](auto& x) { return convert(x, Dtype::int64); }),
              false}},
            true,
            {}});
}

Tensor Tensor::to(Dtype dtype) const { return convert(*this, dtype); }
Tensor Tensor::contiguous() const { return cadena::contiguous(*this); }

OperatorRef detail::contiguous_operator() { return make_operator(ops::Contiguous{}); }

}  // namespace cadena
