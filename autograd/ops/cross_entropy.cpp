#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/softmax.hpp>
#include <cadena/autograd/ops/softmax_gradient.hpp>

#include <limits>

namespace cadena {
namespace ops {
namespace {

/// What labels say of a target: see CrossEntropyOptions.
struct Rule {
  std::optional<std::int64_t> ignored = {};
  double smoothing = 0;

  kernels::Labels of(const Input& labels) const {
    return {labels.data<std::int64_t>(), ignored, smoothing};
  }
  bool operator==(const Rule&) const = default;
};

/// (softmax(logits) - target) g of the inputs logits, labels, kept, g (one number a row), where
/// `kept` is what CrossEntropy kept of the logits.
struct CrossEntropyGradient {
  Rule rule;
  static constexpr Doc doc{"cross_entropy", "gradient: (softmax(x) - target) g"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::cross_entropy_gradient(
          rows_of(in[0].shape()), in[0].data<T>(), rule.of(in[1]),
          reinterpret_cast<const kernels::RowSoftmax<T>*>(in[2].data<T>()), in[3].data<T>(),
          out[0].data<T>());
    });
  }
  std::int64_t rows(std::span<const Type> in) const {
    return rows_before(in[0].shape, {in[0].shape.size() - 1});
  }
  Gradients vjp(const Backward& b) const {
    Tensor logits = b.in(0), labels = b.in(1), h = b.grad();
    if (rule.ignored) {
      const Tensor ignored = labels == *rule.ignored, row = unsqueeze(ignored, -1);
      labels = where(ignored, 0, labels);
      h = where(row, 0.0, h);
      logits = where(row, 0.0, logits);  // 0 times what is not finite would be NaN
    }
    const Tensor probability = softmax(logits);
    Gradients result(4);
    if (b.needs(0)) {
      result[0] = bind(SoftmaxGradient{logits.dim() - 1}, probability, h * unsqueeze(b.in(3), -1));
    }
    if (b.needs(3)) {
      const std::int64_t classes = logits.size(-1);
      const Tensor truth = one_hot(labels, classes, {.dtype = logits.dtype()});
      const Tensor target =
          (1 - rule.smoothing) * truth + rule.smoothing / static_cast<double>(classes);
      result[3] = sum(h * (probability - target), {-1});
    }
    return result;
  }
  std::string attributes() const { return "derivative 0"; }
  bool operator==(const CrossEntropyGradient&) const = default;
};

/// The loss of each row of logits, and what the gradient needs of it.
struct CrossEntropy {
  Rule rule;
  static constexpr Doc doc{"cross_entropy", "-log softmax(x)[label] along the last axis"};
  static constexpr Keep keep = Keep::inputs.and_outputs_from(1);
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, in[1].shape}, {in[0].dtype, {numel(in[1].shape), 2}}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::RowsShape shape = rows_of(in[0].shape());
    const kernels::Labels labels = rule.of(in[1]);
    const std::int64_t wrong =
        dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() -> std::int64_t {
          static_assert(sizeof(kernels::RowSoftmax<T>) == 2 * sizeof(T));
          return kernels::cross_entropy(
              shape, in[0].data<T>(), labels, out[0].data<T>(),
              reinterpret_cast<kernels::RowSoftmax<T>*>(out[1].data<T>()));
        });
    if (wrong >= 0) {
      fail("cross_entropy: label {} at position {} is outside [0, {}), the classes of logits {}",
           labels.values[wrong], unravel(wrong, in[1].shape()), shape.columns, in[0].shape());
    }
  }
  Gradients vjp(const Backward& b) const {
    // What was kept is a function of the logits that CrossEntropyGradient accounts for.
    return {bind(CrossEntropyGradient{rule}, b.in(0), b.in(1), b.out(1).detach(), b.grad()),
            Tensor()};
  }
  std::string attributes() const {
    return (rule.ignored ? fmt::format("ignore_index {} ", *rule.ignored) : "") +
           (rule.smoothing > 0 ? fmt::format("label_smoothing {}", rule.smoothing) : "");
  }
  bool operator==(const CrossEntropy&) const = default;
};

/// -Σ_c target_c weight_c log softmax(x)_c of each example.
Tensor soft_losses(const Tensor& x, const Tensor& target, const Tensor& weight) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const Tensor log_p = log_softmax(x);
  const Tensor nothing = (target == 0.0) & (log_p == -infinity);
  const Tensor parts = target * where(nothing, 0.0, log_p);
  return -sum(weight.defined() ? parts * weight : parts, {-1});
}

void check_options(const Tensor& x, const CrossEntropyOptions& options, bool soft) {
  if (!(options.label_smoothing >= 0 && options.label_smoothing <= 1)) {
    fail("cross_entropy: expected a label smoothing in [0, 1], got {}", options.label_smoothing);
  }
  if (soft && options.ignore_index) {
    fail("cross_entropy: ignore_index {} is for labels, the targets are {}", *options.ignore_index,
         name(x.dtype()));
  }
  const Tensor& weight = options.weight;
  if (weight.defined() && (weight.dtype() != x.dtype() || weight.shape() != Shape{x.size(-1)})) {
    fail("cross_entropy: expected {} weights of shape [{}] for logits {}, got {} {}",
         name(x.dtype()), x.size(-1), x.shape(), name(weight.dtype()), weight.shape());
  }
}

/// Of labels (int64), reduced.
Tensor label_losses(const Tensor& x, const Tensor& labels, const CrossEntropyOptions& options) {
  const Tensor& weight = options.weight;
  const double smoothing = options.label_smoothing;
  const Tensor inputs[] = {x, labels};
  const Rule rule{options.ignore_index, weight.defined() ? 0 : smoothing};
  Tensor losses = bind_all(CrossEntropy{rule}, inputs)[0];
  if (!weight.defined() && !options.ignore_index) {
    return reduced(losses, options.reduction);
  }
  Tensor counts = ones_like(losses), known = labels;  // what each example counts for `mean`
  if (options.ignore_index) {
    const Tensor ignored = labels == *options.ignore_index;
    known = where(ignored, 0, labels);
    counts = where(ignored, 0.0, counts);
  }
  if (weight.defined()) {
    counts = counts * reshape(index_select(weight, 0, flatten(known)), labels.shape());
    losses = losses * counts;
    if (smoothing > 0) {
      const Tensor uniform = full_like(x, smoothing / static_cast<double>(x.size(-1)));
      Tensor all;
      if (options.ignore_index) {
        // On both sides: the losses may not be finite, and neither may their gradients.
        const Tensor ignored = labels == *options.ignore_index;
        const Tensor counted = where(unsqueeze(ignored, -1), 0.0, x);
        all = where(ignored, 0.0, soft_losses(counted, uniform, weight));
      } else {
        all = soft_losses(x, uniform, weight);
      }
      losses = (1 - smoothing) * losses + all;
    }
  }
  return options.reduction == Reduction::mean ? sum(losses) / sum(counts)
                                              : reduced(losses, options.reduction);
}

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
  return cross_entropy(logits, target, CrossEntropyOptions{.reduction = reduction});
}

Tensor cross_entropy(const Tensor& logits, const Tensor& target,
                     const CrossEntropyOptions& options) {
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
  ops::check_options(x, options, soft);
  if (!soft) {
    return ops::label_losses(x, target.to(Dtype::int64), options);
  }
  Tensor smooth = target.to(x.dtype());
  if (options.label_smoothing > 0) {
    smooth = (1 - options.label_smoothing) * smooth +
             options.label_smoothing / static_cast<double>(shape.back());
  }
  return ops::reduced(ops::soft_losses(x, smooth, options.weight), options.reduction);
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
  const auto optional = [=](const CrossEntropyOptions& options) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return cross_entropy(in[0], labels, options); };
  };
  const auto weighted = [=](CrossEntropyOptions options) -> OperatorCall {
    return [=](std::span<const Tensor> in) mutable {
      options.weight = in[1];
      return cross_entropy(in[0], labels, options);
    };
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
      {"smoothed labels", {sample_values({3, 4}, -3, 3, 12)}, optional({.label_smoothing = 0.1})},
      {"an ignored label",
       {sample_values({3, 4}, -3, 3, 13)},
       optional({.ignore_index = 0, .label_smoothing = 0.2})},
      {"weights", {sample_values({3, 4}, -3, 3, 14), sample_values({4}, 0.5, 2, 15)}, weighted({})},
      {"all options",
       {sample_values({3, 4}, -3, 3, 16), sample_values({4}, 0.5, 2, 17)},
       weighted({.ignore_index = 3, .label_smoothing = 0.3})},
  };
}

}  // namespace

void list_cross_entropy(OpList& list) { list.add({CrossEntropy::doc, cross_entropy_samples()}); }

}  // namespace ops
}  // namespace cadena
