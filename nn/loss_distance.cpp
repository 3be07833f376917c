#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/nn/loss_distance.hpp>
#include <cadena/nn/loss_support.hpp>

#include <limits>

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

/// Vectors [..., features] and their lengths √(|x|² + 1e-12).
struct Measured {
  Tensor vectors, lengths;
};

/// Of x, or of x divided by its largest element, a constant that a cosine loses, where squares of
/// lengths, their products or the inverses of these would be beyond the dtype.
Measured measured(const Tensor& x) {
  constexpr double epsilon = 1e-12, large = 1e18,
                   infinity = std::numeric_limits<double>::infinity();
  const Tensor squares = sum(square(x), {-1});
  const bool captured = cadena::detail::is_captured(x);
  if (squares.numel() == 0 || (!captured && amax(squares.detach()).item() < large)) {
    return {x, sqrt(squares + epsilon)};
  }
  Tensor scale = clamp(norm(x.detach(), infinity, {-1}, true), 1, infinity);
  if (captured) {  // a division by 1 changes nothing
    scale = where(amax(squares.detach()) < large, 1.0, scale);
  }
  const Tensor scaled = x / scale;
  return {scaled, sqrt(sum(square(scaled), {-1}) + epsilon / square(squeeze(scale, {-1})))};
}

}  // namespace

Tensor hinge_embedding(const Tensor& distance, const Tensor& target,
                       const HingeEmbeddingOptions& options) {
  check_shapes("hinge_embedding", distance, target);
  check_margin("hinge_embedding", options.margin);
  return ops::reduced(
      where(numeric(target, distance) > 0, distance, relu(options.margin - distance)),
      options.reduction);
}

Tensor cosine_embedding(const Tensor& x, const Tensor& y, const Tensor& target,
                        const CosineEmbeddingOptions& options) {
  constexpr const char* loss = "cosine_embedding";
  check_shape_of(loss, "target", target, shape_of_examples(loss, x, y));
  if (!(options.margin >= -1 && options.margin <= 1)) {
    fail("{}: expected a margin in [-1, 1], got {}", loss, options.margin);
  }
  const Measured a = measured(x), b = measured(y);
  const Tensor cosine = sum(a.vectors * b.vectors, {-1}) / (a.lengths * b.lengths);
  return ops::reduced(where(numeric(target, x) > 0, 1.0 - cosine, relu(cosine - options.margin)),
                      options.reduction);
}

Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options) {
  constexpr const char* loss = "triplet_margin";
  shape_of_examples(loss, anchor, positive);
  check_shapes(loss, anchor, negative);
  check_option(loss, "p", options.p, 1);
  check_option(loss, "epsilon", options.epsilon, 0);
  check_margin(loss, options.margin);
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
  constexpr const char* loss = "margin_ranking";
  check_shapes(loss, x, y);
  check_shape_of(loss, "target", target, x.shape());
  check_margin(loss, options.margin);
  return ops::reduced(relu(signs(loss, target, x) * (y - x) + options.margin), options.reduction);
}

}  // namespace cadena::nn
