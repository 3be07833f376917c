#include <cadena/autograd/ops/elementary.hpp>
#include <cadena/autograd/ops/functor.hpp>

namespace cadena::ops {
using Rounding = Family<Ceil, Round, Trunc, Fmod, Remainder>;
}

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Rounding, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/rounding.hpp>

#include <cmath>

namespace cadena {

Tensor ceil(const Tensor& x) { return map(ops::Ceil{}, x); }
Tensor round(const Tensor& x) { return map(ops::Round{}, x); }
Tensor trunc(const Tensor& x) { return map(ops::Trunc{}, x); }
Tensor fmod(const Tensor& x, const Tensor& y) { return map(ops::Fmod{}, x, y); }
Tensor remainder(const Tensor& x, const Tensor& y) { return map(ops::Remainder{}, x, y); }

void ops::list_rounding(OpList& list) {
  using Real = long double;
  // Between the steps: at one the plain function has no derivative.
  list.add_unary(Ceil::doc, ceil, [](Real x) { return std::ceil(x); }, 0.2, 0.8, {-2.5});
  list.add_unary(Round::doc, round, [](Real x) { return std::nearbyint(x); }, 0.7, 1.3, {-2});
  list.add_unary(Trunc::doc, trunc, [](Real x) { return std::trunc(x); }, -0.8, 0.8, {0, -2.5});

  const auto division = [&](const Doc& doc, Tensor (*f)(const Tensor&, const Tensor&),
                            Real (*plain)(Real, Real)) {
    const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0], in[1]); };
    // Quotients between 1 and 2, of all signs, and far from both.
    const auto x = [](const Shape& shape, std::uint64_t seed) {
      return sample_values(shape, 1.4, 1.7, seed);
    };
    const auto y = [](const Shape& shape, std::uint64_t seed) {
      return sample_values(shape, 1, 1.1, seed);
    };
    OperatorEntry entry{doc, {}, true, {}, 1, 3};
    entry.samples = {{"all signs",
                      {from_vector<double>({5.5, -5.5, 5.5, -5.5, 0.5, -0.5}, {6}),
                       from_vector<double>({3, 3, -3, -3, 1, 1}, {6})},
                      call},
                     {"random", {x({3, 4}, 1), y({3, 4}, 2)}, call},
                     {"second broadcast", {x({3, 4}, 3), y({4}, 4)}, call},
                     {"first broadcast", {x({3, 1}, 5), y({2, 1, 4}, 6)}, call},
                     {"0-d", {x({}, 7), y({}, 8)}, call},
                     {"empty", {x({0, 4}, 9), y({4}, 10)}, call}};
    entry.reference = [plain](std::span<const Real> in) { return plain(in[0], in[1]); };
    list.add(std::move(entry));
  };
  division(Fmod::doc, fmod, [](Real a, Real b) { return std::fmod(a, b); });
  division(Remainder::doc, remainder, [](Real a, Real b) {
    const Real rest = std::fmod(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  });
}

}  // namespace cadena
#endif
