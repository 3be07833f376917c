#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/nn/loss_distance.hpp>
#include <cadena/nn/loss_support.hpp>

namespace cadena::nn {
namespace {

/// Error unless both are vectors [..., features] of one shape; that of the examples.
Shape shape_of_examples(const char* loss, const Tensor& x, const Tensor& y) {
  check_shapes(loss, x, y);
  if (x.dim() == 0) {
    fail("{}: expected vectors [..., features], got shape []", loss);
  }
  Shape shape = x.shape();
  shape.erase(shape.size() - 1);
  return shape;
}

}  // namespace

Tensor hinge_embedding(const Tensor& distance, const Tensor& target,
                       const HingeEmbeddingOptions& options) {
  check_shapes("hinge_embedding", distance, target);
  return ops::reduced(
      where(numeric(target, distance) > 0, distance, relu(options.margin - distance)),
      options.reduction);
}

Tensor cosine_embedding(const Tensor& x, const Tensor& y, const Tensor& target,
                        const CosineEmbeddingOptions& options) {
  constexpr const char* loss = "cosine_embedding";
  check_shape_of(loss, "target", target, shape_of_examples(loss, x, y));
  constexpr double epsilon = 1e-12;
  const auto squared_length = [&](const Tensor& vector) {
    return sum(square(vector), {-1}) + epsilon;
  };
  const Tensor cosine = sum(x * y, {-1}) / sqrt(squared_length(x) * squared_length(y));
  return ops::reduced(where(numeric(target, x) > 0, 1.0 - cosine, relu(cosine - options.margin)),
                      options.reduction);
}

Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options) {
  constexpr const char* loss = "triplet_margin";
  shape_of_examples(loss, anchor, positive);
  check_shapes(loss, anchor, negative);
  check_option(loss, "p", options.p, 1);
  const auto distance = [&](const Tensor& a, const Tensor& b) {
    return norm(a - b + options.epsilon, options.p, {-1});
  };
  Tensor apart = distance(anchor, negative);
  if (options.swap) {
    apart = minimum(apart, distance(positive, negative));
  }
  return ops::reduced(relu(distance(anchor, positive) - apart + options.margin), options.reduction);
}

Tensor margin_ranking(const Tensor& x, const Tensor& y, const Tensor& target,
                      const MarginRankingOptions& options) {
  check_shapes("margin_ranking", x, y);
  check_shape_of("margin_ranking", "target", target, x.shape());
  return ops::reduced(relu(numeric(target, x) * (y - x) + options.margin), options.reduction);
}

}  // namespace cadena::nn
