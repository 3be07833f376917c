#include <cadena/autograd/ops/list.hpp>

#include <boost/math/special_functions/digamma.hpp>
#include <boost/math/special_functions/polygamma.hpp>

#include <cmath>
#include <limits>

namespace cadena {

namespace {

namespace policies = boost::math::policies;
/// Results instead of exceptions.
using Quiet = policies::policy<policies::domain_error<policies::ignore_error>,
                               policies::pole_error<policies::ignore_error>,
                               policies::overflow_error<policies::ignore_error>,
                               policies::evaluation_error<policies::ignore_error>>;

}  // namespace

long double reference_mish(long double x) {
  if (std::isinf(x)) {
    return x > 0 ? x : -0.0L;
  }
  const long double e = std::exp(-std::abs(x));
  return x > 0 ? x * (1 + 2 * e) / (1 + 2 * e * (1 + e)) : x * (e * (e + 2) / (e * (e + 2) + 2));
}

long double reference_lgamma(long double x) { return std::lgamma(x); }

long double reference_polygamma(int n, long double x) {
  constexpr long double infinity = std::numeric_limits<long double>::infinity();
  constexpr long double nan = std::numeric_limits<long double>::quiet_NaN();
  if (std::isnan(x) || x == -infinity) {
    return nan;
  }
  if (x == infinity) {
    return n == 0 ? x : n % 2 == 1 ? 0.0L : -0.0L;
  }
  if (x == 0) {
    return n % 2 == 1 ? infinity : std::copysign(infinity, -x);
  }
  if (x < 0 && x == std::floor(x)) {
    return n % 2 == 1 ? infinity : nan;
  }
  if (n == 0) {
    return boost::math::digamma(x, Quiet());
  }
  return boost::math::polygamma(n, x, Quiet());
}

long double scale_of_lgamma(long double x) { return x < -2 ? std::lgamma(1 - x) : 0; }

long double scale_of_polygamma(int n, long double x) {
  if (!(x < 0) || n % 2 == 1 || x == std::floor(x)) {
    return 0;
  }
  // The term of the nearest pole; digamma has what belongs to 1 - x, too.
  const long double pole = std::tgamma(n + 1.0L) / std::pow(std::abs(x - std::round(x)), n + 1.0L);
  return n == 0 ? std::max(pole, std::log(1 - x)) : pole;
}

}  // namespace cadena
