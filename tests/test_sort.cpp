// sort, argsort, topk, unique, bucketize, searchsorted and bincount against plain loops.

#include "support.hpp"
#include "sweep.hpp"

#include <cadena/autograd/graph/gradcheck.hpp>

#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>

using namespace cadena;
using namespace support;

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
const double nan_value = std::numeric_limits<double>::quiet_NaN();

Tensor line(const Values& numbers, Dtype dtype = float64) {
  return from_vector(numbers, {static_cast<std::int64_t>(numbers.size())}).to(dtype);
}

/// NaN is larger than all numbers.
bool before(double a, double b) { return a < b || (!std::isnan(a) && std::isnan(b)); }

/// The places of x in sorted order, equal elements by their places.
std::vector<std::int64_t> order_of(const Values& x, bool descending) {
  std::vector<std::int64_t> places(x.size());
  std::iota(places.begin(), places.end(), 0);
  std::sort(places.begin(), places.end(), [&](std::int64_t a, std::int64_t b) {
    const double first = x[static_cast<std::size_t>(a)], second = x[static_cast<std::size_t>(b)];
    if (before(first, second) || before(second, first)) {
      return descending ? before(second, first) : before(first, second);
    }
    return a < b;
  });
  return places;
}

/// Random numbers, of which many are equal if `kind` is 1; one floating number in 16 is special.
Tensor mixture(const Shape& shape, Dtype dtype, int kind, std::uint64_t seed) {
  std::mt19937_64 engine(seed);
  Values numbers(static_cast<std::size_t>(numel(shape)));
  for (double& number : numbers) {
    const std::uint64_t draw = engine();
    const double uniform = static_cast<double>(draw >> 11) * 0x1p-53 - 0.5;
    number = kind == 0 ? 1000 * uniform : std::floor(10 * uniform);
    if (is_floating(dtype) && draw % 16 == 0) {
      const double special[] = {nan_value, -nan_value, infinity, -infinity,
                                0.0,       -0.0,       1e-40,    -1e-310};
      number = special[draw / 16 % 8];
    }
  }
  const Tensor x = from_vector(numbers, shape);
  return is_floating(dtype) ? x.to(dtype) : x.to(int64).to(dtype);
}

/// Checks values and indices of a sort (or of its first k) along the middle axis.
void check_sorted(const Tensor& x, const ValuesAndIndices& got, std::int64_t k, bool descending,
                  bool in_order = true) {
  REQUIRE(got.indices.dtype() == int64);
  REQUIRE(got.values.dtype() == x.dtype());
  REQUIRE(got.indices.shape() == Shape{x.size(0), k, x.size(2)});
  const Values from = values(x);
  const std::vector<std::int64_t> indices = got.indices.to_vector<std::int64_t>();
  const std::int64_t n = x.size(1), inner = x.size(2);
  bool right = true;
  for (std::int64_t o = 0; o < x.size(0); ++o) {
    for (std::int64_t i = 0; i < inner; ++i) {
      Values each(static_cast<std::size_t>(n));
      for (std::int64_t r = 0; r < n; ++r) {
        each[static_cast<std::size_t>(r)] = from[static_cast<std::size_t>((o * n + r) * inner + i)];
      }
      std::vector<std::int64_t> expected = order_of(each, descending);
      expected.resize(static_cast<std::size_t>(k));
      if (!in_order) {
        std::sort(expected.begin(), expected.end());
      }
      for (std::int64_t r = 0; r < k; ++r) {
        right = right && indices[static_cast<std::size_t>((o * k + r) * inner + i)] ==
                             expected[static_cast<std::size_t>(r)];
      }
    }
  }
  CHECK(right);
  CHECK(sweep::same_bits(got.values, gather(x, 1, got.indices)));
}

const std::vector<Shape> shapes{{1, 1, 1},    {3, 7, 1},     {2, 7, 5},    {4, 300, 3},
                                {2, 2000, 1}, {1, 70000, 1}, {1, 40000, 2}};

}  // namespace

TEST_CASE("sort is a stable sort") {
  std::uint64_t seed = 0;
  for (const Shape& shape : shapes) {
    for (const Dtype dtype : all_dtypes) {
      for (const int kind : {0, 1}) {
        for (const bool descending : {false, true}) {
          INFO(shape << " " << name(dtype) << " kind " << kind << " descending " << descending);
          const Tensor x = mixture(shape, dtype, kind, ++seed);
          const ValuesAndIndices sorted = sort(x, 1, descending);
          check_sorted(x, sorted, shape[1], descending);
          CHECK(sweep::same_bits(argsort(x, -2, descending), sorted.indices));
        }
      }
    }
  }
}

TEST_CASE("topk is the beginning of a sort") {
  std::uint64_t seed = 100;
  for (const Shape& shape : shapes) {
    for (const std::int64_t k : {std::int64_t{1}, std::int64_t{3}, shape[1] / 3, shape[1]}) {
      for (const Dtype dtype : {float32, float64, int64, boolean}) {
        for (const bool largest : {true, false}) {
          if (k > shape[1] || k == 0) {
            continue;
          }
          INFO(shape << " " << name(dtype) << " k " << k << " largest " << largest);
          const Tensor x = mixture(shape, dtype, static_cast<int>(k % 2), ++seed);
          check_sorted(x, topk(x, k, 1, largest), k, largest);
          check_sorted(x, topk(x, k, 1, largest, false), k, largest, false);
        }
      }
    }
  }
  // Many blocks, and rows in which each element displaces one.
  const Tensor rising = reshape(arange(300000, {.dtype = float32}), {1, 300000, 1});
  for (const std::int64_t k : {1, 5, 1000}) {
    check_sorted(rising, topk(rising, k, 1, true), k, true);
    check_sorted(rising, topk(rising, k, 1, false), k, false);
  }
}

TEST_CASE("sorting by hand") {
  const Tensor x = tensor({{3, 1, 2}, {0, 5, 5}});
  CHECK(values(sort(x).values) == Values{1, 2, 3, 0, 5, 5});
  CHECK(values(sort(x).indices) == Values{1, 2, 0, 0, 1, 2});
  CHECK(values(sort(x, -1, true).indices) == Values{0, 2, 1, 1, 2, 0});
  CHECK(values(sort(x, 0).values) == Values{0, 1, 2, 3, 5, 5});
  CHECK(values(sort(transpose(x), 0).values) == Values{1, 0, 2, 5, 3, 5});
  CHECK(values(topk(x, 2).values) == Values{3, 2, 5, 5});
  CHECK(values(topk(x, 1, 0, false).indices) == Values{1, 0, 0});
  const Tensor special = line({nan_value, 1, infinity, -0.0, 0});
  CHECK(values(argsort(special)) == Values{3, 4, 1, 2, 0});
  CHECK(values(argsort(special, 0, true)) == Values{0, 2, 1, 3, 4});
  CHECK(std::signbit(values(sort(special).values)[0]));
  CHECK(std::isnan(values(topk(special, 1).values)[0]));
  CHECK(sort(tensor(4.0)).values.item() == 4);
  CHECK(sort(tensor(4.0)).indices.shape() == Shape{});
  CHECK(topk(tensor(4.0), 1).values.item() == 4);
  CHECK(topk(tensor(4.0), 0).values.shape() == Shape{0});
  CHECK(sort(zeros({0, 3}), 0).values.shape() == Shape{0, 3});
  CHECK(topk(zeros({0, 3}), 2).indices.shape() == Shape{0, 2});
  CHECK(topk(zeros({2, 0}), 0).indices.shape() == Shape{2, 0});
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const Tensor ends = from_vector<std::int64_t>({most, -1, -most - 1, 0}, {4});
  CHECK(values(argsort(ends)) == Values{2, 1, 3, 0});
  CHECK(values(argsort(expand(tensor({2.0, 1.0}), {2, 2}))) == Values{1, 0, 1, 0});
}

TEST_CASE("gradients go to the places that were chosen") {
  const Tensor x = line({3, 1, 2, 1}).requires_grad_leaf();
  const Tensor weights = line({10, 20, 30, 40});
  CHECK(values(grad(sum(sort(x).values * weights), {x})[0]) == Values{40, 10, 30, 20});
  CHECK(values(grad(sum(sort(x, 0, true).values * weights), {x})[0]) == Values{10, 30, 20, 40});
  CHECK(values(grad(sum(topk(x, 2).values * line({5, 7})), {x})[0]) == Values{5, 0, 7, 0});
  CHECK(values(grad(sum(topk(x, 1, 0, false).values), {x})[0]) == Values{0, 1, 0, 0});
  CHECK_FALSE(sort(x).indices.requires_grad());
  CHECK_FALSE(argsort(x).requires_grad());
  CHECK(values(grad(sum(unique(x).values * line({5, 7, 9})), {x})[0]) == Values{9, 5, 7, 0});
  const auto report = gradcheck(
      [](auto in) {
        return square(unique(in[0]).values) * line({1, 2, 3, 4, 5, 6});
      },
      {sample_values({2, 3}, -1, 1, 8)}, {.order = 2});
  INFO(report.text());
  CHECK(report.passed());
}

TEST_CASE("unique gives the different elements, where they are, and how often") {
  std::uint64_t seed = 200;
  for (const Shape& shape : {Shape{}, Shape{7}, Shape{30, 20}, Shape{40000}, Shape{0, 3}}) {
    for (const Dtype dtype : all_dtypes) {
      for (const int kind : {0, 1}) {
        INFO(shape << " " << name(dtype) << " kind " << kind);
        const Tensor x = mixture(shape, dtype, kind, ++seed);
        std::map<double, std::int64_t, decltype(&before)> expected(&before);
        for (const double number : values(x)) {
          ++expected[number];
        }
        const Unique got = unique(x, {.return_inverse = true, .return_counts = true});
        const Values found = values(got.values);
        REQUIRE(found.size() == expected.size());
        const std::vector<std::int64_t> counts = got.counts.to_vector<std::int64_t>();
        std::size_t k = 0;
        bool right = true;
        for (const auto& [number, count] : expected) {
          right = right && !before(number, found[k]) && !before(found[k], number);
          right = right && counts[k] == count;
          ++k;
        }
        CHECK(right);
        REQUIRE(got.inverse.shape() == shape);
        const std::vector<std::int64_t> inverse = got.inverse.to_vector<std::int64_t>();
        const Values numbers = values(x);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
          const double value = found[static_cast<std::size_t>(inverse[i])];
          right = right && !before(value, numbers[i]) && !before(numbers[i], value);
        }
        CHECK(right);
      }
    }
  }
  const Unique alone = unique(tensor({2, 1, 2}));
  CHECK(values(alone.values) == Values{1, 2});
  CHECK_FALSE(alone.inverse.defined());
  CHECK_FALSE(alone.counts.defined());
  CHECK_FALSE(std::signbit(values(unique(line({0.0, -0.0})).values)[0]));
  CHECK(std::signbit(values(unique(line({-0.0, 0.0})).values)[0]));
}

TEST_CASE("bucketize and searchsorted count what is below") {
  const Tensor edges = line({1, 3, 3, 5});
  const Tensor x = line({0, 1, 2, 3, 4, 5, 6, -infinity, infinity, nan_value});
  CHECK(values(bucketize(x, edges)) == Values{0, 0, 1, 1, 3, 3, 4, 0, 4, 4});
  CHECK(values(bucketize(x, edges, true)) == Values{0, 1, 1, 3, 3, 4, 4, 0, 4, 4});
  CHECK(values(searchsorted(edges, x)) == values(bucketize(x, edges)));
  const Tensor bytes = tensor({10, 44, 100, 255}).to(uint8);  // 300 is 44 as a byte
  CHECK(values(bucketize(tensor({300, -1}), bytes)) == Values{4, 0});
  CHECK(values(bucketize(300, bytes)) == Values{4});
  CHECK(values(searchsorted(bytes, -1)) == Values{0});
  CHECK(values(bucketize(tensor({16777217}), tensor({16777216.0}))) == Values{1});
  CHECK(values(searchsorted(edges, x, true)) == values(bucketize(x, edges, true)));
  CHECK(values(searchsorted(line({0, nan_value}), line({1, nan_value}))) == Values{1, 1});
  CHECK(values(searchsorted(line({0, nan_value}), line({1, nan_value}), true)) == Values{1, 2});
  CHECK(values(bucketize(line({0.0, -0.0}), line({-0.0, 0.0}))) == Values{0, 0});
  CHECK(values(bucketize(tensor({1, 2, 3}), line({1.5, 2.5}))) == Values{0, 1, 2});
  CHECK(values(bucketize(tensor({1.5}), tensor({1, 2}))) == Values{1});
  CHECK(values(bucketize(tensor({true, false}), tensor({false, true}))) == Values{1, 0});
  CHECK(bucketize(tensor(2.0), edges).shape() == Shape{});
  CHECK(values(bucketize(x, zeros({0}))) == Values(10, 0));
  CHECK(bucketize(zeros({0, 2}), edges).shape() == Shape{0, 2});
  for (const std::int64_t n : {1, 2, 7, 64, 1000}) {
    const Tensor many = sort(sample_values({n}, -1, 1, 9)).values;
    const Tensor searched = sample_values({50, 60}, -1.1, 1.1, 10);
    const Values keys = values(many), numbers = values(searched);
    const std::vector<std::int64_t> got = bucketize(searched, many).to_vector<std::int64_t>();
    bool right = true;
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      std::int64_t below = 0;
      for (const double key : keys) {
        below += key < numbers[i] ? 1 : 0;
      }
      right = right && got[i] == below;
    }
    CHECK(right);
  }
}

TEST_CASE("bincount") {
  const Tensor x = tensor({3, 0, 3, 1});
  CHECK(values(bincount(x)) == Values{1, 1, 0, 2});
  CHECK(bincount(x).dtype() == int64);
  CHECK(values(bincount(x, {}, 6)) == Values{1, 1, 0, 2, 0, 0});
  CHECK(values(bincount(x, tensor({0.5, 1.0, 2.0, 4.0}))) == Values{1, 4, 0, 2.5});
  CHECK(bincount(x, tensor({1, 2, 3, 4})).dtype() == float64);
  CHECK(values(bincount(tensor({5, 5}, {.dtype = uint8}))) == Values{0, 0, 0, 0, 0, 2});
  CHECK(bincount(zeros({0}, {.dtype = int64})).shape() == Shape{0});
  CHECK(values(bincount(zeros({0}, {.dtype = int64}), {}, 2)) == Values{0, 0});
  const Tensor weights = line({1, 2, 3, 4}).requires_grad_leaf();
  CHECK(values(grad(sum(square(bincount(x, weights))), {weights})[0]) == Values{8, 4, 8, 8});
}

TEST_CASE("sorting and searching refuse what they cannot do") {
  const Tensor x = zeros({2, 3});
  check_error([&] { sort(x, 2); }, {"sort: axis 2", "[-2, 2)"});
  check_error([&] { argsort(x, -3); }, {"argsort: axis -3"});
  check_error([] { sort(Tensor()); }, {"sort: ", "undefined"});
  check_error([&] { topk(x, 4); }, {"topk: k is 4", "0 to 3", "axis 1", "[2, 3]"});
  check_error([&] { topk(x, -1, 0); }, {"topk: k is -1"});
  check_error([] { topk(tensor(1.0), 2); }, {"topk: k is 2"});
  check_error(
      [] {
        bucketize(tensor({1.0}), tensor({2.0, 1.0}));
      },
      {"bucketize: boundaries", "[2]", "1 at position 1 comes after 2"});
  check_error(
      [] {
        searchsorted(tensor({nan_value, 1.0}), tensor({1.0}));
      },
      {"searchsorted: ", "not sorted"});
  check_error([&] { bucketize(x, x); }, {"bucketize: ", "[2, 3]", "one dimension"});
  check_error([&] { searchsorted(tensor(1.0), x); }, {"searchsorted: ", "[]"});
  check_error([] { unique(Tensor()); }, {"unique: ", "undefined"});
  check_error([&] { bincount(x); }, {"bincount: ", "float32 [2, 3]"});
  check_error([] { bincount(tensor({1, -3})); }, {"bincount: ", "-3"});
  check_error([] { bincount(tensor({1, 3}), tensor({1.0})); }, {"bincount: ", "[1]", "[2]"});
  check_error([] { bincount(tensor({1}), {}, -1); }, {"bincount: ", "minlength", "-1"});
}

TEST_CASE("sorting gives the same bits with any number of threads") {
  const ThreadsGuard guard;
  for (const Shape& shape : {Shape{1, 300001, 1}, Shape{3, 70000, 1}, Shape{400, 301, 1},
                             Shape{2, 1000, 30}, Shape{1, 70000, 3}}) {
    for (const Dtype dtype : {float32, float64, int64}) {
      const Tensor x = mixture(shape, dtype, 0, 11);
      const auto results = [&] {
        const ValuesAndIndices sorted = sort(x, 1), top = topk(x, 50, 1);
        const Unique different = unique(x, {true, true});
        return std::vector<Tensor>{sorted.values,    sorted.indices,
                                   top.values,       top.indices,
                                   different.values, different.inverse,
                                   different.counts, bucketize(x, sort(reshape(x, {-1})).values)};
      };
      set_threads(1);
      const std::vector<Tensor> one = results();
      for (const int count : {2, 8}) {
        set_threads(count);
        const std::vector<Tensor> several = results();
        for (std::size_t k = 0; k < one.size(); ++k) {
          INFO(shape << " " << name(dtype) << " result " << k);
          CHECK(sweep::same_bits(one[k], several[k]));
        }
      }
    }
  }
}
