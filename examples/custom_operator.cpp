// Three ways to add an operator, none of which touches the library: a composite function, a scalar
// lambda, and an operator struct with a parallel kernel of its own. All three have gradients of any
// order, and all three are checked at the end.

#include <cadena/autograd/graph/elementwise.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/cadena.hpp>

#include <cmath>

namespace cd = cadena;
using cd::Tensor;

// 1. A function of tensors. Whatever it is composed of has a gradient, so it has one.
Tensor unit_rows(const Tensor& x) {
  return x * cd::rsqrt(cd::sum(cd::square(x), {-1}, true) + 1e-12);
}

// 2. A scalar lambda: vector instructions, one pass over memory, derivatives by dual numbers.
const auto squareplus =
    cd::elementwise("squareplus", [](auto x) { return 0.5 * (x + sqrt(square(x) + 4.0)); });
const auto smooth_distance =
    cd::elementwise("smooth_distance", [](auto x, auto y) { return sqrt(square(x - y) + 0.01); });

// 3. An operator struct: type rule, kernel and derivative in one place. A discounted running sum
// y_t = x_t + discount y_(t-1) along each row cannot be written elementwise. Its transpose is the
// same sum from the other end, so the two are each other's derivative.
struct DiscountedSum {
  double discount;
  bool backwards = false;

  static constexpr cd::Doc doc{"discounted_sum", "y_t = x_t + discount y_(t-1)"};

  cd::Types infer(std::span<const cd::Type> in) const {
    if (in[0].shape.size() != 2 || !cd::is_floating(in[0].dtype)) {
      cd::fail("discounted_sum: expected a floating matrix [rows, steps], got {} {}",
               name(in[0].dtype), in[0].shape);
    }
    return {in[0]};
  }

  void run(cd::Inputs in, cd::Outputs out) const {
    cd::dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const std::int64_t rows = in[0].size(0), steps = in[0].size(1);
      const T* x = in[0].data<T>();
      T* y = out[0].data<T>();
      const T factor = static_cast<T>(discount);
      cd::parallel_for(rows, 16, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t row = begin; row < end; ++row) {
          T sum = 0;
          for (std::int64_t i = 0; i < steps; ++i) {
            const std::int64_t t = row * steps + (backwards ? steps - 1 - i : i);
            sum = x[t] + factor * sum;
            y[t] = sum;
          }
        }
      });
    });
  }

  cd::Gradients vjp(const cd::Backward& b) const {
    return {cd::bind(DiscountedSum{discount, !backwards}, b.grad())};
  }
  bool operator==(const DiscountedSum&) const = default;
};

Tensor discounted_sum(const Tensor& x, double discount) {
  return cd::bind(DiscountedSum{discount}, x);
}

int main() {
  cd::manual_seed(0);
  const Tensor x = cd::randn({3, 5}, {.dtype = cd::float64});
  const Tensor y = cd::randn({5}, {.dtype = cd::float64});
  fmt::print("squareplus(x) = {}\n", squareplus(x));
  fmt::print("discounted_sum(x, 0.9) = {}\n", discounted_sum(x, 0.9));

  bool right = true;
  const auto check = [&](const char* what, const auto& f) {
    const cd::GradcheckReport report = cd::gradcheck(f, {x, y}, {.order = 2});
    fmt::print("\n{}: {}\n", what, report);
    right = right && report.passed();
  };
  check("composite", [](auto in) { return unit_rows(in[0]) * in[1]; });
  check("lambda", [](auto in) { return smooth_distance(squareplus(in[0]), in[1]); });
  check("struct", [](auto in) { return cd::square(discounted_sum(in[0] * in[1], 0.9)); });
  return right ? 0 : 1;
}
