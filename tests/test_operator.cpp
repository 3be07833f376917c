// An operator of a user as a struct: two outputs, an own parallel kernel, a vjp.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

Tensor variable(const Nested& numbers) {
  return tensor(numbers, {.dtype = float64, .requires_grad = true});
}

/// Polar coordinates as Cartesian ones: (r·cos φ, r·sin φ).
struct Cartesian {
  static constexpr Doc doc{"cartesian", "(r cos(phi), r sin(phi))"};
  static constexpr Keep keep = Keep::inputs;
  Types infer(std::span<const Type> in) const {
    if (in.size() != 2 || in[0] != in[1] || in[0].dtype != float64) {
      fail("cartesian: expected two float64 tensors of one shape");
    }
    return {in[0], in[0]};
  }
  void run(Inputs in, Outputs out) const {
    const double *r = in[0].data<double>(), *phi = in[1].data<double>();
    double *x = out[0].data<double>(), *y = out[1].data<double>();
    parallel_for(in[0].numel(), 1000, [=](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        x[i] = r[i] * std::cos(phi[i]);
        y[i] = r[i] * std::sin(phi[i]);
      }
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor r = b.in(0), phi = b.in(1);
    Gradients result(2);
    if (b.needs(0)) {
      result[0] = b.grad(0) * cos(phi) + b.grad(1) * sin(phi);
    }
    if (b.needs(1)) {
      result[1] = r * (b.grad(1) * cos(phi) - b.grad(0) * sin(phi));
    }
    return result;
  }
  bool operator==(const Cartesian&) const = default;
};

std::pair<Tensor, Tensor> cartesian(const Tensor& r, const Tensor& phi) {
  const Tensor inputs[] = {r, phi};
  Tensors out = bind_all(Cartesian{}, inputs);
  return {out[0], out[1]};
}

/// The square root and whether it was of a negative number's absolute value; keeps its outputs.
struct Root {
  static constexpr Doc doc{"root", "sqrt(|x|)"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0], {boolean, in[0].shape}}; }
  void run(Inputs in, Outputs out) const {
    for (std::int64_t i = 0; i < in[0].numel(); ++i) {
      out[0].data<double>()[i] = std::sqrt(std::abs(in[0].data<double>()[i]));
      out[1].data<bool>()[i] = in[0].data<double>()[i] < 0;
    }
  }
  Gradients vjp(const Backward& b) const {
    CHECK_FALSE(b.out(1).requires_grad());
    CHECK(b.out_type(1).dtype == boolean);
    const Tensor sign = 1.0 - 2.0 * b.out(1).to(float64);
    return {b.grad() * sign * 0.5 / b.out(0)};
  }
  bool operator==(const Root&) const = default;
};

/// A view that is only right for one input.
struct Flip {
  static constexpr Doc doc{"flip", "x as it is"};
  Layout view(const Layout& x) const { return x; }
  Gradients vjp(const Backward& b) const { return {b.grad()}; }
  bool operator==(const Flip&) const = default;
};

/// Asks what it may not about its second input.
struct Curious {
  static constexpr Doc doc{"curious", "x"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    std::copy_n(in[0].data<double>(), in[0].numel(), out[0].data<double>());
  }
  Gradients vjp(const Backward& b) const {
    CHECK(b.inputs() == 2);
    CHECK(b.needs(0));
    CHECK_FALSE(b.needs(1));
    CHECK(b.in_shape(0) == Shape{2});
    (void)b.in_type(1);
    return {};
  }
  bool operator==(const Curious&) const = default;
};

/// Reads elements as what they are not.
struct Mistaken {
  static constexpr Doc doc{"mistaken", "x"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs) const { in[0].data<float>(); }
  bool operator==(const Mistaken&) const = default;
};

/// Promises more than memory has.
struct Boundless {
  Shape shape;
  static constexpr Doc doc{"boundless", "nothing"};
  Types infer(std::span<const Type>) const { return {{float64, shape}}; }
  void run(Inputs, Outputs) const {}
  bool operator==(const Boundless&) const = default;
};

}  // namespace

TEST_CASE("both outputs of an operator carry gradients") {
  const Tensor r = variable({1.0, 2.0}), phi = variable({0.3, 0.9});
  const auto [x, y] = cartesian(r, phi);
  CHECK(x.requires_grad());
  CHECK(y.requires_grad());
  // x² + y² = r²
  sum(x * x + y * y).backward();
  CHECK(values(r.grad())[0] == Approx(2));
  CHECK(values(r.grad())[1] == Approx(4));
  CHECK(values(phi.grad())[0] == Approx(0).margin(1e-15));
}

TEST_CASE("an output that is not used has a gradient of zeros") {
  const Tensor r = variable({2.0}), phi = variable({0.3});
  const auto [x, y] = cartesian(r, phi);
  const std::vector<Tensor> found = grad(sum(y), {r, phi});
  CHECK(found[0].item() == Approx(std::sin(0.3)));
  CHECK(found[1].item() == Approx(2 * std::cos(0.3)));
  const auto [u, v] = cartesian(r.detach(), phi);
  CHECK(grad(sum(u), {phi})[0].item() == Approx(-2 * std::sin(0.3)));
  CHECK(grad(sum(cartesian(r, phi).first * 1.0), {r})[0].item() == Approx(std::cos(0.3)));
}

TEST_CASE("its second derivatives follow from a vjp in public operators") {
  const Tensor r = variable({2.0}), phi = variable({0.3});
  const auto [x, y] = cartesian(r, phi);
  const Tensor f = sum(x * y);  // r²·sin(2φ)/2
  const std::vector<Tensor> first = grad(f, {r, phi}, {.create_graph = true});
  const std::vector<Tensor> along_r = grad(sum(first[0]), {r, phi}, {.retain_graph = true});
  CHECK(along_r[0].item() == Approx(std::sin(0.6)));
  CHECK(along_r[1].item() == Approx(2 * 2 * std::cos(0.6)));
  CHECK(grad(sum(first[1]), {phi})[0].item() == Approx(-2 * 4 * std::sin(0.6)));
  const Tensor point = tensor({2.0}, {.dtype = float64});
  const Tensor h = hessian([&](const Tensor& at) { return sum(cartesian(point, at).second); },
                           tensor({0.3}, {.dtype = float64}));
  CHECK(h.item() == Approx(-2 * std::sin(0.3)));
}

TEST_CASE("its kernel sees contiguous inputs, whatever the threads") {
  const Tensor r = reshape(arange(6000, {.dtype = float64}), {2, 3000});
  const Values expected =
      values(cartesian(transpose(r).contiguous(), ones({3000, 2}, {.dtype = float64})).first);
  const int before = threads();
  for (int n : {1, 2, 8}) {
    set_threads(n);
    CHECK(values(
              cartesian(transpose(r), expand(ones({1, 1}, {.dtype = float64}), {3000, 2})).first) ==
          expected);
  }
  set_threads(before);
}

TEST_CASE("kept outputs, integer ones among them, serve the derivative") {
  const Tensor x = variable({4.0, -9.0});
  const Tensor inputs[] = {x};
  const Tensors out = bind_all(Root{}, inputs);
  CHECK(values(out[1]) == Values{0, 1});
  CHECK(out[0].requires_grad());
  CHECK_FALSE(out[1].requires_grad());
  const Tensor slope = grad(sum(out[0]), {x}, {.create_graph = true})[0];
  CHECK(values(slope)[0] == Approx(0.25));
  CHECK(values(slope)[1] == Approx(-1.0 / 6));
  CHECK(values(grad(sum(slope), {x})[0])[0] == Approx(-0.25 * std::pow(4, -1.5)));
}

TEST_CASE("misuse of an operator is an Error that names it") {
  const auto error = [](auto&& use) -> std::string {
    try {
      use();
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  const Tensor x = variable({1.0, 2.0}), y = tensor({1.0}, {.dtype = float64});
  CHECK(error([&] { cartesian(x, y); }).find("cartesian: expected two") == 0);
  CHECK(error([&] { cartesian(x, Tensor()); }).find("undefined") != std::string::npos);
  CHECK(error([&] { bind_all(Flip{}, {}); }) == "flip: expected 1 input, got 0");
  CHECK(error([&] { bind(Flip{}, x, y); }) == "flip: expected 1 input, got 2");
  CHECK(error([&] { sum(bind(Curious{}, x, y)).backward(); }).find("curious: ") == 0);
  CHECK_FALSE(error([&] { bind(Boundless{{1LL << 40, 1LL << 40}}, x); }).empty());
  CHECK_FALSE(error([&] { bind(Boundless{{-3}}, x); }).empty());
  CHECK(error([&] { bind(Mistaken{}, x); }).find("an input holds float64, asked for float32") !=
        std::string::npos);
}
