// Gradient clipping, setting gradients, freezing.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/nn/linear.hpp>
#include <cadena/nn/module.hpp>
#include <cadena/optim/clip.hpp>
#include <cadena/optim/sgd.hpp>

#include <cmath>
#include <limits>

using namespace cadena;
using namespace support;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Parameters with the gradients 3, -4 (float32) and 12 (float64), and one without.
std::vector<Cell> three_four_twelve() {
  const Cell a(zeros({2}), true), b(zeros({}, {.dtype = float64}), true), none(zeros({5}), true);
  a.set_grad(tensor({3.0, -4.0}));
  b.set_grad(tensor(12.0, {.dtype = float64}));
  return {a, none, b};
}

}  // namespace

TEST_CASE("clip_grad_norm scales all gradients by one factor") {
  for (const auto& [p, total] :
       {std::pair{2.0, 13.0}, {1.0, 19.0}, {infinity, 12.0}, {3.0, std::cbrt(27.0 + 64 + 1728)}}) {
    const std::vector<Cell> cells = three_four_twelve();
    CHECK(optim::clip_grad_norm(cells, 6.5, p).item() == Approx(total));
    const double factor = 6.5 / (total + 1e-6);
    CHECK(cells[0].grad()[0].item() == Approx(3 * factor));
    CHECK(cells[0].grad()[1].item() == Approx(-4 * factor));
    CHECK(cells[2].grad().item() == Approx(12 * factor));
    CHECK(cells[2].grad().dtype() == float64);
    CHECK_FALSE(cells[1].grad().defined());
  }
  const std::vector<Cell> small = three_four_twelve();
  CHECK(optim::clip_grad_norm(small, 20).item() == Approx(13));
  CHECK(values(small[0].grad()) == Values{3, -4});
  CHECK(optim::clip_grad_norm({}, 1).item() == 0);
  CHECK(optim::clip_grad_norm({Cell(zeros({2}), true)}, 1).item() == 0);
}

TEST_CASE("clip_grad_norm of what is not finite") {
  const std::vector<Cell> cells = three_four_twelve();
  cells[0].set_grad(tensor({3.0, infinity}));
  check_error([&] { optim::clip_grad_norm(cells, 1, 2, true); }, {"clip_grad_norm", "inf"});
  CHECK(cells[2].grad().item() == 12);  // nothing has changed
  CHECK(std::isinf(optim::clip_grad_norm(cells, 1).item()));
  CHECK(cells[2].grad().item() == 0);
  check_error([&] { optim::clip_grad_norm(cells, -1); }, {"clip_grad_norm", "max_norm", "-1"});
}

TEST_CASE("clip_grad_value holds each element") {
  const std::vector<Cell> cells = three_four_twelve();
  optim::clip_grad_value(cells, 3.5);
  CHECK(values(cells[0].grad()) == Values{3, -3.5});
  CHECK(cells[2].grad().item() == 3.5);
  check_error([&] { optim::clip_grad_value(cells, -1); }, {"clip_grad_value", "value", "-1"});
}

TEST_CASE("a gradient can be set") {
  const Parameter w(tensor({1.0, 2.0}));
  sum(square(w)).backward();
  w.set_grad(w.grad() * 2);
  CHECK(values(w.grad()) == Values{4, 8});
  sum(square(w)).backward();  // adds to what was set
  CHECK(values(w.grad()) == Values{6, 12});
  w.set_grad(Tensor());
  CHECK_FALSE(w.grad().defined());
  check_error([&] { w.set_grad(zeros({3})); }, {"set_grad", "[2]", "[3]"});
  check_error([&] { w.set_grad(zeros({2}, {.dtype = float64})); }, {"float32", "float64"});
  check_error([&] { Buffer(zeros({2})).set_grad(zeros({2})); }, {"set_grad", "no gradient"});
}

TEST_CASE("a frozen parameter is left alone until it is trained again") {
  nn::Linear layer(2, 1);
  optim::SGD optimizer(nn::parameters(layer), {.lr = 0.1});
  const Tensor x = ones({3, 2});
  const auto step = [&] {
    optimizer.zero_grad();
    sum(layer(x)).backward();
    optimizer.step();
  };
  sum(layer(x)).backward();
  layer.weight.requires_grad(false);
  CHECK_FALSE(layer.weight.requires_grad());
  CHECK_FALSE(layer.weight.grad().defined());
  const Values weight = values(layer.weight), bias = values(layer.bias);
  step();
  CHECK(values(layer.weight) == weight);
  CHECK(values(layer.bias) != bias);
  CHECK(layer.bias.requires_grad());

  // Copies, clones and assignments keep it; optimizers take it.
  const nn::Linear copy = nn::clone(layer);
  CHECK_FALSE(copy.weight.requires_grad());
  CHECK(copy.bias.requires_grad());
  CHECK(nn::parameters(copy).size() == 2);
  const optim::SGD other(nn::parameters(copy), {.lr = 0.1});
  layer.weight.assign(zeros({1, 2}));
  nn::to(layer, float64);
  CHECK_FALSE(layer.weight.requires_grad());
  CHECK(layer.weight.dtype() == float64);
  nn::to(layer, float32);

  layer.weight.requires_grad(true);
  layer.weight.set_grad(ones({1, 2}));
  layer.weight.requires_grad(true);  // as it is
  CHECK(values(layer.weight.grad()) == Values{1, 1});
  layer.weight.zero_grad();
  CHECK_FALSE(layer.weight.grad().defined());
  step();
  CHECK(values(layer.weight) == values(full({1, 2}, -0.3F)));
  check_error([&] { Cell(zeros({2})).requires_grad(true); }, {"requires_grad", "no parameter"});
}

TEST_CASE("a backward pass that began before the freeze leaves nothing behind") {
  const Parameter w(tensor({1.0, 2.0}));
  const Tensor loss = sum(square(w));
  w.requires_grad(false);
  loss.backward();
  CHECK_FALSE(w.grad().defined());
  w.requires_grad(true);
  CHECK_FALSE(w.grad().defined());
}
