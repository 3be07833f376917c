#include <cadena/autograd/ops/functor.hpp>

#include <limits>

namespace cadena::ops {

struct Less {
  static constexpr Doc doc{"less", "x < y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return x < y; }
  bool operator==(const Less&) const = default;
};

struct LessEqual {
  static constexpr Doc doc{"less_equal", "x <= y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return x <= y; }
  bool operator==(const LessEqual&) const = default;
};

struct Greater {
  static constexpr Doc doc{"greater", "x > y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return y < x; }
  bool operator==(const Greater&) const = default;
};

struct GreaterEqual {
  static constexpr Doc doc{"greater_equal", "x >= y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return y <= x; }
  bool operator==(const GreaterEqual&) const = default;
};

struct Equal {
  static constexpr Doc doc{"equal", "x = y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return x == y; }
  bool operator==(const Equal&) const = default;
};

struct NotEqual {
  static constexpr Doc doc{"not_equal", "x != y"};
  static constexpr bool predicate = true;
  static constexpr bool integers = true;
  template <class T> typename T::mask_type operator()(T x, T y) const { return x != y; }
  bool operator==(const NotEqual&) const = default;
};

struct Where {
  static constexpr Doc doc{"where", "x if the condition holds, else y", "that of the branch taken"};
  static constexpr Keep keep = Keep::only_input(0);
  static constexpr bool condition = true;
  static constexpr bool integers = true;
  template <class M, class T> T operator()(M mask, T x, T y) const { return where(mask, x, y); }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Where&) const = default;
};

struct Isclose {
  double rtol, atol;
  bool equal_nan;
  static constexpr Doc doc{"isclose", "|x - y| <= atol + rtol |y|"};
  static constexpr bool predicate = true;
  static constexpr double infinity = std::numeric_limits<double>::infinity();
  template <class T> typename T::mask_type operator()(T x, T y) const {
    const T distance = abs(x - y);
    const auto close = (distance <= rtol * abs(y) + atol) & (distance < infinity);
    using Mask = typename T::mask_type;
    return (x == y) | close | (isnan(x) & isnan(y) & Mask(equal_nan));
  }
  bool operator==(const Isclose&) const = default;
};

using Comparison = Family<Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual, Isclose, Where>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Comparison, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/special_values.hpp>

namespace cadena {

Gradients ops::Where::vjp(const Backward& b) const {
  const Tensor mask = b.in(0);
  return {Tensor(), b.needs(1) ? where(mask, b.grad(), 0.0) : Tensor(),
          b.needs(2) ? where(mask, 0.0, b.grad()) : Tensor()};
}

namespace ops {
namespace {

using Byte = std::uint8_t;

void choose_tile(const void*, const std::byte* const* in, std::byte* const* out, std::int64_t n) {
  const auto* truth = reinterpret_cast<const Byte*>(in[0]);
  const auto *x = reinterpret_cast<const Byte*>(in[1]), *y = reinterpret_cast<const Byte*>(in[2]);
  auto* to = reinterpret_cast<Byte*>(out[0]);
  for (std::int64_t i = 0; i < n; ++i) {
    const int all_bits = -truth[i];  // or none
    to[i] = static_cast<Byte>((x[i] & all_bits) | (y[i] & ~all_bits));
  }
}

/// Where of boolean or uint8 inputs of one shape, which stay what they are.
struct WhereBytes {
  static constexpr Doc doc = Where::doc;
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[1]}; }
  void run(Inputs in, Outputs out) const { kernels::run_tiles(choose_tile, nullptr, in, out); }
  bool operator==(const WhereBytes&) const = default;
};

Tensor where_bytes(const Tensor& condition, const Tensor& x, const Tensor& y, Dtype dtype) {
  constexpr const char* operation = Where::doc.name;
  const Shape shape = broadcast_shapes(
      condition.shape(), broadcast_shapes(x.shape(), y.shape(), operation), operation);
  const auto ready = [&](const Tensor& value) {
    if (value.dtype() == Dtype::int64 && !in_range<Byte>(value.item<std::int64_t>())) {
      fail("{}: the number {} is not a uint8; convert the tensor with to(int64)", operation,
           value.item<std::int64_t>());
    }
    return expand(value.to(dtype), shape);
  };
  return bind(WhereBytes{}, expand(condition, shape), ready(x), ready(y));
}

}  // namespace
}  // namespace ops

Tensor less(const Tensor& x, const Tensor& y) { return map(ops::Less{}, x, y); }
Tensor less_equal(const Tensor& x, const Tensor& y) { return map(ops::LessEqual{}, x, y); }
Tensor greater(const Tensor& x, const Tensor& y) { return map(ops::Greater{}, x, y); }
Tensor greater_equal(const Tensor& x, const Tensor& y) { return map(ops::GreaterEqual{}, x, y); }
Tensor equal(const Tensor& x, const Tensor& y) { return map(ops::Equal{}, x, y); }
Tensor not_equal(const Tensor& x, const Tensor& y) { return map(ops::NotEqual{}, x, y); }

Tensor isclose(const Tensor& x, const Tensor& y, double rtol, double atol, bool equal_nan) {
  constexpr const char* operation = ops::Isclose::doc.name;
  if (!(rtol >= 0 && atol >= 0)) {
    fail("{}: expected tolerances >= 0, got rtol {} and atol {}", operation, rtol, atol);
  }
  static_cast<void>(detail::impl_of(x, operation));
  static_cast<void>(detail::impl_of(y, operation));
  const Tensor values[] = {x, y};
  if (!is_floating(result_dtype(values))) {
    return isclose(x.to(Dtype::float64), y.to(Dtype::float64), rtol, atol, equal_nan);
  }
  return map(ops::Isclose{rtol, atol, equal_nan}, x, y);
}

bool allclose(const Tensor& x, const Tensor& y, double rtol, double atol, bool equal_nan) {
  return all(isclose(x, y, rtol, atol, equal_nan)).item<bool>();
}

bool array_equal(const Tensor& x, const Tensor& y, bool equal_nan) {
  constexpr const char* operation = "array_equal";
  if (detail::impl_of(x, operation).shape != detail::impl_of(y, operation).shape) {
    return false;
  }
  const Tensor same = x == y;
  return all(equal_nan ? same | (isnan(x) & isnan(y)) : same).item<bool>();
}

Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y) {
  if (condition.defined() && condition.dtype() == Dtype::boolean && x.defined() && y.defined()) {
    const Tensor values[] = {x, y};
    const Dtype dtype = result_dtype(values);
    if (dtype < Dtype::int64) {
      return ops::where_bytes(condition, x, y, dtype);
    }
  }
  return map(ops::Where{}, condition, x, y);
}

void ops::list_comparisons(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return floor(sample_values(shape, -2, 3, seed));
  };
  const auto compare = [&](const Doc& doc, Tensor (*f)(const Tensor&, const Tensor&)) {
    const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0], in[1]); };
    list.add(
        {doc,
         {{"ties and both sides", {values({4, 5}, 1), values({4, 5}, 2)}, call},
          {"broadcast", {values({4, 5}, 3), values({5}, 4)}, call},
          {"integers", {values({6}, 5).to(Dtype::int64), values({6}, 6).to(Dtype::int64)}, call},
          {"0-d", {values({}, 7), values({}, 8)}, call},
          {"empty", {values({0}, 9), values({0}, 10)}, call}},
         false,
         {}});
  };
  compare(Less::doc, less);
  compare(Greater::doc, greater);
  compare(LessEqual::doc, less_equal);
  compare(GreaterEqual::doc, greater_equal);
  compare(Equal::doc, equal);
  compare(NotEqual::doc, not_equal);
  const auto close = [](bool equal_nan) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return isclose(in[0], in[1], 0.1, 0.5, equal_nan); };
  };
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), infinity = Isclose::infinity;
  const Tensor special = from_vector<double>({nan, infinity, -infinity, 1, 0}, {5});
  list.add({Isclose::doc,
            {{"close and not", {values({4, 5}, 11), values({4, 5}, 12)}, close(false)},
             {"special values", {reshape(special, {5, 1}), special}, close(false)},
             {"equal NaN", {reshape(special, {5, 1}), special}, close(true)},
             {"0-d", {values({}, 13), values({}, 14)}, close(false)},
             {"empty", {values({0}, 15), values({0}, 16)}, close(false)}},
            false,
            {}});
  const OperatorCall choose = [](std::span<const Tensor> in) { return where(in[0], in[1], in[2]); };
  list.add(
      {Where::doc,
       {{"one shape",
         {values({4, 5}, 13) > 0, sample_values({4, 5}, -1, 1, 1), sample_values({4, 5}, -1, 1, 2)},
         choose},
        {"all broadcast",
         {values({4, 1}, 14) > 0, sample_values({5}, -1, 1, 3), sample_values({2, 1, 1}, -1, 1, 4)},
         choose},
        {"0-d",
         {values({}, 15) > 0, sample_values({}, -1, 1, 5), sample_values({}, -1, 1, 6)},
         choose}},
       true,
       {}});
}

}  // namespace cadena
#endif
