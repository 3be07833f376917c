// Matrices whose rows, columns or elements are of very different size.

#include <cadena/cadena.hpp>

#include <cmath>
#include <limits>

#include "support.hpp"

using namespace cadena;
using support::check_error;

namespace {

void check_close(const std::vector<double>& got, const std::vector<double>& expected) {
  REQUIRE(got.size() == expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": " << got[i] << " against " << expected[i]);
    CHECK(std::abs(got[i] - expected[i]) <= 1e-12 * std::abs(expected[i]));
  }
}

Tensor gradient_of_det(const Tensor& x) {
  const Tensor at = x.requires_grad_leaf();
  return grad(sum(det(at)), {at})[0];
}

/// The cofactors of [3, 3].
std::vector<double> cofactors(const std::vector<double>& a) {
  const auto at = [&](int i, int j) {
    return static_cast<long double>(a[static_cast<std::size_t>(i % 3 * 3 + j % 3)]);
  };
  std::vector<double> result;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) {
      result.push_back(static_cast<double>(at(i + 1, j + 1) * at(i + 2, j + 2) -
                                           at(i + 1, j + 2) * at(i + 2, j + 1)));
    }
  }
  return result;
}

void check_cofactors(const std::vector<double>& a, Dtype dtype, double tolerance) {
  const Tensor x = from_vector(a, {3, 3}).to(dtype);
  const std::vector<double> exact = cofactors(x.to_vector<double>());
  const std::vector<double> got = gradient_of_det(x).to_vector<double>();
  for (std::size_t i = 0; i < exact.size(); ++i) {
    INFO("cofactor " << i << ": " << got[i] << " against " << exact[i]);
    CHECK(std::abs(got[i] - exact[i]) <= tolerance * std::abs(exact[i]));
  }
}

}  // namespace

TEST_CASE("the gradient of det does not suffer from rows and columns of different size") {
  const std::vector<double> a{2, 1, -1, 3, 5, 1, -2, 1, 4};
  check_cofactors(a, float64, 1e-13);
  const auto scaled = [&](std::vector<double> rows, std::vector<double> columns) {
    std::vector<double> result = a;
    for (std::size_t k = 0; k < result.size(); ++k) {
      result[k] *= rows[k / 3] * columns[k % 3];
    }
    return result;
  };
  check_cofactors(scaled({1e-8, 1, 1e8}, {1, 1, 1}), float64, 1e-12);
  check_cofactors(scaled({1e-80, 1, 1e60}, {1e20, 1e-40, 1}), float64, 1e-12);
  check_cofactors(scaled({1, 1, 1}, {1e-6, 1e3, 1}), float32, 1e-5);
  // The determinant itself is 0 or infinite in float32, its derivative is not.
  check_cofactors(scaled({1e-16, 1e-16, 1e-16}, {1, 1, 1}), float32, 1e-5);
  check_cofactors(scaled({1e17, 1e17, 1e17}, {1, 1, 1}), float32, 1e-5);
}

TEST_CASE("second derivatives of det of a badly scaled matrix") {
  const Tensor x = tensor({{2e-9, 1e-9}, {3.0, 5.0}}, {.dtype = float64, .requires_grad = true});
  const Tensor first = grad(det(x), {x}, {.create_graph = true})[0];
  check_close(first.to_vector<double>(), {5, -3, -1e-9, 2e-9});
  // d(cofactor of x00)/dx is 1 at x11.
  const Tensor corner = select(select(first, 0, 0), 0, 0);
  check_close(grad(corner, {x})[0].to_vector<double>(), {0, 0, 0, 1});
}

TEST_CASE("qr of columns whose squares over- and underflow") {
  const auto check = [](Dtype dtype, const std::vector<double>& sizes, double tolerance) {
    const Tensor well = rand({4, 3}, {.dtype = float64}, Generator(5)).to(dtype);
    const Tensor factors = from_vector(sizes, {1, 3}).to(dtype);
    const auto [q, r] = qr(well);
    const auto [same, scaled] = qr(well * factors);
    CHECK(allclose(same, q, tolerance, tolerance));
    CHECK(allclose(scaled / factors, r, tolerance, tolerance));
  };
  check(float32, {1e20, 1e-20, 1}, 1e-5);
  check(float32, {1e-30, 1e30, 1e-25}, 1e-5);
  check(float64, {1e160, 1e-160, 1e-300}, 1e-13);
}

TEST_CASE("the gradient of svd of very large and very small matrices") {
  const Tensor well = rand({3, 3}, {.dtype = float64}, Generator(6));
  const auto left = [](const Tensor& x) {
    const Tensor at = x.requires_grad_leaf();
    return grad(sum(square(svd(at).u) * rand({3, 3}, {.dtype = float64}, Generator(7))), {at})[0];
  };
  const Tensor expected = left(well);
  for (double size : {1e-200, 1e-120, 1e120, 1e200}) {
    INFO(size);
    CHECK(allclose(left(well * size) * size, expected, 1e-9, 1e-12));
  }
}

TEST_CASE("errors of matrix functions name the function that was called") {
  const Tensor x = full({2, 2}, std::numeric_limits<double>::quiet_NaN(), {.dtype = float64});
  check_error([&] { eigh(x); }, {"eigh:"});
  check_error([&] { eigvalsh(x); }, {"eigvalsh:"});
  check_error([&] { svd(x); }, {"svd:"});
  check_error([&] { svdvals(x); }, {"svdvals:"});
  const Tensor singular = zeros({2, 2}, {.dtype = float64, .requires_grad = true});
  check_error([&] { logdet(singular).backward(); }, {"logdet:"});
}
