#pragma once

#include <cadena/optim/optimizer.hpp>

#include <optional>

namespace cadena::optim {

struct SGDOptions {
  std::optional<double> lr = {};  ///< η; 0.01, by PyTorch's convention 0.001.
  double momentum = 0;            ///< γ, in [0, 1); 0 is plain gradient descent.
  bool nesterov = false;          ///< Needs momentum.
  double weight_decay = 0;        ///< λ of λ/2 ‖w‖² added to the loss.
  Convention convention = Convention::lecture;
  /// Whether η is a factor of the gradient in the velocity (lecture) or of the velocity in the
  /// update (PyTorch). Without Nesterov and with it, both give the same while η does not change.
  std::optional<bool> rate_inside_velocity = {};
};

/// Gradient descent, with momentum or Nesterov's.
///   plain:    w ← w − ηg
///   momentum: v ← γv + ηg, w ← w − v             (lecture; PyTorch: v ← γv + g, w ← w − ηv)
///   Nesterov: v ← γv + η∇E(w − γv), w ← w − v    (Nesterov 1983)
/// Nesterov's form asks for the gradient at the look-ahead point u = w − γv. The parameters hold u
/// itself, so one gradient, at the parameters, is enough. From w' = w − v' and u = w − γv follows
///   v' = γv + ηg(u),  u' = u − (γv' + ηg(u))
/// for any sequence of η. PyTorch's form is the same with η taken out of v.
class SGD : public OptimizerWith<SGDOptions> {
 public:
  explicit SGD(std::vector<Cell> parameters, SGDOptions options = {});
  explicit SGD(std::vector<Group> groups);

 private:
  static SGDOptions checked(SGDOptions options);
  static Update update(const SGDOptions& options, double lr, double t);
};

extern template class OptimizerWith<SGDOptions>;

}  // namespace cadena::optim
