#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/softmax.hpp>
#include <cadena/autograd/ops/softmax_gradient.hpp>

namespace cadena {
namespace ops {
namespace {

/// (softmax(logits) - one_hot(labels)) g of the inputs logits, labels, kept, g (one number a row),
/// where `kept` is what CrossEntropy kept of the logits.
struct CrossEntropyGradient {
  static constexpr Doc doc{"cross_entropy", "gradient: (softmax(x) - one_hot(label)) g"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::cross_entropy_gradient(
          rows_of(in[0].shape()), in[0].data<T>(), in[1].data<std::int64_t>(),
          reinterpret_cast<const kernels::RowSoftmax<T>*>(in[2].data<T>()), in[3].data<T>(),
          out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor logits = b.in(0), h = b.grad();
    const Tensor probability = softmax(logits);
    Gradients result(4);
    if (b.needs(0)) {
      result[0] = bind(SoftmaxGradient{logits.dim() - 1}, probability, h * unsqueeze(b.in(3), -1));
    }
    if (b.needs(3)) {
      const Tensor truth = one_hot(b.in(1), logits.size(-1), {.dtype = logits.dtype()});
      result[3] = sum(h * (probability - truth), {-1});
    }
    return result;
  }
  std::string attributes() const { return "derivative 0"; }
  bool operator==(const CrossEntropyGradient&) const = default;
};

/// The loss of each row of logits, and what the gradient needs of it.
struct CrossEntropy {
  static constexpr Doc doc{"cross_entropy", "-log softmax(x)[label] along the last axis"};
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, in[1].shape}, {in[0].dtype, {numel(in[1].shape), 2}}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::RowsShape shape = rows_of(in[0].shape());
    const std::int64_t* labels = in[1].data<std::int64_t>();
    const std::int64_t wrong =
        dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() -> std::int64_t {
          static_assert(sizeof(kernels::RowSoftmax<T>) == 2 * sizeof(T));
          return kernels::cross_entropy(
              shape, in[0].data<T>(), labels, out[0].data<T>(),
              reinterpret_cast<kernels::RowSoftmax<T>*>(out[1].data<T>()));
        });
    if (wrong >= 0) {
      fail("cross_entropy: label {} at position {} is outside [0, {}), the classes of logits {}",
           labels[wrong], unravel(wrong, in[1].shape()), shape.columns, in[0].shape());
    }
  }
  Gradients vjp(const Backward& b) const {
    // What was kept is a function of the logits that CrossEntropyGradient accounts for.
    return {bind(CrossEntropyGradient{}, b.in(0), b.in(1), b.out(1).detach(), b.grad()), Tensor()};
  }
  bool operator==(const CrossEntropy&) const = default;
};

}  // namespace
}  // namespace ops

Tensor ops::reduced(const Tensor& losses, Reduction reduction) {
  switch (reduction) {
    case Reduction::mean:
      return mean(losses);
    case Reduction::sum:
      return sum(losses);
    default:
      return losses;
  }
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target, Reduction reduction) {
  constexpr const char* operation = ops::CrossEntropy::doc.name;
  const Shape& shape = detail::impl_of(logits, operation).shape;
  const detail::TensorImpl& wanted = detail::impl_of(target, operation);
  if (shape.empty() || (shape.back() == 0 && numel(ops::without_last(shape)) > 0)) {
    fail("cross_entropy: expected logits of shape [..., classes], got {}", shape);
  }
  const bool soft = is_floating(wanted.dtype);
  if (wanted.dtype == Dtype::boolean || wanted.shape != (soft ? shape : ops::without_last(shape))) {
    fail(
        "cross_entropy: expected int64 or uint8 labels of shape {} or floating targets of shape {} "
        "for logits {}, got {} {}",
        ops::without_last(shape), shape, shape, name(wanted.dtype), wanted.shape);
  }
  const Tensor x = ops::floating(logits);
  Tensor losses;
  if (soft) {
    losses = -sum(target.to(x.dtype()) * log_softmax(x), {-1});
  } else {
    const Tensor inputs[] = {x, target.to(Dtype::int64)};
    losses = bind_all(ops::CrossEntropy{}, inputs)[0];
  }
  return ops::reduced(losses, reduction);
}

namespace ops {
namespace {

std::vector<Sample> cross_entropy_samples() {
  const auto with = [](Tensor labels, Reduction reduction) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return cross_entropy(in[0], labels, reduction); };
  };
  const Tensor labels = tensor({2, 0, 3});
  const OperatorCall soft = [](std::span<const Tensor> in) {
    return cross_entropy(in[0], in[1], Reduction::mean);
  };
  return {
      {"mean", {sample_values({3, 4}, -3, 3, 1)}, with(labels, Reduction::mean)},
      {"sum", {sample_values({3, 4}, -3, 3, 2)}, with(labels, Reduction::sum)},
      {"none", {sample_values({3, 4}, -3, 3, 3)}, with(labels, Reduction::none)},
      {"uint8 labels", {sample_values({3, 4}, -3, 3, 4)}, with(labels.to(uint8), Reduction::sum)},
      {"one example", {sample_values({4}, -3, 3, 5)}, with(tensor(1), Reduction::mean)},
      {"more dimensions",
       {sample_values({3, 2, 3}, -3, 3, 6)},
       with(tensor({{0, 1}, {2, 2}, {1, 0}}), Reduction::mean)},
      {"large and small",
       {from_vector<double>({1e4, 9999, 0, -1e4, -9999, -1e4}, {2, 3})},
       with(tensor({1, 0}), Reduction::none)},
      {"not contiguous",
       {transpose(sample_values({4, 3}, -3, 3, 7))},
       with(labels, Reduction::mean)},
      {"no examples",
       {sample_values({0, 3}, -3, 3, 8)},
       with(zeros({0}, {.dtype = int64}), Reduction::sum)},
      {"soft targets", {sample_values({3, 4}, -3, 3, 9), sample_values({3, 4}, 0, 1, 10)}, soft},
      {"one-hot targets",
       {sample_values({3, 4}, -3, 3, 11), one_hot(labels, 4, {.dtype = float64})},
       soft},
  };
}

}  // namespace

void list_cross_entropy(OpList& list) { list.add({CrossEntropy::doc, cross_entropy_samples()}); }

}  // namespace ops
}  // namespace cadena
