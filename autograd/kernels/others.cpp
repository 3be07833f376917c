#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/others.hpp>
#include <cadena/autograd/kernels/others_kernels.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/reduce_cut.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace cadena::kernels {
namespace {

// Factors of one column at most that are multiplied without a look at the exponent; rows count as
// others_width columns.
constexpr std::int64_t rows_at_once = 128, row_at_once = rows_at_once * others_width;

// A product: that of the finite factors which are not 0, and of the signs of the infinite ones, is
// mantissa 2^exponent.
struct Product {
  double mantissa = 1;
  std::int64_t exponent = 0, zeros = 0, infinities = 0, nans = 0;

  void times_finite(double x) {
    int of_x = 0, of_both = 0;
    mantissa = std::frexp(mantissa * std::frexp(x, &of_x), &of_both);
    exponent += of_x + of_both;
  }
  void times(double x) {
    if (x == 0) {
      ++zeros;
      return;
    }
    nans += std::isnan(x);
    infinities += std::isinf(x);
    if (std::isinf(x)) mantissa = std::copysign(mantissa, mantissa * x);
    if (std::isfinite(x)) times_finite(x);
  }
  void times(const Product& other) {
    times_finite(other.mantissa);
    exponent += other.exponent;
    zeros += other.zeros;
    infinities += other.infinities;
    nans += other.nans;
  }
  bool plain() const { return zeros + infinities + nans == 0; }
  double value(double from, std::int64_t power) const {
    constexpr std::int64_t most = 5000;  // doubles do not reach so far
    return std::ldexp(from, static_cast<int>(std::clamp(power, -most, most)));
  }
  // Whether a division of value() gives the product of the others: it is far from the ends of
  // double, or farther behind them than any factor brings it back.
  bool divisible() const {
    const std::int64_t size = std::abs(exponent);
    return plain() && (size < 900 || size > 2200);
  }
  double value() const { return value(mantissa, exponent); }
  // The product without one factor x.
  double without(double x) const {
    if (zeros - (x == 0) > 0 && infinities + nans == 0) return 0;
    const std::int64_t zeros_left = zeros - (x == 0), nans_left = nans - std::isnan(x);
    const std::int64_t infinities_left = infinities - std::isinf(x);
    if (nans_left > 0 || (zeros_left > 0 && infinities_left > 0)) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    if (zeros_left > 0) return 0;
    const double sign = std::isnan(x) || x == 0 ? 1 : std::copysign(1.0, x);
    if (infinities_left > 0) {
      return std::copysign(std::numeric_limits<double>::infinity(), mantissa * sign);
    }
    if (std::isfinite(x) && x != 0) {
      int power = 0;
      const double left = mantissa / std::frexp(x, &power);
      return value(left, exponent - power);
    }
    return value(mantissa * sign, exponent);
  }
};

bool in_range(double product) { return std::isfinite(product) && product != 0; }

// Of count elements that are `step` apart, whose plain product is known to be `guess`: if that has
// overflown or underflown, one element at a time.
template <class T>
Product product_of(double guess, const T* x, std::int64_t count, std::int64_t step) {
  Product result;
  if (in_range(guess)) {
    result.times_finite(guess);
    return result;
  }
  for (std::int64_t i = 0; i < count; ++i) result.times(static_cast<double>(x[i * step]));
  return result;
}

// Lines along the middle dimension, cut in pieces of `rows`: products[outer, pieces, inner], then
// those of whole lines in the first piece of each.
struct Cut {
  std::int64_t rows, pieces, tiles, grain;
  explicit Cut(const ReduceShape& s)
      : rows(s.inner == 1 ? row_at_once : rows_at_once),
        pieces(divide_up(s.reduced, rows)),
        tiles(divide_up(s.inner, column_tile)),
        grain(std::max<std::int64_t>(
            1, piece_elements / 4 / (std::min(rows, s.reduced) * std::min(s.inner, column_tile)))) {
  }
};

// Calls body.operator()<Arch>(first element, rows, columns, first place in products, line).
template <class Body>
void each_piece(const ReduceShape& s, const Cut& cut, Denormals denormals, Body body) {
  parallel_for(
      s.outer * cut.pieces * cut.tiles, cut.grain,
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          for (std::int64_t item = begin; item < end; ++item) {
            const std::int64_t column = item % cut.tiles * column_tile, piece = item / cut.tiles;
            const std::int64_t o = piece / cut.pieces, first = piece % cut.pieces * cut.rows;
            body.template operator()<Arch>(
                (o * s.reduced + first) * s.inner + column, std::min(cut.rows, s.reduced - first),
                std::min(column_tile, s.inner - column), piece * s.inner + column,
                o * cut.pieces * s.inner + column);
          }
        });
      },
      denormals);
}

template <class Arch, class T> Product product_of_row(const T* x, std::int64_t n) {
  double products[others_width];
  const std::int64_t rows = n / others_width, whole = rows * others_width;
  Product result;
  if (rows > 0) {
    multiply_columns<Arch>(x, rows, others_width, others_width, products);
    double all = 1;
    for (const double product : products) all *= product;
    for (std::int64_t i = whole; i < n; ++i) all *= static_cast<double>(x[i]);
    if (in_range(all)) {
      result.times_finite(all);
      return result;
    }
    for (std::int64_t c = 0; c < others_width; ++c) {
      result.times(product_of(products[c], x + c, rows, others_width));
    }
  }
  for (std::int64_t i = whole; i < n; ++i) result.times(static_cast<double>(x[i]));
  return result;
}

// Calls body.operator()<Arch>(first row, rows, those rows turned into columns).
template <class T, class Body>
void each_turned(const T* x, std::int64_t rows, std::int64_t n, Denormals denormals, Body body) {
  parallel_for(
      rows, piece_elements / 4 / few_elements,
      [&](std::int64_t begin, std::int64_t end) {
        at_level([&]<class Arch>() {
          Turned<T> turned;
          for (std::int64_t first = begin; first < end; first += turned_at_once) {
            const std::int64_t now = std::min(turned_at_once, end - first);
            turn(x + first * n, now, n, turned);
            body.template operator()<Arch>(first, now, static_cast<const T*>(turned));
          }
        });
      },
      denormals);
}

// Rows of few elements.
template <class T> void of_short_rows(const T* x, std::int64_t all, std::int64_t n, T* out) {
  const Scratch<double> memory(all);
  double* totals = memory.data();
  each_turned(x, all, n, Denormals::flush,
              [=]<class Arch>(std::int64_t first, std::int64_t rows, const T* turned) {
                multiply_columns<Arch>(turned, n, rows, rows, totals + first);
              });
  each_turned(x, all, n, Denormals::keep,
              [=]<class Arch>(std::int64_t first, std::int64_t rows, const T* turned) {
                Turned<T> others;
                divide_columns<Arch>(turned, n, rows, rows, totals + first, others);
                turn(static_cast<const T*>(others), n, rows, out + first * n);
                for (std::int64_t row = first; row < first + rows; ++row) {
                  const double size = std::abs(totals[row]);
                  if (size > 1e-200 && size < 1e200) continue;
                  const Product product = product_of(totals[row], x + row * n, n, 1);
                  for (std::int64_t i = row * n; i < (row + 1) * n; ++i) {
                    out[i] = static_cast<T>(product.without(static_cast<double>(x[i])));
                  }
                }
              });
}

}  // namespace

template <class T> void product_of_others(const ReduceShape& s, const T* x, T* out) {
  if (s.outer * s.reduced * s.inner == 0) return;
  if (s.inner == 1 && s.reduced <= few_elements) {
    of_short_rows(x, s.outer, s.reduced, out);
    return;
  }
  const Cut cut(s);
  const Scratch<Product> memory(s.outer * cut.pieces * s.inner);
  Product* products = memory.data();
  // What underflows on the way is to be 0 and not a number that has lost digits.
  each_piece(s, cut, Denormals::flush,
             [=]<class Arch>(std::int64_t at, std::int64_t rows, std::int64_t columns,
                             std::int64_t place, std::int64_t) {
               if (s.inner == 1) {
                 products[place] = product_of_row<Arch>(x + at, rows);
                 return;
               }
               double plain[column_tile];
               multiply_columns<Arch>(x + at, rows, s.inner, columns, plain);
               for (std::int64_t c = 0; c < columns; ++c) {
                 products[place + c] = product_of(plain[c], x + at + c, rows, s.inner);
               }
             });
  parallel_for(s.outer * s.inner, std::max<std::int64_t>(1, 4096 / cut.pieces),
               [&](std::int64_t begin, std::int64_t end) {
                 for (std::int64_t line = begin; line < end; ++line) {
                   Product* parts = products + line / s.inner * cut.pieces * s.inner;
                   parts += line % s.inner;
                   for (std::int64_t k = 1; k < cut.pieces; ++k) parts->times(parts[k * s.inner]);
                 }
               });
  each_piece(s, cut, Denormals::keep,
             [=]<class Arch>(std::int64_t at, std::int64_t rows, std::int64_t columns, std::int64_t,
                             std::int64_t line) {
               double totals[column_tile];
               bool all = true;
               for (std::int64_t c = 0; c < columns; ++c) {
                 totals[c] = products[line + c].value();
                 all = all && products[line + c].divisible();
               }
               if (all && s.inner == 1) {
                 divide_row<Arch>(x + at, rows, totals[0], out + at);
               } else if (all) {
                 divide_columns<Arch>(x + at, rows, s.inner, columns, totals, out + at);
               } else {
                 for (std::int64_t i = at; i < at + rows * s.inner; i += s.inner) {
                   for (std::int64_t c = 0; c < columns; ++c) {
                     out[i + c] =
                         static_cast<T>(products[line + c].without(static_cast<double>(x[i + c])));
                   }
                 }
               }
             });
}

template void product_of_others(const ReduceShape&, const float*, float*);
template void product_of_others(const ReduceShape&, const double*, double*);

}  // namespace cadena::kernels
