#pragma once

#include <cadena/optim/optimizer.hpp>

#include <optional>

namespace cadena::optim {

struct AdagradOptions {
  double lr = 0.01;                    ///< α
  std::optional<double> epsilon = {};  ///< 1e-7, by PyTorch's convention 1e-10.
  double weight_decay = 0;             ///< λ of λ/2 ‖w‖² added to the loss.
  Convention convention = Convention::lecture;
  std::optional<bool> epsilon_inside_root = {};  ///< Lecture: yes; PyTorch: no.
};

/// Adagrad (Duchi, Hazan, Singer 2011): rates that shrink with the gradients seen.
///   s ← s + g²,  w ← w − α g / √(s + ε)      (PyTorch: √s + ε)
class Adagrad : public OptimizerWith<AdagradOptions> {
 public:
  explicit Adagrad(std::vector<Cell> parameters, AdagradOptions options = {});
  explicit Adagrad(std::vector<Group> groups);

 private:
  static AdagradOptions checked(AdagradOptions options);
  static Update update(const AdagradOptions& options, double lr, double t);
};

extern template class OptimizerWith<AdagradOptions>;

}  // namespace cadena::optim
