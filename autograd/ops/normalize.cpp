#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/kernels/normalize.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/normalize.hpp>
#include <cadena/autograd/ops/normalize_gradient.hpp>

#include <limits>

namespace cadena {
namespace ops {
namespace {

/// What has statistics of its own: the last `axes` dimensions, or each of `groups` parts of the
/// channels (dimension 1) with all that follows.
struct Rows {
  int axes;
  std::int64_t groups = 0;
  kernels::Statistics statistics;

  kernels::NormalizeShape of(const Shape& shape) const {
    kernels::NormalizeShape result{1, 1, 1, 1};
    for (int i = 0; i < shape.size(); ++i) {
      if (groups > 0) {
        (i == 0 ? result.outer : i == 1 ? result.channels : result.inner) *= shape[i];
      } else {
        (i < shape.size() - axes ? result.outer : result.channels) *= shape[i];
      }
    }
    if (groups > 0) {
      result.groups = groups;
      result.channels /= groups;
    }
    return result;
  }
  NormalizeView view(const Shape& shape) const {
    const auto [outer, parts, channels, inner] = of(shape);
    return {{outer, parts, channels, inner},
            {1, parts, channels, 1},
            {2, 3},
            {0, 3},
            statistics.centered,
            statistics.epsilon};
  }
  Shape weight(const Shape& shape) const {
    if (groups > 0) {
      return {shape[1]};
    }
    return std::span(shape.end() - axes, shape.end());
  }
  bool operator==(const Rows& other) const {
    return axes == other.axes && groups == other.groups &&
           statistics.centered == other.statistics.centered &&
           statistics.epsilon == other.statistics.epsilon;
  }
};

template <class T> const T* data_or_null(Inputs in, std::size_t k) {
  return k < in.size() ? in[k].data<T>() : nullptr;
}
template <class T> T* data_or_null(Outputs out, std::size_t k) {
  return k < out.size() ? out[k].data<T>() : nullptr;
}

enum class Kind { layer, rms, group };

constexpr Doc normalize_doc(Kind kind) {
  switch (kind) {
    case Kind::layer:
      return {"layer_norm", "(x - mean) / sqrt(var + epsilon) weight + bias over last axes"};
    case Kind::rms:
      return {"rms_norm", "x / sqrt(mean of x^2 + epsilon) weight over last axes"};
    default:
      return {"group_norm", "(x - mean) / sqrt(var + epsilon) weight + bias over groups"};
  }
}

/// Of the inputs x, kept, g and perhaps weight, where `kept` is what Normalize kept of x: dx, and
/// so many of dweight, dbias.
template <Kind kind> struct NormalizeGradient {
  Rows rows;
  int parameters;
  static constexpr Doc doc{normalize_doc(kind).name,
                           "gradient: s (g w - mean(g w) - x' mean(g w x')), sum g x', sum g"};
  static constexpr Keep keep = Keep::inputs;

  Types infer(std::span<const Type> in) const {
    Types types{in[0]};
    for (int k = 0; k < parameters; ++k) {
      types.push_back({in[0].dtype, rows.weight(in[0].shape)});
    }
    return types;
  }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::normalize_gradient(rows.of(in[0].shape()), rows.statistics.centered,
                                  reinterpret_cast<const kernels::RowMoments<T>*>(in[1].data<T>()),
                                  in[0].data<T>(), in[2].data<T>(), data_or_null<T>(in, 3),
                                  out[0].data<T>(), data_or_null<T>(out, 1),
                                  data_or_null<T>(out, 2));
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor x = b.in(0);
    const Gradients all = normalize_second_derivative(
        rows.view(x.shape()), x, b.in(2), b.inputs() > 3 ? b.in(3) : Tensor(), b.grad(0),
        parameters > 0 ? b.grad(1) : Tensor(), parameters > 1 ? b.grad(2) : Tensor(),
        [&](const Tensor& v) {
          return bind(NormalizeGradient{rows, 0}, x, b.in(1), v);
        });
    Gradients result{all[0], Tensor(), all[1], all[2]};
    result.resize(static_cast<std::size_t>(b.inputs()));
    return result;
  }
  std::string attributes() const { return fmt::format("{} derivative 0", rows.groups); }
  bool operator==(const NormalizeGradient&) const = default;
};

/// Of the inputs x, perhaps weight, perhaps bias: the normalised x, and what the gradient needs.
template <Kind kind> struct Normalize {
  Rows rows;
  static constexpr Doc doc = normalize_doc(kind);
  static constexpr Keep keep = Keep::inputs.and_outputs_from(1);

  Types infer(std::span<const Type> in) const {
    return {in[0], {in[0].dtype, {rows.of(in[0].shape).rows(), 4}}};
  }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      static_assert(sizeof(kernels::RowMoments<T>) == 4 * sizeof(T));
      kernels::normalize(rows.of(in[0].shape()), rows.statistics, in[0].data<T>(),
                         data_or_null<T>(in, 1), data_or_null<T>(in, 2), out[0].data<T>(),
                         reinterpret_cast<kernels::RowMoments<T>*>(out[1].data<T>()));
    });
  }
  Gradients vjp(const Backward& b) const {
    // What was kept is a function of x that NormalizeGradient accounts for.
    SmallVector<Tensor, 4> inputs{b.in(0), b.out(1).detach(), b.grad()};
    int parameters = 0;
    if (b.inputs() > 1) {
      inputs.push_back(b.in(1));
      parameters = b.inputs() > 2 && b.needs(2) ? 2 : b.needs(1) ? 1 : 0;
    }
    Gradients result = bind_all(NormalizeGradient<kind>{rows, parameters}, inputs);
    result.resize(static_cast<std::size_t>(b.inputs()));
    return result;
  }
  std::string attributes() const {
    return kind == Kind::group ? fmt::format("groups {}", rows.groups)
                               : fmt::format("last {} axes", rows.axes);
  }
  bool operator==(const Normalize&) const = default;
};

template <Kind kind>
Tensor normalized(const Rows& rows, const Tensor& x, const Tensor& weight, const Tensor& bias) {
  check_normalize(normalize_doc(kind).name, x, weight, bias, rows.weight(x.shape()),
                  rows.statistics.epsilon);
  SmallVector<Tensor, 3> inputs{x};
  if (weight.defined()) {
    inputs.push_back(weight);
  }
  if (weight.defined() && bias.defined()) {
    inputs.push_back(bias);
  }
  const Tensor normal = bind_all(Normalize<kind>{rows}, inputs)[0];
  if (!weight.defined() && bias.defined()) {
    const Shape along = rows.view(x.shape()).weight;
    return kind == Kind::group
               ? reshape(reshape(normal, rows.view(x.shape()).shape) + reshape(bias, along),
                         x.shape())
               : normal + bias;
  }
  return normal;
}

/// The number of last dimensions that are normalised.
int last_axes(const char* operation, const Tensor& x, const Shape& normalized) {
  const Shape& shape = detail::impl_of(x, operation).shape;
  bool fits = !normalized.empty() && normalized.size() <= shape.size();
  for (int i = 1; fits && i <= normalized.size(); ++i) {
    fits = normalized[normalized.size() - i] == shape[shape.size() - i];
  }
  if (!fits) {
    fail("{}: expected a tensor whose last dimensions are {} (one at least), got {}", operation,
         normalized, shape);
  }
  return normalized.size();
}

}  // namespace
}  // namespace ops

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                  const Tensor& bias, double epsilon) {
  const int axes = ops::last_axes("layer_norm", x, normalized_shape);
  return ops::normalized<ops::Kind::layer>({axes, 0, {true, epsilon}}, x, weight, bias);
}

Tensor rms_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight,
                std::optional<double> epsilon) {
  const int axes = ops::last_axes("rms_norm", x, normalized_shape);
  const double of_dtype = x.dtype() == float32 ? std::numeric_limits<float>::epsilon()
                                               : std::numeric_limits<double>::epsilon();
  return ops::normalized<ops::Kind::rms>({axes, 0, {false, epsilon.value_or(of_dtype)}}, x, weight,
                                         Tensor());
}

Tensor group_norm(const Tensor& x, std::int64_t groups, const Tensor& weight, const Tensor& bias,
                  double epsilon) {
  const Shape& shape = detail::impl_of(x, "group_norm").shape;
  if (shape.size() < 2 || groups < 1 || shape[1] % groups != 0) {
    fail(
        "group_norm: expected x [examples, channels, ...] with channels that {} groups divide, "
        "got {}",
        groups, shape);
  }
  return ops::normalized<ops::Kind::group>({0, groups, {true, epsilon}}, x, weight, bias);
}

namespace ops {
namespace {

/// The last dimensions of a sample; none of a tensor that has not so many.
Shape last(const Tensor& x, int count) {
  if (!x.defined() || x.dim() < count) {
    return {};
  }
  return std::span(x.shape().end() - count, x.shape().end());
}

Tensor values(const Shape& shape, std::uint64_t seed) { return sample_values(shape, -2, 2, seed); }

Tensor or_none(std::span<const Tensor> in, std::size_t k) {
  return k < in.size() ? in[k] : Tensor();
}

}  // namespace

void list_normalize(OpList& list) {
  const auto layer = [](int axes, double epsilon = 1e-5) -> OperatorCall {
    return [=](std::span<const Tensor> in) {
      return layer_norm(in[0], last(in[0], axes), or_none(in, 1), or_none(in, 2), epsilon);
    };
  };
  const OperatorCall bias_alone = [](std::span<const Tensor> in) {
    return layer_norm(in[0], last(in[0], 1), Tensor(), in[1]);
  };
  list.add(
      {normalize_doc(Kind::layer),
       {
           {"weight and bias", {values({3, 4}, 1), values({4}, 2), values({4}, 3)}, layer(1)},
           {"two axes", {values({2, 2, 3}, 4), values({2, 3}, 5), values({2, 3}, 6)}, layer(2)},
           {"weight alone", {values({3, 4}, 7), values({4}, 8)}, layer(1)},
           {"bias alone", {values({3, 4}, 9), values({4}, 10)}, bias_alone},
           {"no weight", {values({3, 4}, 11)}, layer(1, 0)},
           {"vector", {values({20}, 12), values({20}, 13), values({20}, 14)}, layer(1)},
           {"far from 0", {sample_values({2, 5}, 9999, 10001, 15)}, layer(1)},
           {"equal", {ones({2, 3}, {.dtype = float64})}, layer(1, 0.5)},
           {"not contiguous", {transpose(values({4, 3}, 16)), values({4}, 17)}, layer(1)},
           {"no rows", {values({0, 4}, 18), values({4}, 19), values({4}, 20)}, layer(1)},
           {"rows of nothing", {values({3, 0}, 21)}, layer(1)},
       }});
  const auto rms = [](int axes) -> OperatorCall {
    return [=](std::span<const Tensor> in) {
      return rms_norm(in[0], last(in[0], axes), or_none(in, 1), 1e-6);
    };
  };
  list.add({normalize_doc(Kind::rms),
            {
                {"weight", {values({3, 4}, 1), values({4}, 2)}, rms(1)},
                {"two axes", {values({2, 2, 3}, 3), values({2, 3}, 4)}, rms(2)},
                {"no weight", {values({3, 4}, 5)}, rms(1)},
                {"far from 0", {sample_values({2, 5}, 9999, 10001, 6)}, rms(1)},
                {"no rows", {values({0, 4}, 7), values({4}, 8)}, rms(1)},
            }});
  const auto group = [](std::int64_t groups) -> OperatorCall {
    return [=](std::span<const Tensor> in) {
      return group_norm(in[0], groups, or_none(in, 1), or_none(in, 2));
    };
  };
  const OperatorCall group_bias = [](std::span<const Tensor> in) {
    return group_norm(in[0], 2, Tensor(), in[1]);
  };
  list.add(
      {normalize_doc(Kind::group),
       {
           {"images", {values({2, 4, 3, 2}, 1), values({4}, 2), values({4}, 3)}, group(2)},
           {"one group", {values({2, 4, 3}, 4), values({4}, 5), values({4}, 6)}, group(1)},
           {"a group a channel", {values({2, 2, 4}, 7), values({2}, 8)}, group(2)},
           {"channels alone", {values({3, 6}, 9), values({6}, 10), values({6}, 11)}, group(2)},
           {"bias alone", {values({2, 4, 3}, 12), values({4}, 13)}, group_bias},
           {"no weight", {values({2, 4, 3}, 14)}, group(2)},
           {"no examples", {values({0, 4, 3}, 15), values({4}, 16), values({4}, 17)}, group(2)},
       }});
}

}  // namespace ops
}  // namespace cadena
