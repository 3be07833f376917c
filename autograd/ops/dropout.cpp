#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/philox.hpp>
#include <cadena/autograd/kernels/tiles.hpp>
#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/random_stream.hpp>

#include <bit>
#include <type_traits>

namespace cadena {
namespace ops {
namespace {

/// Which elements stay. The state of the generator is an input, so that an application of the
/// operator gives the same at each run with the same state.
struct DropoutMask {
  double p;
  Shape shape;
  static constexpr Doc doc{"dropout_mask", "true with probability 1 - p"};
  Types infer(std::span<const Type>) const { return {{Dtype::boolean, shape}}; }
  void run(Inputs in, Outputs out) const {
    kernels::random_bernoulli(stream_of(in[0]), out[0].numel(), 1 - p, out[0].data<bool>());
  }
  std::string attributes() const { return fmt::format("p {} {}", p, shape); }
  bool operator==(const DropoutMask&) const = default;
};

template <class T>
void keep_tile(const void* scale, const std::byte* const* in, std::byte* const* out,
               std::int64_t n) {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const T factor = static_cast<T>(*static_cast<const double*>(scale));
  const T* x = reinterpret_cast<const T*>(in[0]);
  const bool* stays = reinterpret_cast<const bool*>(in[1]);
  T* to = reinterpret_cast<T*>(out[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    // Without a branch, for no processor could predict it.
    to[i] = std::bit_cast<T>(std::bit_cast<Bits>(x[i] * factor) & (Bits(0) - Bits(stays[i])));
  }
}

/// x · scale where the mask is true, 0 elsewhere, also for an x that is not finite. Linear in x.
struct Dropout {
  double scale;
  static constexpr Doc doc{"dropout", "x / (1 - p) with probability 1 - p, else 0"};
  static constexpr Keep keep = Keep::only_input(1);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name,
                      [&]<class T>() { kernels::run_tiles(keep_tile<T>, &scale, in, out); });
  }
  Gradients vjp(const Backward& b) const { return {bind(*this, b.grad(), b.in(1)), Tensor()}; }
  std::string attributes() const { return fmt::format("scale {}", scale); }
  bool operator==(const Dropout&) const = default;
};

}  // namespace
}  // namespace ops

Tensor dropout(const Tensor& x, double p, bool training, const Generator& generator) {
  const detail::TensorImpl& impl = detail::impl_of(x, "dropout");
  if (!(p >= 0 && p <= 1)) {
    fail("dropout: expected a probability in [0, 1], got {}", p);
  }
  if (!is_floating(impl.dtype)) {
    fail("dropout: expected float32 or float64, got {}", name(impl.dtype));
  }
  if (!training || p == 0) {
    return x;
  }
  const Tensor mask = bind(ops::DropoutMask{p, impl.shape}, detail::next_state(generator));
  return bind(ops::Dropout{p == 1 ? 0 : 1 / (1 - p)}, x, mask);
}

void ops::list_dropout(OpList& list) {
  // A generator of its own in each call makes it the same function at each call.
  const auto with = [](double p, bool training) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return dropout(in[0], p, training, Generator(7)); };
  };
  list.add({Dropout::doc,
            {
                {"half", {sample_values({3, 4}, -2, 2, 1)}, with(0.5, true)},
                {"not in training", {sample_values({3, 4}, -2, 2, 2)}, with(0.5, false)},
                {"p = 0", {sample_values({3, 4}, -2, 2, 3)}, with(0, true)},
                {"p = 1", {sample_values({3, 4}, -2, 2, 4)}, with(1, true)},
                {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 5))}, with(0.3, true)},
                {"0-d", {sample_values({}, -2, 2, 6)}, with(0.1, true)},
                {"empty", {sample_values({0, 3}, -2, 2, 7)}, with(0.5, true)},
            }});
}

}  // namespace cadena
