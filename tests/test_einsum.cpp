// einsum, tensordot, trace and kron against plain loops, and the order of contractions.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/ops/einsum_order.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/ops.hpp>

#include "support.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <random>
#include <string>

using namespace cadena;
using namespace support;

namespace {

/// Σ over all assignments of numbers to letters, one at a time. No "...".
Values plain_einsum(const std::vector<std::string>& terms, const std::string& output,
                    const std::vector<Tensor>& operands) {
  std::map<char, std::int64_t> size, index;
  for (std::size_t k = 0; k < terms.size(); ++k) {
    for (std::size_t i = 0; i < terms[k].size(); ++i) {
      size[terms[k][i]] = std::max(size[terms[k][i]], operands[k].shape()[static_cast<int>(i)]);
    }
  }
  std::int64_t results = 1, all = 1;
  for (char letter : output) results *= size[letter];
  for (auto [letter, n] : size) all *= n;
  Values sums(static_cast<std::size_t>(results), 0.0);
  std::vector<Values> data;
  for (const Tensor& operand : operands) data.push_back(values(operand));
  for (std::int64_t step = 0; step < all; ++step) {
    std::int64_t rest = step;
    for (auto [letter, n] : size) {
      index[letter] = rest % n;
      rest /= n;
    }
    double product = 1;
    for (std::size_t k = 0; k < terms.size(); ++k) {
      std::int64_t at = 0;
      for (std::size_t i = 0; i < terms[k].size(); ++i) {
        const std::int64_t n = operands[k].shape()[static_cast<int>(i)];
        at = at * n + (n == 1 ? 0 : index[terms[k][i]]);
      }
      product *= data[k][static_cast<std::size_t>(at)];
    }
    std::int64_t at = 0;
    for (char letter : output) at = at * size[letter] + index[letter];
    sums[static_cast<std::size_t>(at)] += product;
  }
  return sums;
}

void check_close(const Values& got, const Values& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i);
    CHECK(got[i] == Approx(expected[i]).epsilon(1e-12).margin(1e-12));
  }
}

std::string joined(const std::vector<std::string>& terms, const std::string& output) {
  std::string equation = terms[0];
  for (std::size_t k = 1; k < terms.size(); ++k) equation += "," + terms[k];
  return equation + "->" + output;
}

double product_of(ops::Labels labels, const std::vector<std::int64_t>& sizes) {
  double product = 1;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    product *= (labels >> k & 1) != 0 ? static_cast<double>(sizes[k]) : 1;
  }
  return product;
}

/// The labels of a pair when contracted, and its cost.
std::pair<ops::Labels, double> contracted(const std::vector<ops::Labels>& operands,
                                          ops::Labels output, std::size_t i, std::size_t j,
                                          const std::vector<std::int64_t>& sizes) {
  ops::Labels needed = output;
  for (std::size_t k = 0; k < operands.size(); ++k) needed |= k == i || k == j ? 0 : operands[k];
  const ops::Labels both = operands[i] | operands[j];
  return {both & needed, product_of(both, sizes)};
}

double cost_of(std::vector<ops::Labels> operands, ops::Labels output,
               const std::vector<std::int64_t>& sizes, const std::vector<ops::Contraction>& order) {
  double cost = 0;
  for (const ops::Contraction& step : order) {
    REQUIRE(step.first < step.second);
    REQUIRE(step.second < operands.size());
    const auto [labels, price] = contracted(operands, output, step.first, step.second, sizes);
    cost += price;
    CHECK(std::popcount(labels) <= max_rank);
    operands[step.first] = labels;
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(step.second));
  }
  REQUIRE(operands.size() == 1);
  return cost;
}

double least_cost(const std::vector<ops::Labels>& operands, ops::Labels output,
                  const std::vector<std::int64_t>& sizes, int most_labels = max_rank) {
  if (operands.size() == 1) return 0;
  double least = 1e300;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    for (std::size_t j = i + 1; j < operands.size(); ++j) {
      const auto [labels, price] = contracted(operands, output, i, j, sizes);
      if (std::popcount(labels) > most_labels) continue;
      std::vector<ops::Labels> rest = operands;
      rest[i] = labels;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(j));
      least = std::min(least, price + least_cost(rest, output, sizes, most_labels));
    }
  }
  return least;
}

}  // namespace

TEST_CASE("einsum of random equations is the plain sum") {
  std::mt19937 engine(3);
  const auto below = [&](std::size_t n) { return engine() % n; };
  const std::string letters = "azBcXd";
  for (int round = 0; round < 400; ++round) {
    std::map<char, std::int64_t> size;
    for (char letter : letters) size[letter] = static_cast<std::int64_t>(1 + below(3));
    std::vector<std::string> terms(1 + below(4));
    std::vector<Tensor> operands;
    std::string seen, output;
    for (std::string& term : terms) {
      Shape shape;
      for (std::size_t i = below(4); i-- > 0;) {
        const char letter = letters[below(letters.size())];
        const std::size_t before = term.find(letter);  // a diagonal's sizes are equal
        shape.push_back(before != std::string::npos ? shape[static_cast<int>(before)]
                        : below(8) == 0             ? 1
                                                    : size[letter]);
        term += letter;
        seen += letter;
      }
      operands.push_back(sample_values(shape, -1, 1, engine()));
    }
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    std::shuffle(seen.begin(), seen.end(), engine);
    output = seen.substr(0, below(seen.size() + 1));
    const std::string equation = joined(terms, output);
    INFO(equation);
    check_close(values(einsum(equation, operands)), plain_einsum(terms, output, operands));
  }
}

TEST_CASE("einsum without an output takes single letters in ASCII's order") {
  const Tensor x = sample_values({2, 3}, -1, 1, 1), y = sample_values({3, 4}, -1, 1, 2);
  check_close(values(einsum("ba", {x})), values(transpose(x)));
  check_close(values(einsum("bZ", {x})), values(transpose(x)));  // capitals come first
  check_close(values(einsum("kj,ji", {x, y})), values(transpose(matmul(x, y))));
  check_close(values(einsum(" i j , j k ", {x, y})), values(matmul(x, y)));
  CHECK(einsum("ij,ij", {x, x}).shape() == Shape{});
}

TEST_CASE("einsum's ellipsis broadcasts from the right") {
  const Tensor x = sample_values({5, 1, 2, 3}, -1, 1, 1), y = sample_values({4, 3, 2}, -1, 1, 2);
  CHECK(einsum("...ij,...jk", {x, y}).shape() == Shape{5, 4, 2, 2});
  check_close(values(einsum("...ij,...jk", {x, y})), values(matmul(x, y)));
  check_close(values(einsum("...ij,...jk->ik...", {x, y})),
              values(permute(matmul(x, y), {2, 3, 0, 1})));
  check_close(values(einsum("...ij,...jk->ki", {x, y})),
              values(transpose(sum(matmul(x, y), {0, 1}))));
  check_close(values(einsum("i...j->j...", {x})), values(sum(permute(x, {3, 1, 2, 0}), {-1})));
  check_close(values(einsum("...", {x})), values(x));
}

TEST_CASE("einsum with nothing to sum and nothing at all") {
  const auto empty = [](const Shape& shape) { return zeros(shape, {.dtype = float64}); };
  CHECK(values(einsum("ij,jk->ik", {empty({2, 0}), empty({0, 2})})) == Values{0, 0, 0, 0});
  CHECK(einsum("ij,jk->ik", {empty({0, 2}), empty({2, 3})}).shape() == Shape{0, 3});
  CHECK(values(einsum("ii->", {empty({0, 0})})) == Values{0});
  CHECK(values(einsum(",", {tensor(2.0), tensor(3.0)})) == Values{6});
}

TEST_CASE("einsum says what does not fit") {
  const Tensor x = sample_values({2, 3}, -1, 1), y = sample_values({4, 5}, -1, 1);
  check_error(
      [&] {
        einsum("ij,jk", {x, y});
      },
      {"einsum:", "subscript j", "3", "operand 0", "[2, 3]", "4", "operand 1", "[4, 5]"});
  check_error([&] { einsum("ii", {x}); }, {"subscript i", "2", "3"});
  check_error([&] { einsum("ii", {sample_values({3, 1}, -1, 1)}); }, {"subscript i", "3 and 1"});
  check_error([&] { einsum("ijk", {x}); }, {"operand 0", "3 subscripts", "[2, 3]"});
  check_error([&] { einsum("i", {x}); }, {"operand 0", "[2, 3]"});
  check_error([&] { einsum("ij", {x, y}); }, {"1 operands", "got 2"});
  check_error([&] { einsum("ij->ik", {x}); }, {"subscript k", "no operand"});
  check_error([&] { einsum("ij->ii", {x}); }, {"subscript i", "twice"});
  check_error([&] { einsum("i1", {x}); }, {"'1'"});
  check_error([&] { einsum("...i...", {x}); }, {"'.'"});
  check_error([&] { einsum("ij->i->j", {x}); }, {"'-'"});
  check_error([&] { einsum("...,...", {x, y}); }, {"...", "[2, 3]", "[4, 5]"});
  check_error([&] { einsum("ij", {x.to(int64)}); },
              {"einsum:", "int64", "operand 0", "to(float32)"});
  const Tensor whole = arange(3).to(int64);
  check_error([&] { dot(whole, whole); }, {"dot:", "int64 x int64", "to(float32)"});
  check_error([&] { tensordot(whole, whole, 1); }, {"tensordot:", "int64 x int64", "to(float32)"});
  check_error([&] { matmul(whole, whole); }, {"matmul:", "int64 x int64", "to(float32)"});
  check_error([&] { einsum("ij,kl", {x, y.to(float32)}); }, {"operand 1"});
  check_error(
      [&] {
        einsum("abcde,fghij", {zeros({1, 1, 1, 1, 1}), zeros({1, 1, 1, 1, 1})});
      },
      {"10 dimensions"});
}

TEST_CASE("a contraction costs the least of all orders, and greedily not much more") {
  std::mt19937 engine(11);
  for (int round = 0; round < 60; ++round) {
    const std::size_t count = 2 + engine() % 4;
    std::vector<std::int64_t> sizes;
    for (int k = 0; k < 6; ++k) sizes.push_back(static_cast<std::int64_t>(2 + engine() % 20));
    std::vector<ops::Labels> operands;
    for (std::size_t k = 0; k < count; ++k) operands.push_back(1 + engine() % 63);
    const ops::Labels output = engine() % 64;
    // Labels of one operand alone are summed over first and count for nothing.
    const std::vector<ops::Labels> given = operands;
    for (std::size_t i = 0; i < count; ++i) {
      ops::Labels needed = output;
      for (std::size_t k = 0; k < count; ++k) needed |= k == i ? 0 : given[k];
      operands[i] &= needed;
    }
    const double cost =
        cost_of(operands, output, sizes, ops::contraction_order(given, output, sizes).value());
    CHECK(cost == Approx(least_cost(operands, output, sizes)));
  }
  // A chain of products of matrices that shrink to the right: from the right it is cheap.
  const std::size_t length = 12;
  std::vector<ops::Labels> chain;
  std::vector<std::int64_t> sizes;
  for (std::size_t k = 0; k < length; ++k) {
    chain.push_back(ops::Labels{3} << k);
    sizes.push_back(50);
  }
  sizes.push_back(1);
  CHECK(cost_of(chain, 1, sizes, ops::contraction_order(chain, 1, sizes).value()) <= 11 * 2500);
}

TEST_CASE("of orders that cost the same that with the smaller results is taken") {
  // ij,jk,kl->il: ijk + ikl multiplications and ik elements, or jkl + ijl and jl.
  const std::vector<ops::Labels> chain{0b0011, 0b0110, 0b1100};
  using Order = std::vector<ops::Contraction>;
  CHECK(ops::contraction_order(chain, 0b1001, std::vector<std::int64_t>{3, 6, 3, 2}).value() ==
        Order{{0, 1}, {0, 1}});  // 72 either way, with 9 or 12 elements
  CHECK(ops::contraction_order(chain, 0b1001, std::vector<std::int64_t>{2, 3, 6, 3}).value() ==
        Order{{1, 2}, {0, 1}});  // with 12 or 9
}

TEST_CASE("no result on the way has more than eight dimensions") {
  std::mt19937 engine(5);
  int found = 0, dearer = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::int64_t> sizes;
    for (int k = 0; k < 20; ++k) sizes.push_back(static_cast<std::int64_t>(2 + engine() % 9));
    std::vector<ops::Labels> operands(4 + engine() % 2, 0);
    for (ops::Labels& operand : operands) {
      while (std::popcount(operand) < 8) operand |= ops::Labels{1} << engine() % 20;
    }
    ops::Labels given = 0, again = 0;
    for (const ops::Labels operand : operands) {
      again |= given & operand;
      given |= operand;
    }
    for (ops::Labels& operand : operands) operand &= again;
    const auto order = ops::contraction_order(operands, 0, sizes);
    const double least = least_cost(operands, 0, sizes);
    REQUIRE(order.has_value() == (least < 1e300));
    if (order) {
      ++found;
      dearer += least_cost(operands, 0, sizes, 64) < 0.999 * least ? 1 : 0;
      CHECK(cost_of(operands, 0, sizes, *order) == Approx(least));
    }
  }
  CHECK(found < 300);  // some have no such order
  CHECK(dearer > 0);   // the cheapest of all would have had more
  // More operands than those for which all orders are tried: a ring, shuffled.
  for (const std::size_t count : {9u, 12u, 20u}) {
    std::vector<ops::Labels> ring;
    for (std::size_t k = 0; k < count; ++k) {
      ring.push_back(ops::Labels{3} << 2 * k | ops::Labels{3} << 2 * ((k + 1) % count));
    }
    std::shuffle(ring.begin(), ring.end(), engine);
    const std::vector<std::int64_t> sizes(2 * count, 2);
    cost_of(ring, 0, sizes, ops::contraction_order(ring, 0, sizes).value());
  }
  const Tensor x = sample_values({2, 2, 2, 2, 2, 2, 2, 2}, -1, 1);
  const char* equation = "abcdefgh,abijklmn,cdijopqr,efklopst,ghmnqrst->";
  check_error([&] { einsum(equation, std::vector<Tensor>(5, x)); },
              {"einsum:", equation, "no order", "8 dimensions"});
}

TEST_CASE("products of elements with a sum, and of many layouts") {
  std::mt19937 engine(21);
  for (const std::string equation :
       {"ij,ij->j", "ij,ij->i", "ji,ij->j", "ij,ij->", "bij,jbi->b", "bij,jib->ib", "bij,bj->bi",
        "bij,ib->jb", "i,i->i", "ijk,k->jki", "ij,kl->ljki"}) {
    INFO(equation);
    const std::map<char, std::int64_t> size{{'b', 2}, {'i', 3}, {'j', 4}, {'k', 2}, {'l', 5}};
    const std::size_t comma = equation.find(','), arrow = equation.find("->");
    const std::vector<std::string> terms{equation.substr(0, comma),
                                         equation.substr(comma + 1, arrow - comma - 1)};
    std::vector<Tensor> operands;
    for (const std::string& term : terms) {
      Shape shape;
      for (const char letter : term) shape.push_back(size.at(letter));
      operands.push_back(sample_values(shape, -1, 1, engine()));
    }
    check_close(values(einsum(equation, operands)),
                plain_einsum(terms, equation.substr(arrow + 2), operands));
  }
  // No matrix product where each would be of one row and one column.
  const Tensor x = ones({3, 4}, {.requires_grad = true});
  const Graph graph = graph_of(einsum("ij,ij->j", {x, x}));
  for (const auto& node : graph.nodes) CHECK(node.name != "matmul");
}

TEST_CASE("einsum of many operands is the product one after another") {
  std::vector<Tensor> matrices;
  std::string equation;
  Tensor product = eye(2, {}, {.dtype = float64});
  for (int k = 0; k < 12; ++k) {
    matrices.push_back(sample_values({2, 2}, -1, 1, static_cast<std::uint64_t>(k)));
    product = matmul(product, matrices.back());
    equation +=
        std::string(k == 0 ? "" : ",") + static_cast<char>('a' + k) + static_cast<char>('b' + k);
  }
  check_close(values(einsum(equation + "->am", matrices)), values(product));
}

TEST_CASE("dot, outer, tensordot, trace and kron are the plain sums") {
  const Tensor x = sample_values({2, 3, 4}, -1, 1, 1), y = sample_values({4, 2, 5}, -1, 1, 2);
  check_close(values(tensordot(x, y, {2, 0}, {0, 1})), plain_einsum({"abc", "cad"}, "bd", {x, y}));
  check_close(values(tensordot(x, y, 1)), plain_einsum({"abc", "cde"}, "abde", {x, y}));
  check_close(values(tensordot(x, y, 0)), plain_einsum({"abc", "def"}, "abcdef", {x, y}));
  const Tensor a = tensor({1, 2, 3}).to(float64), b = tensor({4, 5, 6}).to(float64);
  CHECK(dot(a, b).item() == 32);
  CHECK(values(outer(a, tensor({1, -1}))) == Values{1, -1, 2, -2, 3, -3});
  const Tensor m = arange(12).to(int64);
  CHECK(trace(reshape(m, {3, 4})).item() == 15);
  CHECK(trace(reshape(m, {3, 4})).dtype() == int64);
  CHECK(trace(reshape(m, {3, 4}), 1).item() == 18);
  CHECK(trace(reshape(m, {3, 4}), -2).item() == 8);
  CHECK(trace(reshape(m, {4, 3})).item() == 12);
  CHECK(trace(reshape(m, {4, 3}), -3).item() == 9);
  CHECK(trace(reshape(m, {4, 3}), 7).item() == 0);
  CHECK(values(trace(reshape(m, {2, 3, 2}), 0, 0, 2)) == Values{0 + 7, 2 + 9, 4 + 11});
  CHECK(values(kron(tensor({{1, 2}, {3, 4}}), tensor({{0, 1}}))) == Values{0, 1, 0, 2, 0, 3, 0, 4});
  CHECK(values(kron(tensor({1, 10}), tensor({{1}, {2}}))) == Values{1, 10, 2, 20});
  check_error([&] { tensordot(x, y, {0}, {0}); }, {"tensordot:", "[2, 3, 4]", "2 against 4"});
  check_error([&] { tensordot(x, y, {0, 0}, {0, 1}); }, {"tensordot:", "twice"});
  check_error([&] { dot(a, tensor({1.0, 2.0}).to(float64)); }, {"dot:", "3 against 2"});
  check_error([&] { trace(x, 0, 1, -2); }, {"trace:", "same"});
}

TEST_CASE("the graph of an einsum tells what is done") {
  const Tensor x = ones({2, 2, 3, 1}, {.requires_grad = true});
  const Graph graph = graph_of(einsum("iijk->ji", {x}));
  REQUIRE(graph.nodes.size() == 3);  // j and i already lie in this order
  CHECK(graph.nodes[1].name == "reshape");
  CHECK(graph.nodes[1].attributes == "[2, 2, 3]");
  CHECK(graph.nodes[2].name == "diagonal");
  CHECK(graph.nodes[2].attributes == "offset 0, axes 0 and 1");
}
