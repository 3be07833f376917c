#pragma once

#include <cadena/optim/optimizer.hpp>

#include <optional>

namespace cadena::optim {

struct RMSpropOptions {
  std::optional<double> lr = {};       ///< α; 0.001, by PyTorch's convention 0.01.
  std::optional<double> beta = {};     ///< In [0, 1): 0.9, PyTorch's (there called alpha) 0.99.
  std::optional<double> epsilon = {};  ///< 1e-6, by PyTorch's convention 1e-8.
  double weight_decay = 0;             ///< λ of λ/2 ‖w‖² added to the loss.
  Convention convention = Convention::lecture;
  std::optional<bool> epsilon_inside_root = {};  ///< Lecture: yes; PyTorch: no.
};

/// RMSprop (Tieleman, Hinton 2012): rates by a running mean of the squared gradient.
///   s ← βs + (1 − β)g²,  w ← w − α g / √(s + ε)      (PyTorch: √s + ε)
class RMSprop : public OptimizerWith<RMSpropOptions> {
 public:
  explicit RMSprop(std::vector<Cell> parameters, RMSpropOptions options = {});
  explicit RMSprop(std::vector<Group> groups);

 private:
  static RMSpropOptions checked(RMSpropOptions options);
  static Update update(const RMSpropOptions& options, double lr, double t);
};

extern template class OptimizerWith<RMSpropOptions>;

}  // namespace cadena::optim
