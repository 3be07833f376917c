#include <cadena/autograd/ops/functor.hpp>

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
  static constexpr Doc doc{"where", "x if the condition holds, else y"};
  static constexpr Keep keep = Keep::only_input(0);
  static constexpr bool condition = true;
  static constexpr bool integers = true;
  template <class M, class T> T operator()(M mask, T x, T y) const { return where(mask, x, y); }
  Gradients vjp(const Backward& b) const;
  bool operator==(const Where&) const = default;
};

using Comparison = Family<Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual, Where>;

}  // namespace cadena::ops

#ifdef CADENA_KERNEL_PASS
#include <cadena/autograd/kernels/loops.hpp>

template struct cadena::kernels::Loops<cadena::ops::Comparison, cadena::kernels::Arch>;
#else
#include <cadena/autograd/graph/map.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/list.hpp>

#include <type_traits>

namespace cadena {

Gradients ops::Where::vjp(const Backward& b) const {
  const Tensor mask = b.in(0);
  return {Tensor(), b.needs(1) ? where(mask, b.grad(), 0.0) : Tensor(),
          b.needs(2) ? where(mask, 0.0, b.grad()) : Tensor()};
}

namespace ops {
namespace {

using Byte = std::uint8_t;

/// Logic of truth values, which are bytes of 0 and 1. As such, without jumps, the loops become
/// vectors.
template <class F>
void truth_tile(const void*, const std::byte* const* in, std::byte* const* out, std::int64_t n) {
  const auto* x = reinterpret_cast<const Byte*>(in[0]);
  auto* to = reinterpret_cast<Byte*>(out[0]);
  if constexpr (std::is_invocable_v<F, Byte>) {
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = static_cast<Byte>(F{}(x[i]));
    }
  } else {
    const auto* y = reinterpret_cast<const Byte*>(in[1]);
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = static_cast<Byte>(F{}(x[i], y[i]));
    }
  }
}

struct LogicalAnd {
  static constexpr Doc doc{"logical_and", "x and y"};
  int operator()(Byte x, Byte y) const { return x & y; }
};

struct LogicalOr {
  static constexpr Doc doc{"logical_or", "x or y"};
  int operator()(Byte x, Byte y) const { return x | y; }
};

struct LogicalNot {
  static constexpr Doc doc{"logical_not", "not x"};
  int operator()(Byte x) const { return x ^ 1; }
};

/// Of inputs of one shape.
template <class F> struct Logic {
  static constexpr Doc doc = F::doc;
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const {
    for (const Type& type : in) {
      if (type.dtype != Dtype::boolean) {
        fail("{}: expected boolean tensors, got {}", doc.name, name(type.dtype));
      }
    }
    return {{Dtype::boolean, in[0].shape}};
  }
  void run(Inputs in, Outputs out) const { kernels::run_tiles(truth_tile<F>, nullptr, in, out); }
  bool operator==(const Logic&) const = default;
};

template <class F> Tensor logic(const Tensor& x, const Tensor& y) {
  const Shape shape = broadcast_shapes(cadena::detail::impl_of(x, F::doc.name).shape,
                                       cadena::detail::impl_of(y, F::doc.name).shape, F::doc.name);
  return bind(Logic<F>{}, expand(x, shape), expand(y, shape));
}

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

Tensor logical_and(const Tensor& x, const Tensor& y) { return ops::logic<ops::LogicalAnd>(x, y); }
Tensor logical_or(const Tensor& x, const Tensor& y) { return ops::logic<ops::LogicalOr>(x, y); }
Tensor logical_not(const Tensor& x) { return bind(ops::Logic<ops::LogicalNot>{}, x); }

Tensor less(const Tensor& x, const Tensor& y) { return map(ops::Less{}, x, y); }
Tensor less_equal(const Tensor& x, const Tensor& y) { return map(ops::LessEqual{}, x, y); }
Tensor greater(const Tensor& x, const Tensor& y) { return map(ops::Greater{}, x, y); }
Tensor greater_equal(const Tensor& x, const Tensor& y) { return map(ops::GreaterEqual{}, x, y); }
Tensor equal(const Tensor& x, const Tensor& y) { return map(ops::Equal{}, x, y); }
Tensor not_equal(const Tensor& x, const Tensor& y) { return map(ops::NotEqual{}, x, y); }

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
  const auto logical = [&](const Doc& doc, OperatorCall call) {
    const Tensor x = values({4, 5}, 11) > 0, y = values({5}, 12) > 0;
    list.add({doc, {{"all cases", {x, y}, std::move(call)}}, false, {}});
  };
  logical(LogicalAnd::doc, [](std::span<const Tensor> in) { return in[0] & in[1]; });
  logical(LogicalOr::doc, [](std::span<const Tensor> in) { return in[0] | in[1]; });
  logical(LogicalNot::doc, [](std::span<const Tensor> in) { return !in[0]; });
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
