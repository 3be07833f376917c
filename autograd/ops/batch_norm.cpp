#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/kernels/normalize.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/normalize.hpp>
#include <cadena/autograd/ops/normalize_gradient.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

/// [N, C, ...] as [N, C, rest].
kernels::ChannelsShape channels_of(const Shape& shape) {
  kernels::ChannelsShape result{shape[0], shape[1], 1};
  for (int i = 2; i < shape.size(); ++i) {
    result.inner *= shape[i];
  }
  return result;
}

/// The kept moments, which are read alone.
template <class T> kernels::ChannelMoments<T> moments_of(const Input& kept) {
  return {const_cast<T*>(kept.data<T>()), kept.size(1)};
}

/// Of the inputs x, moments, g and perhaps weight: dx, dweight, dbias.
struct BatchNormGradient {
  double epsilon;
  static constexpr Doc doc{"batch_norm",
                           "gradient: s (g w - mean(g w) - x' mean(g w x')), sum g x', sum g"};
  static constexpr Keep keep = Keep::inputs;

  Types infer(std::span<const Type> in) const {
    const Type of_channels{in[0].dtype, {in[0].shape[1]}};
    return {in[0], of_channels, of_channels};
  }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::normalize_channels_gradient(channels_of(in[0].shape()), moments_of<T>(in[1]),
                                           in[0].data<T>(), in[2].data<T>(),
                                           in.size() > 3 ? in[3].data<T>() : nullptr,
                                           out[0].data<T>(), out[1].data<T>(), out[2].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor x = b.in(0), weight = b.inputs() > 3 ? b.in(3) : Tensor();
    const auto [outer, channels, inner] = channels_of(x.shape());
    const Gradients all = normalize_second_derivative(
        {{outer, channels, inner}, {1, channels, 1}, {0, 2}, {0, 2}, true, epsilon}, x, b.in(2),
        weight, b.grad(0), b.grad(1), b.grad(2), [&](const Tensor& v) {
          const Tensor inputs[] = {x, b.in(1), v};
          return bind_all(*this, inputs)[0];
        });
    Gradients result{all[0], Tensor(), all[1]};
    if (weight.defined()) {
      result.push_back(all[2]);
    }
    return result;
  }
  std::string attributes() const { return "derivative 0"; }
  bool operator==(const BatchNormGradient&) const = default;
};

/// Of the inputs x, perhaps weight, perhaps bias: the normalised x, and the moments.
struct BatchNorm {
  double epsilon;
  static constexpr Doc doc{"batch_norm", "(x - mean) / sqrt(var + epsilon) weight + bias"};
  static constexpr Keep keep = Keep::inputs.and_outputs_from(1);

  Types infer(std::span<const Type> in) const {
    return {in[0], {in[0].dtype, {4, in[0].shape[1]}}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ChannelsShape shape = channels_of(in[0].shape());
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const kernels::ChannelMoments<T> moments(out[1].data<T>(), shape.channels);
      kernels::channel_moments(shape, epsilon, in[0].data<T>(), moments);
      kernels::normalize_channels(shape, moments, in[0].data<T>(),
                                  in.size() > 1 ? in[1].data<T>() : nullptr,
                                  in.size() > 2 ? in[2].data<T>() : nullptr, out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    // The moments are a function of x that BatchNormGradient accounts for.
    SmallVector<Tensor, 4> inputs{b.in(0), b.out(1).detach(), b.grad(0)};
    if (b.inputs() > 1) {
      inputs.push_back(b.in(1));
    }
    Gradients result = bind_all(BatchNormGradient{epsilon}, inputs);
    result.resize(static_cast<std::size_t>(b.inputs()));
    return result;
  }
  std::string attributes() const { return fmt::format("epsilon {}", epsilon); }
  bool operator==(const BatchNorm&) const = default;
};

/// Of the inputs x [N, C, rest], mean, scale, shift: those of channels, whatever they come from.
struct ScaleChannels {
  static constexpr Doc doc{"batch_norm", "(x - mean) scale + shift of each channel"};
  static constexpr Keep keep = Keep::inputs;

  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const kernels::ChannelsShape shape = channels_of(in[0].shape());
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const kernels::Scratch<T> memory(4 * shape.channels);
      const kernels::ChannelMoments<T> moments(memory.data(), shape.channels);
      std::copy_n(in[1].data<T>(), shape.channels, moments.center);
      std::fill_n(moments.rest, shape.channels, T(0));
      std::fill_n(moments.scale, shape.channels, T(1));
      kernels::normalize_channels(shape, moments, in[0].data<T>(), in[2].data<T>(), in[3].data<T>(),
                                  out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const auto of_channels = [&](int k) { return reshape(b.in(k), {1, b.in(k).size(0), 1}); };
    const auto summed = [&](const Tensor& values) { return sum(values, {0, 2}); };
    const Tensor x = b.in(0), g = b.grad();
    return {b.needs(0) ? g * of_channels(2) : Tensor(),
            b.needs(1) ? -summed(g) * b.in(2) : Tensor(),
            b.needs(2) ? summed(g * (x - of_channels(1))) : Tensor(),
            b.needs(3) ? summed(g) : Tensor()};
  }
  bool operator==(const ScaleChannels&) const = default;
};

/// Error unless x has examples and channels.
void check_batch(const Tensor& x, const Tensor& weight, const Tensor& bias, double epsilon) {
  const Shape& shape = detail::impl_of(x, BatchNorm::doc.name).shape;
  if (shape.size() < 2) {
    fail("batch_norm: expected x [examples, channels, ...], got {}", shape);
  }
  check_normalize(BatchNorm::doc.name, x, weight, bias, {shape[1]}, epsilon);
}

}  // namespace
}  // namespace ops

BatchNormalized batch_norm(const Tensor& x, const Tensor& weight, const Tensor& bias,
                           double epsilon) {
  ops::check_batch(x, weight, bias, epsilon);
  if (ops::channels_of(x.shape()).count() < 2) {
    fail("batch_norm: expected at least two elements a channel in training, got x {}", x.shape());
  }
  SmallVector<Tensor, 3> inputs{x};
  if (weight.defined() || bias.defined()) {
    inputs.push_back(weight.defined() ? weight : ones({x.size(1)}, {.dtype = x.dtype()}));
  }
  if (bias.defined()) {
    inputs.push_back(bias);
  }
  const Tensors results = bind_all(ops::BatchNorm{epsilon}, inputs);
  const Tensor moments = results[1].detach();
  return {results[0], {moments[0] + moments[1], moments[3]}};
}

Tensor batch_norm(const Tensor& x, const ChannelStatistics& statistics, const Tensor& weight,
                  const Tensor& bias, double epsilon) {
  ops::check_batch(x, weight, bias, epsilon);
  for (const Tensor& given : {statistics.mean, statistics.variance}) {
    detail::impl_of(given, ops::BatchNorm::doc.name);
  }
  ops::check_normalize(ops::BatchNorm::doc.name, x, statistics.mean, statistics.variance,
                       {x.size(1)}, epsilon);
  const Tensor scale = rsqrt(statistics.variance + epsilon);
  const auto [outer, channels, inner] = ops::channels_of(x.shape());
  const Tensor result = bind(ops::ScaleChannels{}, reshape(x, {outer, channels, inner}),
                             statistics.mean, weight.defined() ? scale * weight : scale,
                             bias.defined() ? bias : zeros({channels}, {.dtype = x.dtype()}));
  return reshape(result, x.shape());
}

namespace ops {
namespace {

Tensor values(const Shape& shape, std::uint64_t seed) { return sample_values(shape, -2, 2, seed); }

}  // namespace

void list_batch_norm(OpList& list) {
  const OperatorCall training = [](std::span<const Tensor> in) {
    return batch_norm(in[0], in.size() > 1 ? in[1] : Tensor(), in.size() > 2 ? in[2] : Tensor())
        .output;
  };
  const OperatorCall bias_alone = [](std::span<const Tensor> in) {
    return batch_norm(in[0], Tensor(), in[1]).output;
  };
  const OperatorCall given = [](std::span<const Tensor> in) {
    return batch_norm(in[0], ChannelStatistics{in[1], in[2]}, in[3], in[4]);
  };
  const Tensor variance = sample_values({3}, 0.5, 2, 20);
  list.add(
      {BatchNorm::doc,
       {
           {"rows", {values({5, 3}, 1), values({3}, 2), values({3}, 3)}, training},
           {"images", {values({2, 3, 2, 2}, 4), values({3}, 5), values({3}, 6)}, training},
           {"weight alone", {values({2, 3, 4}, 7), values({3}, 8)}, training},
           {"bias alone", {values({4, 3}, 9), values({3}, 10)}, bias_alone},
           {"no weight", {values({4, 3}, 11)}, training},
           {"far from 0", {sample_values({5, 2}, 9999, 10001, 12)}, training},
           {"images far from 0", {sample_values({2, 2, 4}, 9999, 10001, 13)}, training},
           {"not contiguous", {transpose(values({3, 5}, 14)), values({3}, 15)}, training},
           {"statistics given",
            {values({2, 3, 2}, 16), values({3}, 17), variance, values({3}, 18), values({3}, 19)},
            given},
       }});
}

}  // namespace ops
}  // namespace cadena
