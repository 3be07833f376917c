#include <cadena/autograd/ops/functor.hpp>

#include <limits>

namespace cadena::ops {

struct IsNan {
  static constexpr Doc doc{"isnan", "x is not a number"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x) const { return isnan(x); }
  bool operator==(const IsNan&) const = default;
};

// x - x is 0 for what is finite, NaN for the rest.

struct IsInf {
  static constexpr Doc doc{"isinf", "|x| is infinite"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x) const {
    return (x == x) & !(x - x == T(0));
  }
  bool operator==(const IsInf&) const = default;
};

struct IsFinite {
  static constexpr Doc doc{"isfinite", "x is neither NaN nor infinite"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x) const { return x - x == T(0); }
  bool operator==(const IsFinite&) const = default;
};

struct NanToNum {
  double nan, positive, negative;
  static constexpr Doc doc{"nan_to_num", "x, with numbers in place of NaN and infinities",
                           "0 where x is not finite"};
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  template <class T> T operator()(T x) const {
    return where(isnan(x), nan, where(x == infinity, positive, where(x == -infinity, negative, x)));
  }
  template <class T> T derivative(T x) const {
    return where(x - x == 0.0, full_like(x, 1.0), full_like(x, 0.0));
  }
  bool operator==(const NanToNum&) const = default;
};

using SpecialValues = Family<IsNan, IsInf, IsFinite, NanToNum>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::SpecialValues, cadena::kernels::Arch>;
#else
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/special_values.hpp>

namespace cadena {

Tensor isnan(const Tensor& x) { return map(ops::IsNan{}, x); }
Tensor isinf(const Tensor& x) { return map(ops::IsInf{}, x); }
Tensor isfinite(const Tensor& x) { return map(ops::IsFinite{}, x); }

Tensor nan_to_num(const Tensor& x, double nan, std::optional<double> posinf,
                  std::optional<double> neginf) {
  const Dtype dtype = detail::impl_of(x, ops::NanToNum::doc.name).dtype;
  if (!is_floating(dtype)) {
    return x;
  }
  const double largest = dtype == Dtype::float32 ? double{std::numeric_limits<float>::max()}
                                                 : std::numeric_limits<double>::max();
  return map(ops::NanToNum{nan, posinf.value_or(largest), neginf.value_or(-largest)}, x);
}

void ops::list_special_values(OpList& list) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = NanToNum::infinity;
  const Tensor special =
      from_vector<double>({0, -1.5, nan, infinity, -infinity, 1e-310, 1e308, nan}, {2, 4});
  const auto predicate = [&](const Doc& doc, Tensor (*f)(const Tensor&)) {
    const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0]); };
    list.add({doc,
              {{"special values", {special}, call},
               {"not contiguous", {sample_values({2, 3}, -1, 1, 1) / 0.0}, call},
               {"0-d", {sample_values({}, -1, 1, 2)}, call},
               {"empty", {sample_values({0, 3}, -1, 1, 3)}, call}},
              false,
              {}});
  };
  predicate(IsNan::doc, isnan);
  predicate(IsInf::doc, isinf);
  predicate(IsFinite::doc, isfinite);
  const OperatorCall plain = [](std::span<const Tensor> in) { return nan_to_num(in[0]); };
  const OperatorCall given = [](std::span<const Tensor> in) {
    return nan_to_num(in[0], 3, 100, -200);
  };
  list.add({NanToNum::doc,
            {{"finite", {sample_values({3, 4}, -2, 2, 4)}, plain},
             {"not finite", {special}, given, false},
             {"not finite, by default", {special}, plain, false},
             {"0-d", {sample_values({}, -2, 2, 5)}, plain},
             {"empty", {sample_values({0, 3}, -2, 2, 6)}, plain}}});
}

}  // namespace cadena
#endif
