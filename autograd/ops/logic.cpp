#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/logic.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

namespace cadena {
namespace ops {
namespace {

using Byte = std::uint8_t;

// Functions of bits. Truth values are bytes of 0 and 1.

struct And {
  template <class T> T operator()(T x, T y) const { return static_cast<T>(x & y); }
};
struct Or {
  template <class T> T operator()(T x, T y) const { return static_cast<T>(x | y); }
};
struct Xor {
  template <class T> T operator()(T x, T y) const { return static_cast<T>(x ^ y); }
};
struct Not {
  template <class T> T operator()(T x) const { return static_cast<T>(~x); }
};
struct NotTrue {
  template <class T> T operator()(T x) const { return static_cast<T>(x ^ 1); }
};

template <class T> constexpr int bits = 8 * static_cast<int>(sizeof(T));
template <class T> constexpr bool in_bits(T y) { return y >= 0 && y < bits<T>; }

struct ShiftLeft {
  template <class T> T operator()(T x, T y) const {
    const T by = in_bits(y) ? y : T{0};
    const auto shifted = static_cast<T>(static_cast<std::uint64_t>(x) << by);
    return in_bits(y) ? shifted : T{0};
  }
};
struct ShiftRight {
  template <class T> T operator()(T x, T y) const {
    constexpr T most = bits<T> - 1;
    // In two steps, since a machine shifts by its word's bits less one at most.
    return static_cast<T>(in_bits(y) ? x >> y : x >> most >> 1);
  }
};

/// As such, without jumps, the loops become vectors.
template <class F, class T>
void bit_tile(const void*, const std::byte* const* in, std::byte* const* out, std::int64_t n) {
  const T* x = reinterpret_cast<const T*>(in[0]);
  T* to = reinterpret_cast<T*>(out[0]);
  if constexpr (std::is_invocable_v<F, T>) {
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = F{}(x[i]);
    }
  } else {
    const T* y = reinterpret_cast<const T*>(in[1]);
    for (std::int64_t i = 0; i < n; ++i) {
      to[i] = F{}(x[i], y[i]);
    }
  }
}

enum class Operation { land, lor, lxor, lnot, band, bor, bxor, bnot, left, right };

constexpr Doc docs[] = {
    {"logical_and", "x and y"},
    {"logical_or", "x or y"},
    {"logical_xor", "either x or y"},
    {"logical_not", "not x"},
    {"bitwise_and", "x and y, bit by bit"},
    {"bitwise_or", "x or y, bit by bit"},
    {"bitwise_xor", "either x or y, bit by bit"},
    {"bitwise_not", "not x, bit by bit"},
    {"bitwise_left_shift", "x 2^y"},
    {"bitwise_right_shift", "floor(x / 2^y)"},
};

constexpr const Doc& doc_of(Operation operation) { return docs[static_cast<int>(operation)]; }

/// Of inputs of one shape and of one dtype, boolean, uint8 or int64.
template <class F, Operation operation> struct Bits {
  static constexpr Doc doc = doc_of(operation);
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    const bool bytes = in[0].dtype() != Dtype::int64;
    kernels::run_tiles(bytes ? bit_tile<F, Byte> : bit_tile<F, std::int64_t>, nullptr, in, out);
  }
  bool operator==(const Bits&) const = default;
};

Tensor truth_of(Operation operation, const Tensor& x) {
  static_cast<void>(detail::impl_of(x, doc_of(operation).name));
  return x.to(Dtype::boolean);
}

template <class F, Operation operation> Tensor logical(const Tensor& x, const Tensor& y) {
  const Tensor a = truth_of(operation, x), b = truth_of(operation, y);
  const Shape shape = broadcast_shapes(a.shape(), b.shape(), doc_of(operation).name);
  return bind(Bits<F, operation>{}, expand(a, shape), expand(b, shape));
}

/// Throws unless the dtype has bits to work with: a truth value cannot be shifted.
void check_bits(Operation operation, Dtype dtype) {
  const bool shift = operation >= Operation::left;
  if (is_floating(dtype) || (shift && dtype == Dtype::boolean)) {
    fail("{}: expected int64{} uint8{}, got {}; convert with to(...)", doc_of(operation).name,
         shift ? " or" : ",", shift ? "" : " or boolean", name(dtype));
  }
}

/// x in a dtype of the same category. A number must have a place there.
Tensor in_dtype(const char* operation, const Tensor& x, Dtype dtype) {
  if (dtype == Dtype::uint8 && x.dtype() == Dtype::int64 &&
      !in_range<Byte>(x.item<std::int64_t>())) {
    fail("{}: the number {} is not a uint8; convert the tensor with to(int64)", operation,
         x.item<std::int64_t>());
  }
  return x.to(dtype);
}

/// Throws if a finite number is infinite in float32.
void check_float32(const char* operation, double value) {
  if (std::isfinite(value) && std::isinf(static_cast<float>(value))) {
    fail("{}: the number {} is beyond float32; convert the tensor with to(float64)", operation,
         value);
  }
}

template <class F, Operation operation> Tensor bitwise(const Tensor& x, const Tensor& y) {
  constexpr const char* name = doc_of(operation).name;
  const Shape shape =
      broadcast_shapes(detail::impl_of(x, name).shape, detail::impl_of(y, name).shape, name);
  const Dtype dtype = result_dtype(std::array{x, y});
  check_bits(operation, dtype);
  return bind(Bits<F, operation>{}, expand(in_dtype(name, x, dtype), shape),
              expand(in_dtype(name, y, dtype), shape));
}

constexpr Doc fill_doc{"masked_fill", "value where the mask holds, else x",
                       "that of the branch taken"};

}  // namespace
}  // namespace ops

using ops::Operation;

Tensor logical_and(const Tensor& x, const Tensor& y) {
  return ops::logical<ops::And, Operation::land>(x, y);
}
Tensor logical_or(const Tensor& x, const Tensor& y) {
  return ops::logical<ops::Or, Operation::lor>(x, y);
}
Tensor logical_xor(const Tensor& x, const Tensor& y) {
  return ops::logical<ops::Xor, Operation::lxor>(x, y);
}
Tensor logical_not(const Tensor& x) {
  return bind(ops::Bits<ops::NotTrue, Operation::lnot>{}, ops::truth_of(Operation::lnot, x));
}
Tensor bitwise_and(const Tensor& x, const Tensor& y) {
  return ops::bitwise<ops::And, Operation::band>(x, y);
}
Tensor bitwise_or(const Tensor& x, const Tensor& y) {
  return ops::bitwise<ops::Or, Operation::bor>(x, y);
}
Tensor bitwise_xor(const Tensor& x, const Tensor& y) {
  return ops::bitwise<ops::Xor, Operation::bxor>(x, y);
}
Tensor bitwise_not(const Tensor& x) {
  const Dtype dtype = detail::impl_of(x, ops::doc_of(Operation::bnot).name).dtype;
  ops::check_bits(Operation::bnot, dtype);
  return dtype == Dtype::boolean ? bind(ops::Bits<ops::NotTrue, Operation::bnot>{}, x)
                                 : bind(ops::Bits<ops::Not, Operation::bnot>{}, x);
}
Tensor bitwise_left_shift(const Tensor& x, const Tensor& y) {
  return ops::bitwise<ops::ShiftLeft, Operation::left>(x, y);
}
Tensor bitwise_right_shift(const Tensor& x, const Tensor& y) {
  return ops::bitwise<ops::ShiftRight, Operation::right>(x, y);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value) {
  constexpr const char* operation = ops::fill_doc.name;
  const Shape shape = broadcast_shapes(detail::impl_of(x, operation).shape,
                                       detail::impl_of(mask, operation).shape, operation);
  if (mask.dtype() != Dtype::boolean) {
    fail("{}: the mask is {}, expected boolean", operation, name(mask.dtype()));
  }
  if (!detail::impl_of(value, operation).shape.empty()) {
    fail("{}: the value has shape {}, expected a number or a 0-d tensor; see where", operation,
         value.shape());
  }
  const auto category = [](Dtype dtype) {
    return dtype == Dtype::boolean ? 0 : is_floating(dtype) ? 2 : 1;
  };
  if (category(value.dtype()) > category(x.dtype())) {
    fail("{}: a tensor of {} cannot hold a value of {}; convert it with to(...)", operation,
         name(x.dtype()), name(value.dtype()));
  }
  if (x.dtype() == Dtype::float32) {
    detail::check_values(operation, value.to(Dtype::float64), [](const Input& number) {
      ops::check_float32(operation, *number.data<double>());
    });
  }
  return where(mask, ops::in_dtype(operation, value, x.dtype()), expand(x, shape));
}

void ops::list_logic(OpList& list) {
  using Binary = Tensor (*)(const Tensor&, const Tensor&);
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return floor(sample_values(shape, -2, 3, seed));
  };
  const auto pairs = [&](Operation operation, Binary f, Dtype dtype, bool of_floats) {
    const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0], in[1]); };
    const auto in = [&](const Shape& shape, std::uint64_t seed) {
      return abs(values(shape, seed)).to(dtype);
    };
    std::vector<Sample> samples{{"one shape", {in({4, 5}, 1), in({4, 5}, 2)}, call},
                                {"broadcast", {in({4, 1}, 3), in({2, 1, 5}, 4)}, call},
                                {"not contiguous", {transpose(in({5, 4}, 5)), in({4, 5}, 6)}, call},
                                {"0-d", {in({}, 7), in({}, 8)}, call},
                                {"empty", {in({0, 5}, 9), in({5}, 10)}, call}};
    if (of_floats) {
      samples.push_back({"of numbers", {values({4, 5}, 11), values({4, 5}, 12)}, call});
    }
    list.add({doc_of(operation), std::move(samples), false, {}});
  };
  const auto single = [&](Operation operation, Tensor (*f)(const Tensor&), Dtype dtype) {
    const OperatorCall call = [f](std::span<const Tensor> in) { return f(in[0]); };
    list.add({doc_of(operation),
              {{"all cases", {values({4, 5}, 13).to(dtype)}, call},
               {"truth values", {values({4, 5}, 14) > 0}, call},
               {"0-d", {values({}, 15).to(dtype)}, call},
               {"empty", {values({0, 5}, 16).to(dtype)}, call}},
              false,
              {}});
  };
  pairs(Operation::land, logical_and, Dtype::boolean, true);
  pairs(Operation::lor, logical_or, Dtype::boolean, true);
  pairs(Operation::lxor, logical_xor, Dtype::boolean, true);
  single(Operation::lnot, logical_not, Dtype::float64);
  pairs(Operation::band, bitwise_and, Dtype::int64, false);
  pairs(Operation::bor, bitwise_or, Dtype::int64, false);
  pairs(Operation::bxor, bitwise_xor, Dtype::uint8, false);
  single(Operation::bnot, bitwise_not, Dtype::int64);
  pairs(Operation::left, bitwise_left_shift, Dtype::int64, false);
  pairs(Operation::right, bitwise_right_shift, Dtype::int64, false);

  const OperatorCall fill = [](std::span<const Tensor> in) {
    return masked_fill(in[0], in[1], in[2]);
  };
  const OperatorCall with_number = [](std::span<const Tensor> in) {
    return masked_fill(in[0], in[1], -std::numeric_limits<double>::infinity());
  };
  const Tensor x = sample_values({4, 5}, -2, 2, 17), value = sample_values({}, -2, 2, 18);
  list.add({fill_doc,
            {{"a 0-d value", {x, values({4, 5}, 19) > 0, value}, fill},
             {"a mask that is broadcast", {x, values({5}, 20) > 0, value}, fill},
             {"x broadcast", {sample_values({5}, -2, 2, 21), values({4, 1}, 22) > 0, value}, fill},
             {"not contiguous", {transpose(x), transpose(values({4, 5}, 23)) > 0, value}, fill},
             {"a number", {x, values({4, 5}, 24) > 0}, with_number},
             {"0-d", {sample_values({}, -2, 2, 25), values({}, 26) > 0, value}, fill},
             {"empty", {sample_values({0, 5}, -2, 2, 27), values({5}, 28) > 0, value}, fill}}});
}

}  // namespace cadena
