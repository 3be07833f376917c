#include <cadena/autograd/kernels/factor.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <algorithm>

namespace cadena::kernels {
namespace {

/// body.operator()<Arch>(range) over all matrices, each of which takes about so many operations.
template <class Body> void each_range(std::int64_t count, double operations, Body&& body) {
  // Small matrices go together until a piece is worth its price: some 10 us at the rate they reach.
  const double together = std::clamp(2e4 / (500 + operations), 1.0, 1e6);
  parallel_for(count, static_cast<std::int64_t>(together),
               [&](std::int64_t begin, std::int64_t end) {
                 at_level([&]<class Arch>() { body.template operator()<Arch>(Range{begin, end}); });
               });
}

/// As above, with a place for what became of each matrix.
template <class Body>
std::optional<Failure> each_checked(std::int64_t count, double operations, Body&& body) {
  const Scratch<Outcome> memory(count);
  Outcome* outcomes = memory.data();
  each_range(count, operations,
             [&]<class Arch>(Range range) { body.template operator()<Arch>(range, outcomes); });
  const Outcome* wrong =
      std::find_if(outcomes, outcomes + count, [](Outcome outcome) { return outcome != done; });
  if (wrong == outcomes + count) {
    return {};
  }
  return Failure{wrong - outcomes, *wrong};
}

double product(std::int64_t a, std::int64_t b, std::int64_t c) {
  return static_cast<double>(a) * static_cast<double>(b) * static_cast<double>(c);
}

}  // namespace

template <class T>
void determinants(std::int64_t count, std::int64_t n, const T* a, Determinant* results) {
  each_range(count, product(n, n, n),
             [=]<class Arch>(Range range) { determinants<Arch>(range, n, a, results); });
}

template <class T>
std::optional<Failure> solve_by_lu(std::int64_t count, std::int64_t n, std::int64_t columns,
                                   const T* a, const T* b, T* x) {
  return each_checked(count, product(n, n, n + 2 * columns),
                      [=]<class Arch>(Range range, Outcome* outcomes) {
                        solve_by_lu<Arch>(range, n, columns, a, b, x, outcomes);
                      });
}

template <class T>
void solve_triangular(std::int64_t count, std::int64_t n, std::int64_t columns, bool upper,
                      bool unit, const T* a, const T* b, T* x) {
  each_range(count, product(n, n, columns), [=]<class Arch>(Range range) {
    solve_triangular<Arch>(range, n, columns, upper, unit, a, b, x);
  });
}

template <class T>
std::optional<Failure> cholesky(std::int64_t count, std::int64_t n, const T* a, T* l) {
  return each_checked(count, product(n, n, n) / 2, [=]<class Arch>(Range range, Outcome* outcomes) {
    cholesky<Arch>(range, n, a, l, outcomes);
  });
}

template <class T>
void qr(std::int64_t count, std::int64_t rows, std::int64_t columns, const T* a, T* q, T* r) {
  each_range(count, 4 * product(rows, columns, std::min(rows, columns)),
             [=]<class Arch>(Range range) { qr<Arch>(range, rows, columns, a, q, r); });
}

template <class T>
std::optional<Failure> eigh(std::int64_t count, std::int64_t n, const T* a, T* values, T* vectors) {
  return each_checked(count, 15 * product(n, n, n),
                      [=]<class Arch>(Range range, Outcome* outcomes) {
                        eigh<Arch>(range, n, a, values, vectors, outcomes);
                      });
}

template <class T>
std::optional<Failure> svd(std::int64_t count, std::int64_t rows, std::int64_t columns, const T* a,
                           T* u, T* s, T* vh) {
  return each_checked(count, 30 * product(rows, columns, std::min(rows, columns)),
                      [=]<class Arch>(Range range, Outcome* outcomes) {
                        svd<Arch>(range, rows, columns, a, u, s, vh, outcomes);
                      });
}

#define CADENA_INSTANTIATE(T)                                                                     \
  template void determinants(std::int64_t, std::int64_t, const T*, Determinant*);                 \
  template std::optional<Failure> solve_by_lu(std::int64_t, std::int64_t, std::int64_t, const T*, \
                                              const T*, T*);                                      \
  template void solve_triangular(std::int64_t, std::int64_t, std::int64_t, bool, bool, const T*,  \
                                 const T*, T*);                                                   \
  template std::optional<Failure> cholesky(std::int64_t, std::int64_t, const T*, T*);             \
  template void qr(std::int64_t, std::int64_t, std::int64_t, const T*, T*, T*);                   \
  template std::optional<Failure> eigh(std::int64_t, std::int64_t, const T*, T*, T*);             \
  template std::optional<Failure> svd(std::int64_t, std::int64_t, std::int64_t, const T*, T*, T*, \
                                      T*);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
