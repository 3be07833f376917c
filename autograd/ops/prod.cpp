#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/kernels/others.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>
#include <cadena/autograd/ops/slice.hpp>

namespace cadena {
namespace ops {
namespace {

/// For each element of x [outer, n, inner] the product of the others along the middle axis, by a
/// tree: pairs are multiplied, the products of the others of a pair are those of its two elements
/// but for the partner. No division, so zeros are nothing special, and any derivative follows.
Tensor tree_of_others(const Tensor& x) {
  const std::int64_t n = x.size(1), half = n / 2;
  if (half == 0) {
    return ones_like(x);
  }
  const Tensor first = slice(x, 1, 0, half), second = slice(x, 1, half, 2 * half);
  if (n == 2) {
    return cat({second, first}, 1);
  }
  Tensor pairs = first * second;
  if (n % 2 == 0) {
    const Tensor others = tree_of_others(pairs);
    return cat({others * second, others * first}, 1);
  }
  const Tensor others = tree_of_others(cat({pairs, slice(x, 1, n - 1, n)}, 1));
  const Tensor of_pairs = slice(others, 1, 0, half);
  return cat({of_pairs * second, of_pairs * first, slice(others, 1, half, half + 1)}, 1);
}

/// The same in two passes over memory; derivatives are those of the tree.
struct ProductOfOthers {
  static constexpr Doc doc{"prod", "derivative: product of the other x"};
  static constexpr Keep keep = Keep::inputs;

  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::product_of_others(reduce_shape(in[0].shape(), {1}), in[0].data<T>(),
                                 out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const bool recording = modes().grad_enabled;
    const EnableGrad enable;
    const Tensor x = b.in(0);
    const Tensor at =
        cadena::detail::alias(recording && x.requires_grad() ? x : x.detach().requires_grad_leaf());
    const Tensor slope = cadena::detail::partial_of(tree_of_others(at) * b.grad(), at);
    return {recording ? slope : slope.detach()};
  }
  bool operator==(const ProductOfOthers&) const = default;
};

/// Over neighbouring axes.
struct Prod {
  Axes axes;
  bool keepdim;
  static constexpr Doc doc{"prod", "product of x over axes"};
  static constexpr Keep keep = Keep::inputs;

  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    const auto multiply = [&]<class T>() {
      kernels::product(shape, in[0].data<T>(), out[0].data<T>());
    };
    if (in[0].dtype() == Dtype::int64) {
      multiply.template operator()<std::int64_t>();
    } else {
      dispatch_floating(in[0].dtype(), doc.name, multiply);
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor& x = b.in(0);
    const kernels::ReduceShape shape = reduce_shape(x.shape(), axes);
    const Tensor matrices = reshape(x, {shape.outer, shape.reduced, shape.inner});
    const Tensor upstream = reshape(b.grad(), {shape.outer, 1, shape.inner});
    return {reshape(upstream * bind(ProductOfOthers{}, matrices), x.shape())};
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Prod&) const = default;
};

}  // namespace
}  // namespace ops

Tensor prod(const Tensor& x, const Axes& axes, bool keepdim) {
  const int rank = detail::impl_of(x, ops::Prod::doc.name).shape.size();
  const Axes normal = normalize_axes(axes, rank, ops::Prod::doc.name);
  const Tensor numbers = x.dtype() < Dtype::int64 ? x.to(Dtype::int64) : x;
  if (rank == 0) {
    return numbers.is_number() ? numbers.to(numbers.dtype()) : reshape(numbers, {});
  }
  return ops::over_axes(numbers, normal, keepdim, [](const Tensor& y, const Axes& over, bool keep) {
    return bind(ops::Prod{over, keep}, y);
  });
}

void ops::list_prod(OpList& list) {
  std::vector<Sample> samples = reduction_samples(prod);
  const auto zeros_in = [&](const char* what, const std::vector<double>& values) {
    const auto count = static_cast<std::int64_t>(values.size());
    samples.push_back({what, {from_vector(values, {count})}, [](std::span<const Tensor> in) {
                         return prod(in[0]);
                       }});
  };
  zeros_in("a zero", {1.5, 0, -2, 3, 0.5});
  zeros_in("two zeros", {0, 1.5, -2, 0, 3});
  zeros_in("three zeros", {0, 1.5, 0, 0});
  zeros_in("all zeros", {0, 0});
  samples.push_back({"over nothing",
                     {sample_values({0, 3}, -2, 2, 11)},
                     [](std::span<const Tensor> in) { return prod(in[0], {0}); }});
  list.add({Prod::doc, std::move(samples)});
}

}  // namespace cadena
