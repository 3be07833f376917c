// Random numbers: known answers, distributions, repeatability; dropout.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/random.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "support.hpp"

namespace {

using namespace cadena;
using namespace support;

/// The mean of x^power.
double moment(const Values& x, int power) {
  double total = 0;
  for (double value : x) {
    total += std::pow(value, power);
  }
  return total / static_cast<double>(x.size());
}

struct ThreadsAsBefore {
  int before = threads();
  ~ThreadsAsBefore() { set_threads(before); }
};

}  // namespace

TEST_CASE("the first numbers of seed 0 are the published words of Philox4x32-10") {
  // kat_vectors of Random123: key and counter 0.
  const std::uint32_t words[] = {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8};
  const Values single = values(rand({4}, {}, Generator(0)));
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(single[i] == std::ldexp(words[i] >> 8, -24));
  }
  const std::uint64_t wide = words[0] | std::uint64_t{words[1]} << 32;
  CHECK(rand({}, {.dtype = float64}, Generator(0)).item() ==
        std::ldexp(static_cast<double>(wide >> 11), -53));
}

TEST_CASE("uniform numbers") {
  const std::int64_t n = 200'000;
  for (Dtype dtype : {float32, float64}) {
    const Values x = values(rand({n}, {.dtype = dtype}, Generator(1)));
    CHECK(*std::min_element(x.begin(), x.end()) >= 0);
    CHECK(*std::max_element(x.begin(), x.end()) < 1);
    CHECK(moment(x, 1) == Approx(0.5).margin(0.004));
    CHECK(moment(x, 2) == Approx(1.0 / 3).margin(0.004));
    // χ² of 100 bins: mean 99, standard deviation 14.
    std::vector<double> bins(100);
    for (double value : x) {
      ++bins[static_cast<std::size_t>(value * 100)];
    }
    const double expected = n / 100.0;
    double chi_squared = 0;
    for (double count : bins) {
      chi_squared += (count - expected) * (count - expected) / expected;
    }
    CHECK(chi_squared > 40);
    CHECK(chi_squared < 170);
    // Neighbours are independent.
    double product = 0;
    for (std::size_t i = 1; i < x.size(); ++i) {
      product += (x[i] - 0.5) * (x[i - 1] - 0.5);
    }
    CHECK(std::abs(product / n) < 0.001);
  }
}

TEST_CASE("normal numbers") {
  for (Dtype dtype : {float32, float64}) {
    const Values x = values(randn({200, 1001}, {.dtype = dtype}, Generator(2)));
    CHECK(moment(x, 1) == Approx(0).margin(0.01));
    CHECK(moment(x, 2) == Approx(1).margin(0.02));
    CHECK(moment(x, 3) == Approx(0).margin(0.04));
    CHECK(moment(x, 4) == Approx(3).margin(0.15));
    const auto beyond =
        std::count_if(x.begin(), x.end(), [](double v) { return std::abs(v) > 1.96; });
    CHECK(static_cast<double>(beyond) / static_cast<double>(x.size()) ==
          Approx(0.05).margin(0.003));
  }
}

TEST_CASE("whole numbers") {
  const Tensor x = randint(-3, 4, {7, 10'000}, {}, Generator(3));
  CHECK(x.dtype() == int64);
  std::vector<int> counts(7);
  for (std::int64_t value : x.to_vector<std::int64_t>()) {
    REQUIRE(value >= -3);
    REQUIRE(value < 4);
    ++counts[static_cast<std::size_t>(value + 3)];
  }
  for (int count : counts) {
    CHECK(count == Approx(10'000).margin(500));
  }
  CHECK(randint(5, 6, {3}).to_vector<std::int64_t>() == std::vector<std::int64_t>{5, 5, 5});
  CHECK(randint(0, 2, {3}, {.dtype = float32}).dtype() == float32);
  constexpr std::int64_t low = std::numeric_limits<std::int64_t>::min();
  const auto wide = randint(low, -(low + 1), {1000}).to_vector<std::int64_t>();
  CHECK(std::count_if(wide.begin(), wide.end(), [](auto v) { return v < 0; }) > 400);
  CHECK(std::count_if(wide.begin(), wide.end(), [](auto v) { return v > 0; }) > 400);
}

TEST_CASE("permutations") {
  for (std::int64_t n : {0, 1, 2, 1000, 5000}) {
    std::vector<std::int64_t> order = randperm(n, {}, Generator(4)).to_vector<std::int64_t>();
    if (n >= 1000) {
      CHECK(!std::is_sorted(order.begin(), order.end()));
    }
    std::sort(order.begin(), order.end());
    std::vector<std::int64_t> all(static_cast<std::size_t>(n));
    std::iota(all.begin(), all.end(), 0);
    CHECK(order == all);
  }
  // Each number is first equally often.
  std::vector<int> first(5);
  const Generator generator(5);
  for (int i = 0; i < 5000; ++i) {
    ++first[static_cast<std::size_t>(randperm(5, {}, generator).to_vector<std::int64_t>()[0])];
  }
  for (int count : first) {
    CHECK(count == Approx(1000).margin(150));
  }
}

TEST_CASE("truth values") {
  CHECK(moment(values(bernoulli({100'000}, 0.3, {}, Generator(6))), 1) ==
        Approx(0.3).margin(0.006));
  CHECK(moment(values(bernoulli({1000}, 0)), 1) == 0);
  CHECK(moment(values(bernoulli({1000}, 1)), 1) == 1);
  CHECK(bernoulli({2}, 0.5).dtype() == float32);
  CHECK(bernoulli({2}, 0.5, {.dtype = boolean}).dtype() == boolean);
  const Tensor p = expand(from_vector<double>({0, 0.25, 1}, {3}), {20'000, 3});
  const Tensor drawn = bernoulli(p, Generator(7));
  CHECK(drawn.dtype() == float64);
  const Values rates = values(mean(drawn, {0}));
  CHECK(rates[0] == 0);
  CHECK(rates[1] == Approx(0.25).margin(0.015));
  CHECK(rates[2] == 1);

  // By the uniform numbers of the same state, NaN and what is out of range refused before a draw.
  const Tensor u = rand({5, 1001}, {}, Generator(8));
  const Generator generator(8);
  const Tensor chances = rand({5, 1001}, {}, Generator(9));
  const std::vector<double> values_of_chances = values(chances);
  for (double bad : {-0.1, 1.1, std::nan("")}) {
    std::vector<double> wrong = values_of_chances;
    wrong[4000] = bad;
    CHECK_THROWS_AS(bernoulli(from_vector(wrong, {5, 1001}), generator), Error);
  }
  std::vector<double> expected = values(u);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = expected[i] < values_of_chances[i] ? 1 : 0;
  }
  CHECK(values(bernoulli(chances, generator)) == expected);
  CHECK(bernoulli(zeros({0}), generator).numel() == 0);
}

TEST_CASE("draws repeat, whatever the number of threads") {
  const ThreadsAsBefore guard;
  const auto draw_all = [] {
    manual_seed(42);
    std::vector<Values> drawn;
    drawn.push_back(values(rand({100'003})));
    drawn.push_back(values(rand({50'001}, {.dtype = float64})));
    drawn.push_back(values(randn({100'001})));
    drawn.push_back(values(randn({3, 30'001}, {.dtype = float64})));
    drawn.push_back(values(randint(0, 1000, {70'000})));
    drawn.push_back(values(randperm(10'000)));
    drawn.push_back(values(bernoulli({90'000}, 0.4)));
    drawn.push_back(values(dropout(ones({300, 301}), 0.3)));
    return drawn;
  };
  set_threads(1);
  const std::vector<Values> alone = draw_all();
  for (int n : {2, 8}) {
    set_threads(n);
    CHECK(draw_all() == alone);
  }
  CHECK(values(rand({5})) != values(rand({5})));
  CHECK(values(rand({5}, {}, Generator(1))) != values(rand({5}, {}, Generator(2))));
}

TEST_CASE("a generator is a shared place whose state can be taken and put back") {
  const Generator generator(9);
  const Generator same = generator;
  CHECK(same == generator);
  CHECK_FALSE(Generator(9) == generator);
  rand({3}, {}, generator);
  const GeneratorState state = same.state();
  CHECK(state == GeneratorState{9, 1});
  const Values before = values(randn({10}, {}, generator));
  CHECK(values(randn({10}, {}, same)) != before);
  same.set_state(state);
  CHECK(values(randn({10}, {}, generator)) == before);
  generator.manual_seed(9);
  CHECK(same.state() == GeneratorState{9, 0});
}

TEST_CASE("threads that share a generator draw from different streams") {
  const Generator generator(10);
  std::vector<std::uint64_t> counters(400);
  std::vector<std::thread> workers;
  for (std::size_t worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (std::size_t i = 0; i < 100; ++i) {
        counters[100 * worker + i] = generator.next().counter;
      }
    });
  }
  for (std::thread& worker : workers) {
    worker.join();
  }
  std::sort(counters.begin(), counters.end());
  for (std::size_t i = 0; i < counters.size(); ++i) {
    CHECK(counters[i] == i);
  }
}

TEST_CASE("bad arguments of random functions") {
  CHECK_THROWS_AS(rand({-1}), Error);
  CHECK_THROWS_AS(rand({2}, {.dtype = int64}), Error);
  CHECK_THROWS_AS(randn({2}, {.dtype = boolean}), Error);
  CHECK_THROWS_AS(randint(2, 2, {3}), Error);
  CHECK_THROWS_AS(randint(3, 2, {3}), Error);
  CHECK_THROWS_AS(randperm(-1), Error);
  for (double p : {-0.1, 1.1, std::nan("")}) {
    CHECK_THROWS_AS(bernoulli({3}, p), Error);
    CHECK_THROWS_AS(bernoulli(full({3}, p)), Error);
    CHECK_THROWS_AS(dropout(ones({3}), p), Error);
    CHECK_THROWS_AS(dropout(ones({3}), p, false), Error);
  }
  CHECK_THROWS_AS(bernoulli(tensor({1, 0})), Error);
  CHECK_THROWS_AS(dropout(tensor({1, 0}), 0.5), Error);
  CHECK_THROWS_AS(dropout(Tensor(), 0.5), Error);
}

TEST_CASE("dropout") {
  const Generator generator(11);
  const Tensor x = full({200, 500}, 3, {.dtype = float64, .requires_grad = true});
  const Tensor y = dropout(x, 0.25, true, generator);
  const Values kept = values(y);
  for (double value : kept) {
    REQUIRE((value == 0 || value == 4));
  }
  CHECK(moment(kept, 1) == Approx(3).margin(0.03));
  CHECK(values(dropout(x, 0.25, true, generator)) != kept);

  // The gradient, also of a second pass and of the second order, drops the same.
  Values expected = kept;
  for (double& value : expected) {
    value /= 3;
  }
  CHECK(values(grad(sum(y), {x}, {.retain_graph = true})[0]) == expected);
  CHECK(values(grad(sum(y), {x}, {.retain_graph = true})[0]) == expected);
  const Tensor first = grad(sum(y * y), {x}, {.create_graph = true})[0];
  const Values second = values(grad(sum(first), {x})[0]);
  for (std::size_t i = 0; i < second.size(); ++i) {
    CHECK(second[i] == Approx(2 * expected[i] * expected[i]));
  }
}

TEST_CASE("dropout at its ends") {
  const GeneratorState before = default_generator().state();
  const Tensor x = from_vector<float>({1, std::nanf(""), 3}, {3}, {.requires_grad = true});
  CHECK(dropout(x, 0.5, false).impl() == x.impl());
  CHECK(dropout(x, 0).impl() == x.impl());
  CHECK(default_generator().state() == before);
  CHECK(values(dropout(x, 1)) == Values{0, 0, 0});  // what is dropped is 0, NaN too
  CHECK(values(grad(sum(dropout(x, 1)), {x})[0]) == Values{0, 0, 0});
  CHECK(dropout(zeros({0, 3}), 0.5).shape() == Shape{0, 3});
  CHECK(dropout(tensor(1.0), 0.5).shape() == Shape{});
  CHECK(dropout(transpose(ones({2, 3})), 0.5).shape() == Shape{3, 2});
}
