#pragma once

#include <cadena/optim/optimizer.hpp>

namespace cadena::optim {

/// The lecture's, the paper's and PyTorch's defaults are the same.
struct AdamOptions {
  double lr = 1e-3;      ///< α
  double beta1 = 0.9;    ///< Of the mean of gradients, in [0, 1).
  double beta2 = 0.999;  ///< Of the mean of their squares, in [0, 1).
  double epsilon = 1e-8;
  double weight_decay = 0;           ///< λ of λ/2 ‖w‖² added to the loss.
  bool epsilon_inside_root = false;  ///< √(v̂ + ε) instead of √v̂ + ε.
};

/// Adam (Kingma, Ba 2015, algorithm 1), t = 1, 2, ... counting the updates of each parameter:
///   m ← β₁m + (1 − β₁)g,   v ← β₂v + (1 − β₂)g²,
///   m̂ = m / (1 − β₁ᵗ),     v̂ = v / (1 − β₂ᵗ),     w ← w − α m̂ / (√v̂ + ε)
class Adam : public OptimizerWith<AdamOptions> {
 public:
  explicit Adam(std::vector<Cell> parameters, AdamOptions options = {});
  explicit Adam(std::vector<Group> groups);

 private:
  static AdamOptions checked(AdamOptions options);
  static Update update(const AdamOptions& options, double lr, double t);
};

extern template class OptimizerWith<AdamOptions>;

}  // namespace cadena::optim
