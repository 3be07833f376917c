// Cells: what changes, and what keeps what it saw.

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>

#include <string>
#include <type_traits>
#include <utility>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

template <class P, class T>
concept adds_in_place = requires(P& p, const T& t) {
  p += t;
};
template <class P, class T>
concept subtracts_in_place = requires(P& p, const T& t) {
  p -= t;
};
template <class P, class T>
concept multiplies_in_place = requires(P& p, const T& t) {
  p *= t;
};

static_assert(!std::is_assignable_v<Parameter&, Tensor>);
static_assert(!std::is_assignable_v<Parameter&, const Tensor&>);
static_assert(!std::is_assignable_v<Parameter&, double>);
static_assert(!std::is_assignable_v<Buffer&, Tensor>);
static_assert(!std::is_assignable_v<Parameter&, Buffer>);
static_assert(!adds_in_place<Parameter, Tensor>);
static_assert(!adds_in_place<Parameter, double>);
static_assert(!adds_in_place<Buffer, Tensor>);
static_assert(!subtracts_in_place<Parameter, Tensor>);
static_assert(!multiplies_in_place<Parameter, double>);
static_assert(!std::is_convertible_v<Tensor, Parameter>);
static_assert(std::is_constructible_v<Parameter, Tensor>);
static_assert(std::is_copy_constructible_v<Parameter> && std::is_copy_assignable_v<Parameter>);
static_assert(std::is_nothrow_move_constructible_v<Parameter>);
static_assert(std::is_move_assignable_v<Parameter>);
static_assert(std::is_convertible_v<Parameter, const Tensor&>);

}  // namespace

TEST_CASE("a value saved for the backward pass survives assign") {
  const Parameter p(tensor({2.0, 3.0}, {.dtype = float64}));
  const Tensor loss = sum(p * p * p);
  p.assign(tensor({100.0, 100.0}, {.dtype = float64}));
  loss.backward();
  CHECK(values(p.grad()) == Values{12, 27});  // 3·p² of what it was
  CHECK(values(p.value()) == Values{100, 100});
  // A second graph sees the new value, and the gradients go to the same place.
  sum(p * p).backward();
  CHECK(values(p.grad()) == Values{212, 227});
}

TEST_CASE("snapshots and views keep what they saw") {
  const Parameter p(tensor({{1.0, 2.0}, {3.0, 4.0}}));
  const Tensor snapshot = p;
  const Tensor view = transpose(p.value());
  const Tensor given = full({2, 2}, 9);
  p.assign(given);
  CHECK(values(snapshot) == Values{1, 2, 3, 4});
  CHECK(values(view) == Values{1, 3, 2, 4});
  CHECK(values(p.value()) == Values(4, 9));
  p.assign(p.value());
  CHECK(values(p.value()) == Values(4, 9));
  p.assign(transpose(snapshot));
  CHECK(p.value().is_contiguous());
  CHECK(values(p.value()) == Values{1, 3, 2, 4});
  CHECK(values(given) == Values(4, 9));
}

TEST_CASE("assign checks shape and dtype and forgets the graph of the value") {
  const Parameter p(tensor({1.0, 2.0}));
  const auto error = [&](const Tensor& value) -> std::string {
    try {
      p.assign(value);
    } catch (const Error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(error(ones({3})) == "assign: expected float32 [2], got float32 [3]");
  CHECK(error(ones({2}, {.dtype = float64})) == "assign: expected float32 [2], got float64 [2]");
  CHECK(error(Tensor()) == "assign: the tensor is undefined");
  CHECK(values(p.value()) == Values{1, 2});
  const Tensor leaf = tensor({3.0, 4.0}, {.requires_grad = true});
  p.assign(leaf * 2.0);
  CHECK(p.value().is_leaf());
  sum(p * p).backward();
  CHECK_FALSE(leaf.grad().defined());
  CHECK(values(p.grad()) == Values{12, 16});
}

TEST_CASE("copying a parameter copies its value, moving it keeps the place") {
  Parameter first(tensor({1.0}));
  Parameter copy = first;
  CHECK(copy.value().data<float>().data() == first.value().data<float>().data());  // for now
  CHECK_FALSE(copy.cell() == first.cell());
  copy.assign(tensor({5.0}));
  CHECK(first.value().item() == 1);
  sum(first * 3.0).backward();
  CHECK(first.grad().item() == 3);
  CHECK_FALSE(copy.grad().defined());
  CHECK(copy.cell().requires_grad());
  CHECK_FALSE(Parameter(first).grad().defined());

  const Cell place = first.cell();
  Parameter moved = std::move(first);
  CHECK(moved.cell() == place);
  CHECK(moved.grad().item() == 3);
  CHECK_FALSE(first.defined());
  CHECK_THROWS_AS(first.value(), Error);
  CHECK_THROWS_AS(first.assign(tensor({1.0})), Error);
  first = copy;
  CHECK(first.value().item() == 5);
  Parameter& itself = first;
  first = itself;
  CHECK(first.value().item() == 5);
  const Parameter absent;
  const Parameter also_absent = absent;
  CHECK_FALSE(also_absent.defined());
  CHECK_THROWS_AS(absent.shape(), Error);
}

TEST_CASE("assigning a field puts the value into its place") {
  Parameter first(tensor({1.0, 2.0}));
  const Cell place = first.cell();
  Parameter other(tensor({3.0, 4.0}));
  first = other;
  CHECK(first.cell() == place);
  CHECK(values(first.value()) == Values{3, 4});
  CHECK_FALSE(first.cell() == other.cell());
  first = Parameter(tensor({5.0, 6.0}));
  CHECK(first.cell() == place);
  CHECK(values(first.value()) == Values{5, 6});
  CHECK(first.cell().requires_grad());
  other.assign(tensor({7.0, 8.0}));
  CHECK(values(first.value()) == Values{5, 6});

  first = Parameter(tensor({1.0, 2.0, 3.0}));  // another shape: another place
  CHECK_FALSE(first.cell() == place);
  CHECK(first.shape() == Shape{3});

  Parameter a(tensor({1.0})), b(tensor({2.0}));
  const Cell of_a = a.cell(), of_b = b.cell();
  std::swap(a, b);
  CHECK(a.cell() == of_b);
  CHECK(b.cell() == of_a);
  CHECK(fmt::format("{}", a) == to_string(a.value()));
  CHECK(fmt::format("{}", Parameter()) == "tensor(undefined)");
}

TEST_CASE("buffers take no gradient and may hold any dtype") {
  const Buffer count(tensor({1, 2}));
  CHECK(count.dtype() == int64);
  CHECK_FALSE(count.value().requires_grad());
  count.assign(count + 1);
  CHECK(values(count.value()) == Values{2, 3});
  CHECK_FALSE(count.grad().defined());
  CHECK_THROWS_AS(Parameter(tensor({1})), Error);
  CHECK_THROWS_AS(Parameter(Tensor()), Error);
  // A value that has a graph leaves it at the door.
  const Tensor x = tensor({1.0}, {.requires_grad = true});
  CHECK_FALSE(Buffer(x * 2.0).value().requires_grad());
}

TEST_CASE("a cell made from a number holds an ordinary tensor") {
  const Parameter p{Tensor(0.5)};
  CHECK_FALSE(p.value().is_number());
  CHECK(p.dtype() == float64);
  p.assign(Tensor(0.25));
  CHECK_FALSE(p.value().is_number());
  CHECK((ones({2}, {.dtype = int64}) * p).dtype() == float64);
}

TEST_CASE("a cell shares its place; reset replaces shape and dtype, and drops the gradient") {
  const Cell cell(tensor({1.0, 2.0}), true);
  const Cell same = cell;
  sum(cell.value()).backward();
  CHECK(same.grad().defined());
  same.zero_grad();
  CHECK_FALSE(cell.grad().defined());
  sum(cell.value()).backward();
  cell.reset(tensor({{1.0}, {2.0}, {3.0}}, {.dtype = float64}));
  CHECK(same.value().shape() == Shape{3, 1});
  CHECK(same.value().dtype() == float64);
  CHECK(same.requires_grad());
  CHECK_FALSE(same.grad().defined());
  sum(same.value() * 2.0).backward();
  CHECK(values(cell.grad()) == Values{2, 2, 2});
  CHECK_THROWS_AS(cell.reset(tensor({1})), Error);
  CHECK(same.value().shape() == Shape{3, 1});
  CHECK_THROWS_AS(Cell().value(), Error);
  CHECK_FALSE(Cell().defined());
}

TEST_CASE("memory adopted by a cell is not written to by assign") {
  double memory[2] = {1, 2};
  const Parameter p(adopt<double>(memory, {2}, nullptr));
  p.assign(tensor({7.0, 8.0}, {.dtype = float64}));
  CHECK(memory[0] == 1);
  CHECK(values(p.value()) == Values{7, 8});
}

TEST_CASE("a tied parameter gathers from all of its uses") {
  const Parameter tied(tensor({2.0}));
  sum(tied * tied + exp(tied * 0.0) * tied).backward();
  CHECK(tied.grad().item() == 5);
  tied.zero_grad();
  CHECK_FALSE(tied.grad().defined());
}
