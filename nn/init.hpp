#pragma once

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/random.hpp>

#include <optional>

namespace cadena::nn {

// Initialisers: each assigns new values to a Parameter, Buffer or Cell of a floating dtype. Without
// a generator the numbers come from the one that manual_seed sets.

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
