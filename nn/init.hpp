#pragma once

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/ops/random.hpp>

#include <optional>
#include <string_view>

namespace cadena::nn {

// Initialisers: each assigns new values to a Parameter, Buffer or Cell of a floating dtype (zeros
// and ones: of any). Without a generator the numbers come from the one that manual_seed sets.

/// A Parameter, a Buffer or a Cell.
class Place {
 public:
  template <bool trainable> Place(const Field<trainable>& field) : cell_(field.cell()) {}
  Place(const Cell& cell) : cell_(cell) {}
  const Cell& cell() const { return cell_; }

 private:
  const Cell& cell_;
};

/// Inputs and outputs of one unit: a weight of shape [outputs, inputs, window...] has
/// inputs·window and outputs·window of them. Error for fewer than two dimensions.
struct Fans {
  double in = 0, out = 0;
};
Fans fans(const Shape& weight);

enum class Fan { in, out };

void zeros(Place place);
void ones(Place place);
void constant(Place place, double value);
/// Uniform from low to high. Error unless both are finite and low <= high.
void uniform(Place place, double low, double high,
             const Generator& generator = default_generator());
/// Error unless both are finite and the deviation is at least 0.
void normal(Place place, double mean, double deviation,
            const Generator& generator = default_generator());

/// Normal, but never outside of [low, high]. Error unless low < high, and all are finite.
void truncated_normal(Place place, double mean = 0, double deviation = 1, double low = -2,
                      double high = 2, const Generator& generator = default_generator());
/// The identity matrix: ones on the diagonal of a matrix of any shape. Error unless 2-d.
void identity(Place place);
/// Normal around 0; in each column ⌈sparsity·rows⌉ elements drawn at random are 0 (Martens 2010).
/// Error unless 2-d and 0 <= sparsity <= 1.
void sparse(Place place, double sparsity, double deviation = 0.01,
            const Generator& generator = default_generator());

/// What `gain` is to be so that a nonlinearity keeps the variance: 1 for "linear", "identity" and
/// "sigmoid", 5/3 for "tanh", √2 for "relu", √(2 / (1 + slope²)) for "leaky_relu" (slope 0.01
/// unless given), 3/4 for "selu". Error for other names.
double calculate_gain(std::string_view nonlinearity, std::optional<double> slope = {});

/// Uniform in ±√(3 / fan in) (LeCun et al. 1998): for sigmoid-like and SELU units.
void lecun_uniform(Place weight, const Generator& generator = default_generator());
/// Normal with deviation 1 / √(fan in).
void lecun_normal(Place weight, const Generator& generator = default_generator());

struct XavierOptions {
  double gain = 1;  ///< 5/3 for tanh, say.
  Generator generator = default_generator();
};
/// Uniform in ±gain·√(6 / (fan in + fan out)) (Glorot and Bengio 2010).
void xavier_uniform(Place weight, const XavierOptions& options = {});
/// Normal with deviation gain·√(2 / (fan in + fan out)).
void xavier_normal(Place weight, const XavierOptions& options = {});

struct KaimingOptions {
  double slope = 0;                 ///< Of the leaky ReLU that follows; 0: ReLU.
  Fan fan = Fan::in;                ///< in keeps the variance of values, out that of gradients.
  std::optional<double> gain = {};  ///< √(2 / (1 + slope²)) unless given.
  Generator generator = default_generator();
};
/// Uniform in ±gain·√(3 / fan) (He et al. 2015).
void kaiming_uniform(Place weight, const KaimingOptions& options = {});
/// Normal with deviation gain / √fan.
void kaiming_normal(Place weight, const KaimingOptions& options = {});

struct OrthogonalOptions {
  double gain = 1;
  Generator generator = default_generator();
};
/// gain times a matrix [outputs, inputs·window] with orthonormal rows, or columns if it has more
/// rows (Saxe, McClelland and Ganguli 2014), uniform among all of them by Haar's measure: Q of the
/// QR factorisation of normal numbers with a positive diagonal of R (Mezzadri 2007).
void orthogonal(Place weight, const OrthogonalOptions& options = {});

}  // namespace cadena::nn
