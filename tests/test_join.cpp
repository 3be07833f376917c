#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>

using namespace cadena;
using namespace support;

TEST_CASE("cat and stack join tensors") {
  const Tensor a = tensor({{1.0, 2.0}}), b = tensor({{3.0, 4.0}, {5.0, 6.0}});
  CHECK(values(cat({a, b})) == Values{1, 2, 3, 4, 5, 6});
  CHECK(values(cat({transpose(a), b}, -1)) == Values{1, 3, 4, 2, 5, 6});
  CHECK(values(cat({zeros({0, 2}), a})) == Values{1, 2});
  CHECK(cat({zeros({0, 2}), zeros({0, 1})}, 1).shape() == Shape{0, 3});
  CHECK(cat({arange(2), a[0]}).dtype() == float32);
  CHECK(cat({arange(2), arange(2).to(boolean)}).dtype() == int64);
  CHECK(cat({a, a.to(float64)}).dtype() == float64);
  CHECK(values(stack({a[0], b[1]})) == Values{1, 2, 5, 6});
  CHECK(values(stack({a[0], b[1]}, -1)) == Values{1, 5, 2, 6});
  CHECK(stack({1.0, 2, true}).dtype() == float32);
  CHECK(values(stack({1.0, 2, true})) == Values{1, 2, 1});
  CHECK(stack({zeros({0, 3})}, 1).shape() == Shape{0, 1, 3});
  const Values wide = values(cat({zeros({300, 200}), ones({300, 100})}, 1));
  CHECK(wide[300 * 7 + 199] == 0);
  CHECK(wide[300 * 7 + 200] == 1);

  CHECK(error_of([] { cat({}); }) == "cat: expected at least one tensor");
  CHECK(error_of([&] { cat({a, Tensor()}); }) == "cat: tensor 1 is undefined");
  CHECK(error_of([] {
          cat({1.0, 2.0});
        }) == "cat: tensor 0 is 0-d and has no axis; stack adds one");
  CHECK(error_of([&] {
          cat({a, b}, 1);
        }) ==
        "cat: tensor 1 has shape [2, 2], tensor 0 has [1, 2]: they may differ in axis 1 only");
  CHECK(error_of([&] { cat({a, b[0]}); }).find("tensor 1 has shape [2]") != std::string::npos);
  CHECK(error_of([&] { cat({a, b}, 2); }).find("axis 2") != std::string::npos);
  CHECK(error_of([&] {
          stack({a, b});
        }) == "stack: tensor 1 has shape [2, 2], tensor 0 has [1, 2]: they must agree");
  CHECK(error_of([&] { stack({a}, 3); }).find("axis 3") != std::string::npos);
  CHECK(error_of([] {
          stack({zeros({1, 1, 1, 1, 1, 1, 1, 1})});
        }).find("at most 8") != std::string::npos);
}

TEST_CASE("split, chunk and unbind take tensors apart") {
  const Tensor x = reshape(arange(10, {.dtype = float32}), {5, 2});
  for (bool recorded : {false, true}) {
    const Tensor y = recorded ? x.requires_grad_leaf() : x;
    const std::vector<Tensor> pairs = split(y, 2);
    REQUIRE(pairs.size() == 3);
    CHECK(values(pairs[1]) == Values{4, 5, 6, 7});
    CHECK(values(pairs[2]) == Values{8, 9});
    const std::vector<Tensor> pieces = split(transpose(y), {1, 0, 4}, 1);
    REQUIRE(pieces.size() == 3);
    CHECK(values(pieces[0]) == Values{0, 1});
    CHECK(pieces[1].shape() == Shape{2, 0});
    CHECK(values(pieces[2]) == Values{2, 4, 6, 8, 3, 5, 7, 9});
    CHECK(chunk(y, 2).size() == 2);
    CHECK(chunk(y, 4).size() == 3);
    CHECK(chunk(y, 9)[4].shape() == Shape{1, 2});
    const std::vector<Tensor> columns = unbind(y, -1);
    REQUIRE(columns.size() == 2);
    CHECK(values(columns[1]) == Values{1, 3, 5, 7, 9});
    CHECK(columns[1].requires_grad() == recorded);
  }
  CHECK(split(zeros({0}), 3).size() == 1);
  CHECK(split(zeros({4}), {4}).size() == 1);
  CHECK(unbind(zeros({0, 2})).empty());
  CHECK(error_of([&] { split(x, 0); }) == "split: expected pieces of at least 1, got 0");
  CHECK(error_of([&] {
          split(x, {2, 4});
        }) == "split: piece 1 of size 4 does not fit the 3 left of axis 0 of shape [5, 2]");
  CHECK(error_of([&] {
          split(x, {2, 2});
        }) == "split: pieces of sizes that sum to 4 do not fill axis 0 of shape [5, 2]");
  CHECK(error_of([&] { split(x, {6, -1}); }).find("size 6") != std::string::npos);
  CHECK(error_of([&] { chunk(x, 0); }) == "chunk: expected at least 1 piece, got 0");
  CHECK(error_of([&] { unbind(tensor(1.0)); }).find("axis 0") != std::string::npos);
  CHECK(error_of([] { split(Tensor(), 1); }) == "split: the tensor is undefined");
}
