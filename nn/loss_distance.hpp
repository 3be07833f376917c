#pragma once

#include <cadena/autograd/ops/softmax.hpp>

namespace cadena::nn {

// Losses that compare: distances, similarities, ranks. Targets are 1 or -1 (more or less than 0).
// Subgradients at the kinks of max(0, ·) are 0.

struct HingeEmbeddingOptions {
  double margin = 1;
  Reduction reduction = Reduction::mean;
};
/// The distance x where y = 1, max(0, margin - x) where y = -1, elementwise (Hadsell, Chopra and
/// LeCun 2006).
Tensor hinge_embedding(const Tensor& distance, const Tensor& target,
                       const HingeEmbeddingOptions& options = {});

struct CosineEmbeddingOptions {
  double margin = 0;  ///< In [-1, 1].
  Reduction reduction = Reduction::mean;
};
/// With the cosine of the vectors x and y [..., features] and targets [...]: 1 - cos where the
/// target is 1, max(0, cos - margin) where it is -1. Squared lengths are enlarged by 1e-12, so that
/// the cosine with a zero vector is 0.
Tensor cosine_embedding(const Tensor& x, const Tensor& y, const Tensor& target,
                        const CosineEmbeddingOptions& options = {});

struct TripletMarginOptions {
  double margin = 1;
  double p = 2;           ///< Of the norm; at least 1.
  double epsilon = 1e-6;  ///< Added to differences, so that there is a gradient at distance 0.
  bool swap = false;      ///< The negative's distance from the positive, if that is smaller.
  Reduction reduction = Reduction::mean;
};
/// max(0, d(anchor, positive) - d(anchor, negative) + margin) of each [..., features] (Balntas et
/// al. 2016).
Tensor triplet_margin(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                      const TripletMarginOptions& options = {});

struct MarginRankingOptions {
  double margin = 0;
  Reduction reduction = Reduction::mean;
};
/// max(0, -target (x - y) + margin), elementwise: x is to rank above y where the target is 1. Error
/// for boolean and uint8 targets, which cannot be -1.
Tensor margin_ranking(const Tensor& x, const Tensor& y, const Tensor& target,
                      const MarginRankingOptions& options = {});

}  // namespace cadena::nn
