// Linear algebra against plain loops: values, gradients at singular and repeated places, errors.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/nn/init.hpp>

#include "support.hpp"

#include <cmath>
#include <limits>

using namespace cadena;
using namespace support;

namespace {

using Inputs = std::vector<Tensor>;

/// Laplace's expansion along the first row: no division, any rank.
long double plain_det(const Values& a, std::size_t n) {
  if (n == 0) return 1;
  long double sum = 0;
  for (std::size_t j = 0; j < n; ++j) {
    Values minor;
    for (std::size_t i = 1; i < n; ++i) {
      for (std::size_t k = 0; k < n; ++k) {
        if (k != j) minor.push_back(a[i * n + k]);
      }
    }
    sum += (j % 2 == 0 ? 1 : -1) * static_cast<long double>(a[j]) * plain_det(minor, n - 1);
  }
  return sum;
}

/// d det / da_ij: the signed minors.
Values plain_cofactors(const Values& a, std::size_t n) {
  Values result;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      Values minor;
      for (std::size_t k = 0; k < n * n; ++k) {
        if (k / n != i && k % n != j) minor.push_back(a[k]);
      }
      result.push_back(static_cast<double>(((i + j) % 2 == 0 ? 1 : -1) * plain_det(minor, n - 1)));
    }
  }
  return result;
}

/// Σ_k x_ik y_kj for single matrices, in plain loops.
Values plain_product(const Tensor& x, const Tensor& y) {
  const Values a = values(x), b = values(y);
  const auto rows = static_cast<std::size_t>(x.size(0)),
             inner = static_cast<std::size_t>(x.size(1)),
             columns = static_cast<std::size_t>(y.size(1));
  Values result(rows * columns, 0.0);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t k = 0; k < inner; ++k) {
      for (std::size_t j = 0; j < columns; ++j) {
        result[i * columns + j] += a[i * inner + k] * b[k * columns + j];
      }
    }
  }
  return result;
}

void check_close(const Values& got, const Values& expected, double margin = 1e-11) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i);
    CHECK(std::abs(got[i] - expected[i]) <= margin);
  }
}

Tensor identity(std::int64_t n) { return eye(n, {}, {.dtype = float64}); }
Tensor random(const Shape& shape, std::uint64_t seed) { return sample_values(shape, -1, 1, seed); }
Tensor of(const Values& numbers, const Shape& shape) { return from_vector(numbers, shape); }

template <class F> void check_gradients(F&& f, const Inputs& inputs, int order = 2) {
  const GradcheckReport report =
      gradcheck([&](const Inputs& in) { return f(in[0]); }, inputs, {.order = order});
  INFO(report.text());
  CHECK(report.verdict == Verdict::passed);
}

template <class F> Tensor gradient(F&& f, const Tensor& at) {
  const Tensor x = at.requires_grad_leaf();
  return grad(f(x), {x})[0];
}

const std::vector<std::int64_t> sizes = {1, 2, 3, 5, 16, 40, 130};

}  // namespace

TEST_CASE("det is the sum over permutations, and its gradient the cofactors, for any rank") {
  for (std::int64_t n : {1, 2, 3, 4, 5}) {
    for (std::int64_t rank = 0; rank <= n; ++rank) {
      INFO("rank " << rank << " of " << n);
      // Small integers, so that the rank is exact.
      const Tensor left = floor(sample_values({n, rank}, -3, 4, 5)),
                   right = floor(sample_values({rank, n}, -3, 4, 6));
      const Tensor x = matmul(left, right);
      const Values a = values(x);
      const auto size = static_cast<std::size_t>(n);
      double scale = 1;
      for (std::int64_t i = 0; i < n; ++i) scale *= 1 + norm(x).item();
      CHECK(std::abs(det(x).item() - static_cast<double>(plain_det(a, size))) <= 1e-14 * scale);
      check_close(values(gradient([](const Tensor& m) { return det(m); }, x)),
                  plain_cofactors(a, size), 1e-14 * scale);
    }
  }
  CHECK(det(zeros({3, 0, 0})).to_vector<double>() == Values{1, 1, 1});
}

TEST_CASE("the gradient of det keeps its digits close to a singular matrix") {
  for (double gap : {1e-6, 1e-9, 1e-13, 0.0}) {
    INFO(gap);
    const Values a = {1, 2, 3, 4, 5, 6, 7, 8, 9 + gap};
    const Values exact = plain_cofactors(a, 3);
    check_close(values(gradient([](const Tensor& m) { return det(m); }, of(a, {3, 3}))), exact,
                1e-13);
  }
}

TEST_CASE("second and third derivatives of det at singular matrices") {
  const auto third = [](const Tensor& m) {
    const EnableGrad recording;
    const Tensor once = grad(det(m), {m}, {.create_graph = true})[0];
    return grad(sum(square(once)), {m}, {.create_graph = true})[0];
  };
  for (const Tensor& x : {of({1, 2, 3, 4, 5, 6, 7, 8, 9}, {3, 3}), of({2, 0, 0, 0}, {2, 2}),
                          zeros({3, 3}, {.dtype = float64})}) {
    // d²det(2 x 2)/da db is exact in closed form; in general gradcheck compares.
    check_gradients([](const Tensor& m) { return det(m); }, {x});
    check_gradients(
        [&](const Tensor& m) { return third(m.requires_grad() ? m : m.requires_grad_leaf()); }, {x},
        1);
  }
}

TEST_CASE("determinants neither overflow nor vanish on the way") {
  const Tensor diagonal = of({1e300, 1e300, 1e-300, 1e-299}, {4});
  const Tensor x = diagonal * identity(4);
  CHECK(det(x).item() == Approx(10));
  CHECK(slogdet(x * 1e8).logabsdet.item() == Approx(33 * std::log(10.0)));
  const Tensor large = 1000 * identity(500);
  CHECK(slogdet(-large).sign.item() == 1);
  CHECK(slogdet(-large).logabsdet.item() == Approx(1500 * std::log(10.0)));
  CHECK(det(large).item() == std::numeric_limits<double>::infinity());
}

TEST_CASE("slogdet and logdet of negative and singular matrices") {
  const Tensor x = of({0, 2, 3, 0, 2, 0, 0, 3, 1, 2, 2, 4}, {3, 2, 2});
  const SignLogDet both = slogdet(x);
  CHECK(values(both.sign) == Values{-1, 1, 0});
  CHECK(values(both.logabsdet)[0] == Approx(std::log(6)));
  CHECK(values(both.logabsdet)[2] == -std::numeric_limits<double>::infinity());
  const Values logarithms = values(logdet(x));
  CHECK(std::isnan(logarithms[0]));
  CHECK(logarithms[1] == Approx(std::log(6)));
  CHECK(logarithms[2] == -std::numeric_limits<double>::infinity());
  check_error([&] { gradient([](const Tensor& m) { return sum(slogdet(m).logabsdet); }, x); },
              {"slogdet:", "matrix [2]", "[3, 2, 2]", "singular", "pivot 1"});
  check_close(
      values(gradient([](const Tensor& m) { return slogdet(m).logabsdet; }, select(x, 0, 0))),
      {0, 0.5, 1.0 / 3, 0});
}

TEST_CASE("inverse and solve undo products") {
  for (std::int64_t n : sizes) {
    INFO(n);
    const Tensor a = random({n, n}, 1) + static_cast<double>(n) * identity(n);
    const Tensor b = random({n, 3}, 2);
    check_close(plain_product(a, inverse(a)), values(identity(n)));
    check_close(plain_product(a, solve(a, b)), values(b));
    check_close(values(solve(a, select(b, 1, 1))), values(select(solve(a, b), 1, 1)));
    check_close(plain_product(transpose(a), solve(transpose(a), b)), values(b));
  }
  check_gradients([](const Tensor& m) { return inverse(m); },
                  {random({3, 3}, 3) + 2 * identity(3)});
}

TEST_CASE("solve and its relatives broadcast batches") {
  const Tensor a = random({2, 1, 3, 3}, 1) + 3 * identity(3), b = random({4, 3, 2}, 2);
  const Tensor x = solve(a, b);
  REQUIRE(x.shape() == Shape{2, 4, 3, 2});
  check_close(values(matmul(a, x)), values(expand(b, {2, 4, 3, 2})));
  const Tensor one = select(select(a, 0, 0), 0, 0);
  check_close(values(solve(one, b)), values(select(x, 0, 0)));
  const Tensor right = solve_triangular(one, transpose(b), {.upper = true, .left = false});
  for (std::int64_t i = 0; i < 4; ++i) {
    const Tensor triangle = where(tensor({{1, 1, 1}, {0, 1, 1}, {0, 0, 1}}).to(boolean), one, 0.0);
    check_close(plain_product(select(right, 0, i), triangle), values(transpose(select(b, 0, i))));
  }
}

TEST_CASE("solve_triangular reads one triangle") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor lower = of({2, nan, nan, 1, 4, nan, 0, -1, 5}, {3, 3}), b = of({2, 9, 3}, {3});
  CHECK(values(solve_triangular(lower, b)) == Values{1, 2, 1});
  CHECK(values(solve_triangular(transpose(lower), b, {.upper = true})) ==
        values(solve(of({2, 1, 0, 0, 4, -1, 0, 0, 5}, {3, 3}), b)));
  CHECK(values(solve_triangular(of({nan, nan, 3, nan}, {2, 2}), of({1, 5}, {2}),
                                {.unitriangular = true})) == Values{1, 2});
  const Tensor g = gradient([&](const Tensor& m) { return sum(solve_triangular(m, b)); }, lower);
  CHECK(g[0].to_vector<double>()[1] == 0);
  check_error(
      [] {
        solve_triangular(of({1, 0, 2, 0}, {2, 2}), ones({2}, {.dtype = float64}));
      },
      {"solve_triangular:", "[2, 2]", "element 1", "singular"});
}

TEST_CASE("singular matrices are named") {
  const Tensor x = stack({identity(2), of({1, 2, 2, 4}, {2, 2}), identity(2), identity(2)});
  const Tensor batches = reshape(x, {2, 2, 2, 2});
  check_error([&] { inverse(batches); },
              {"inverse:", "matrix [0, 1]", "[2, 2, 2, 2]", "singular", "pivot 1"});
  check_error([&] { solve(x, identity(2)); }, {"solve:", "matrix [1]", "singular", "pivot 1"});
  check_error([&] { inverse(zeros({3, 3})); }, {"the matrix", "[3, 3]", "pivot 0"});
  check_error([&] { inverse(zeros({3, 2})); }, {"inverse:", "square", "[3, 2]", "3 against 2"});
  check_error(
      [&] {
        solve(identity(3), ones({2, 2}, {.dtype = float64}));
      },
      {"solve:", "[3, 3]", "[2, 2]"});
  check_error([&] { solve(identity(3), ones({3})); }, {"solve:", "float64", "float32"});
  for (double value : values(inverse(of({std::nan(""), 0, 0, 1}, {2, 2})))) {
    CHECK(std::isnan(value));
  }
}

TEST_CASE("cholesky") {
  for (std::int64_t n : sizes) {
    INFO(n);
    const Tensor x = random({n, n}, 1);
    const Tensor a = matmul(x, transpose(x)) + identity(n), l = cholesky(a);
    check_close(plain_product(l, transpose(l)), values(a));
    const Values numbers = values(l);
    for (std::int64_t i = 0; i < n; ++i) {
      for (std::int64_t j = i; j < n; ++j) {
        const double element = numbers[static_cast<std::size_t>(i * n + j)];
        CHECK((i == j ? element > 0 : element == 0));
      }
    }
    Values broken = values(a);
    broken[broken.size() - 1] = -1;
    const std::string pivot = fmt::format("pivot {} is not positive", n - 1);
    check_error(
        [&] {
          cholesky(stack({a, of(broken, {n, n})}));
        },
        {"cholesky:", "matrix [1]", "positive definite", pivot});
  }
  check_error([] { cholesky(of({1, 2, 2, 1}, {2, 2})); }, {"the matrix", "pivot 1"});
  check_error([] { cholesky(of({1, 2, 2, std::nan("")}, {2, 2})); }, {"pivot 1"});
  const Tensor x = random({4, 4}, 7);
  check_gradients([](const Tensor& m) { return cholesky(m); },
                  {matmul(x, transpose(x)) + identity(4)});
}

TEST_CASE("qr") {
  for (const Shape& shape : {Shape{1, 1}, {3, 3}, {5, 2}, {2, 5}, {60, 60}, {130, 40}, {40, 130}}) {
    INFO(shape[0] << " x " << shape[1]);
    const Tensor a = random(shape, 1);
    const auto [q, r] = qr(a);
    const std::int64_t k = std::min(shape[0], shape[1]);
    REQUIRE(q.shape() == Shape{shape[0], k});
    REQUIRE(r.shape() == Shape{k, shape[1]});
    check_close(plain_product(q, r), values(a));
    check_close(plain_product(transpose(q), q), values(identity(k)));
    for (std::int64_t i = 0; i < k; ++i) {
      const Values row = values(r[i]);
      CHECK(row[static_cast<std::size_t>(i)] >= 0);
      for (std::int64_t j = 0; j < i; ++j) CHECK(row[static_cast<std::size_t>(j)] == 0);
    }
  }
  for (const Shape& shape : {Shape{3, 3}, {4, 2}, {2, 4}}) {
    check_gradients([](const Tensor& m) { return qr(m).q; }, {random(shape, 5)});
    check_gradients([](const Tensor& m) { return qr(m).r; }, {random(shape, 6)});
  }
  check_error(
      [] {
        gradient([](const Tensor& m) { return sum(qr(m).r); },
                 zeros({2, 3, 2}, {.dtype = float64}));
      },
      {"qr:", "matrix [0]", "[2, 3, 2]", "dependent"});
}

TEST_CASE("eigh") {
  for (std::int64_t n : sizes) {
    INFO(n);
    const Tensor x = random({n, n}, 1), a = 0.5 * (x + transpose(x));
    const auto [w, v] = eigh(x);  // of the symmetric part
    check_close(plain_product(v * w, transpose(v)), values(a));
    check_close(plain_product(transpose(v), v), values(identity(n)));
    const Values numbers = values(w);
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
    check_close(values(eigvalsh(x)), numbers, 0);
  }
  check_error(
      [] {
        eigh(of({1, 0, 0, HUGE_VAL, 1, 2, 3, 4}, {2, 2, 2}));
      },
      {"eigh:", "matrix [0]", "infinite or NaN"});
}

TEST_CASE("gradients of eigenvalues exist where eigenvalues are equal") {
  // Σ λ³ = tr A³ has the gradient 3A².
  const auto cubes = [](const Tensor& m) { return sum(pow(eigh(m).eigenvalues, 3.0)); };
  const Tensor q = qr(random({4, 4}, 3)).q;
  const Tensor repeated = matmul(q * of({2, 2, 2, -1}, {4}), transpose(q));
  for (const Tensor& a : {2 * identity(4), zeros({4, 4}, {.dtype = float64}), repeated}) {
    check_close(values(gradient(cubes, a)), values(3 * matmul(a, a)));
  }
  // Nothing flows between equal eigenvalues here: the vector of -1 alone is asked for.
  const auto alone = [](const Tensor& m) {
    const Tensor v = select(eigh(m).eigenvectors, 1, 0);
    return sum(outer(v, v) * random({3, 3}, 4));
  };
  const Tensor diagonal = of({-1, 2, 2}, {3}) * identity(3);
  check_gradients(alone, {diagonal}, 1);
  // And here something does: no number is made up.
  const auto all = [](const Tensor& m) { return sum(eigh(m).eigenvectors * random({3, 3}, 4)); };
  bool any_finite_everywhere = true;
  for (double value : values(gradient(all, diagonal))) {
    any_finite_everywhere = any_finite_everywhere && std::isfinite(value);
  }
  CHECK_FALSE(any_finite_everywhere);
}

TEST_CASE("svd") {
  for (const Shape& shape : {Shape{1, 1}, {3, 3}, {5, 2}, {2, 5}, {60, 60}, {130, 40}, {40, 130}}) {
    INFO(shape[0] << " x " << shape[1]);
    const Tensor a = random(shape, 1);
    const auto [u, s, vh] = svd(a);
    const std::int64_t k = std::min(shape[0], shape[1]);
    check_close(plain_product(u * s, vh), values(a));
    check_close(plain_product(transpose(u), u), values(identity(k)));
    check_close(plain_product(vh, transpose(vh)), values(identity(k)));
    const Values numbers = values(s);
    CHECK(std::is_sorted(numbers.rbegin(), numbers.rend()));
    CHECK(numbers.back() >= 0);
    const Tensor narrow = svdvals(a.to(float32));
    CHECK(narrow.dtype() == float32);
    check_close(values(narrow), numbers, 1e-5);
  }
  check_error(
      [] {
        svd(of({1, 2, std::nan(""), 3}, {2, 2}));
      },
      {"svd:", "the matrix", "infinite or NaN"});
}

TEST_CASE("gradients of singular values exist where singular values are equal or 0") {
  // Σ s² = Σ a² has the gradient 2A.
  const auto squares = [](const Tensor& m) { return sum(square(svd(m).s)); };
  for (const Shape& shape : {Shape{3, 3}, {3, 2}, {2, 4}}) {
    const Tensor line = matmul(random({shape[0], 1}, 1), random({1, shape[1]}, 2));
    const Tensor unit = eye(shape[0], shape[1], {.dtype = float64});
    for (const Tensor& a : {line, 2 * unit, zeros(shape, {.dtype = float64})}) {
      check_close(values(gradient(squares, a)), values(2 * a));
    }
  }
}

TEST_CASE("orthogonal weights have orthonormal rows or columns, and no preferred sign") {
  for (const Shape& shape : {Shape{4, 4}, {3, 7}, {7, 3}, {4, 2, 3}, {1, 1}}) {
    for (Dtype dtype : {float32, float64}) {
      const Parameter weight(zeros(shape, {.dtype = dtype}));
      nn::orthogonal(weight, {.gain = 2});
      const Tensor w = weight.cell().value().detach().to(float64);
      REQUIRE(weight.cell().value().shape() == shape);
      REQUIRE(weight.cell().value().dtype() == dtype);
      const Tensor m = reshape(w, {shape[0], w.numel() / shape[0]});
      const Tensor gram =
          m.size(0) <= m.size(1) ? matmul(m, transpose(m)) : matmul(transpose(m), m);
      check_close(values(gram), values(4 * identity(gram.size(0))),
                  dtype == float32 ? 1e-5 : 1e-12);
    }
  }
  // By Haar's measure the mean of each element is 0, that of its square 1/3: LAPACK's signs would
  // show in the diagonal.
  Tensor total = zeros({3, 3}, {.dtype = float64}), squares = total;
  const Parameter weight(zeros({3, 3}, {.dtype = float64}));
  const Generator generator(7);
  constexpr int rounds = 4000;
  for (int i = 0; i < rounds; ++i) {
    nn::orthogonal(weight, {.generator = generator});
    const Tensor w = weight.cell().value().detach();
    total = total + w;
    squares = squares + square(w);
  }
  check_close(values(total / rounds), Values(9, 0.0), 0.05);
  check_close(values(squares / rounds), Values(9, 1.0 / 3), 0.03);
  const Parameter vector(zeros({3}));
  check_error([&] { nn::orthogonal(vector); }, {"orthogonal:", "[3]"});
  const Parameter empty(zeros({0, 3}));
  nn::orthogonal(empty);
  CHECK(empty.cell().value().shape() == Shape{0, 3});
}
