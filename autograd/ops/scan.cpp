#include <cadena/autograd/kernels/scan.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/fused.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/scan.hpp>
#include <cadena/autograd/ops/scan_layout.hpp>
#include <cadena/autograd/ops/slice.hpp>

#include <limits>

namespace cadena {
namespace ops {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::string attributes_of(int axis, bool reverse) {
  return fmt::format("axis {}{}", axis, reverse ? " from the end" : "");
}

/// y_i = x_(i-1), and `first` at 0.
Tensor delayed(const Tensor& x, int axis, double first) {
  const std::int64_t length = x.size(axis);
  if (length == 0) {
    return x;
  }
  std::vector<PadWidths> widths(static_cast<std::size_t>(x.dim()));
  widths[static_cast<std::size_t>(axis)].before = 1;
  return pad(slice(x, axis, 0, length - 1), widths, first);
}

/// Calls body.operator()<T>() for int64 or a floating dtype.
template <class Body> void dispatch_numbers(Dtype dtype, const char* operation, Body&& body) {
  if (dtype == Dtype::int64) {
    body.template operator()<std::int64_t>();
  } else {
    dispatch_floating(dtype, operation, body);
  }
}

struct CumulativeSum {
  int axis;
  bool reverse;
  static constexpr Doc doc{"cumsum", "y_i = x_0 + ... + x_i along an axis"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_numbers(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::cumsum(reduce_shape(in[0].shape(), {axis}), reverse, in[0].data<T>(),
                      out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const { return {bind(CumulativeSum{axis, !reverse}, b.grad())}; }
  std::string attributes() const { return attributes_of(axis, reverse); }
  bool operator==(const CumulativeSum&) const = default;
};

/// Of inputs a and b; with `reverse` the transpose of that, as a map from b to y.
struct Recurrence {
  int axis;
  bool reverse;
  static constexpr Doc doc{"recurrence", "y_i = b_i + a_i y_(i-1) along an axis, y_0 = b_0"};
  static constexpr Keep keep{1, true};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::recurrence(reduce_shape(in[0].shape(), {axis}), reverse, in[0].data<T>(),
                          in[1].data<T>(), out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    const Tensor back = bind(Recurrence{axis, !reverse}, b.in(0), b.grad());
    // a_i stands between y_(i-1) and the gradient at i; reversed, the other way round.
    const auto slope = [&] {
      return reverse ? delayed(back, axis, 0) * b.out() : back * delayed(b.out(), axis, 0);
    };
    return {b.needs(0) ? slope() : Tensor(), back};
  }
  std::string attributes() const { return attributes_of(axis, reverse); }
  bool operator==(const Recurrence&) const = default;
};

struct CumulativeProduct {
  int axis;
  static constexpr Doc doc{"cumprod", "y_i = x_0 ... x_i along an axis"};
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_numbers(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::cumprod(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(), out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    // The factors before x_i, times g_i + x_(i+1) (g_(i+1) + x_(i+2) (g_(i+2) + ...)). Behind a
    // zero among the former the latter count for nothing, too large for the dtype or not.
    return {absorbing_product(delayed(b.out(), axis, 1),
                              bind(Recurrence{axis, true}, b.in(0), b.grad()))};
  }
  std::string attributes() const { return attributes_of(axis, false); }
  bool operator==(const CumulativeProduct&) const = default;
};

struct LogCumulativeSumExp {
  int axis;
  static constexpr Doc doc{"logcumsumexp", "y_i = log(e^(x_0) + ... + e^(x_i)) along an axis",
                           "0 where all elements so far are -infinity"};
  static constexpr Keep keep = Keep::both;
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::logcumsumexp(reduce_shape(in[0].shape(), {axis}), in[0].data<T>(), out[0].data<T>());
    });
  }
  Gradients vjp(const Backward& b) const {
    // The sum of g_k e^(x_i - y_k) over k >= i, as e^(x_i - y_i) (g_i + e^(y_i - y_(i+1)) (...)):
    // y grows, so no exponential overflows. Equal infinities are 0 apart; x_i = -infinity weighs
    // nothing.
    const Tensor& x = b.in(0);
    const Tensor y = b.out(), values = y.detach(), before = delayed(y, axis, -infinity);
    const Tensor infinite = abs(values) == infinity;
    const Tensor decay = exp(where(infinite & (before.detach() == values), 0.0, before - y));
    const Tensor weight =
        exp(where(values == -infinity, -infinity, where(x.detach() == infinity, 0.0, x - y)));
    return {weight * bind(Recurrence{axis, true}, decay, b.grad())};
  }
  std::string attributes() const { return attributes_of(axis, false); }
  bool operator==(const LogCumulativeSumExp&) const = default;
};

template <bool largest> struct CumulativeExtreme {
  int axis;
  static constexpr const char* at_ties = "the last of equal elements";
  static constexpr Doc doc = largest ? Doc{"cummax", "the largest of x_0, ..., x_i", at_ties}
                                     : Doc{"cummin", "the smallest of x_0, ..., x_i", at_ties};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const { return {in[0], {Dtype::int64, in[0].shape}}; }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), {axis});
    dispatch_numbers(in[0].dtype(), doc.name, [&]<class T>() {
      auto* places = out[1].data<std::int64_t>();
      largest ? kernels::cummax(shape, in[0].data<T>(), out[0].data<T>(), places)
              : kernels::cummin(shape, in[0].data<T>(), out[0].data<T>(), places);
    });
  }
  Gradients vjp(const Backward& b) const { return to_places(b, axis); }
  std::string attributes() const { return attributes_of(axis, false); }
  bool operator==(const CumulativeExtreme&) const = default;
};

/// The outputs of make(axis) along an axis of x.
template <class Make>
Tensors scan(const char* operation, const Tensor& x, std::int64_t axis, Make make) {
  return with_axis(operation, x, axis, [&](const Tensor& numbers, int normal) {
    const kernels::ReduceShape s = reduce_shape(numbers.shape(), {normal});
    // A few long columns are work for few lanes and threads: they are laid out as rows.
    constexpr std::int64_t narrow = 16, few = 512, tall = 4096;
    if (s.inner == 1 || (s.inner >= narrow && (s.outer * s.inner >= few || s.reduced < tall))) {
      return bind_all(make(normal), {&numbers, 1});
    }
    const Tensor rows = transpose(numbers, normal, -1);
    Tensors results = bind_all(make(rows.dim() - 1), {&rows, 1});
    for (Tensor& result : results) {
      result = contiguous(transpose(result, normal, -1));
    }
    return results;
  });
}

/// bool and uint8 hold data; numbers to compute with are int64.
Tensor numbers_of(const char* operation, const Tensor& x) {
  return detail::impl_of(x, operation).dtype < Dtype::int64 ? x.to(Dtype::int64) : x;
}

template <bool largest> ValuesAndIndices extreme(const Tensor& x, std::int64_t axis) {
  const char* operation = CumulativeExtreme<largest>::doc.name;
  ValuesAndIndices result =
      values_and_indices(scan(operation, numbers_of(operation, x), axis,
                              [](int normal) { return CumulativeExtreme<largest>{normal}; }));
  result.values = result.values.to(x.dtype());
  return result;
}

}  // namespace
}  // namespace ops

Tensor cumsum(const Tensor& x, std::int64_t axis) {
  return std::move(ops::scan("cumsum", ops::numbers_of("cumsum", x), axis, [](int normal) {
    return ops::CumulativeSum{normal, false};
  })[0]);
}

Tensor cumprod(const Tensor& x, std::int64_t axis) {
  return std::move(ops::scan("cumprod", ops::numbers_of("cumprod", x), axis,
                             [](int normal) { return ops::CumulativeProduct{normal}; })[0]);
}

Tensor logcumsumexp(const Tensor& x, std::int64_t axis) {
  detail::impl_of(x, "logcumsumexp");  // undefined ones are named
  return std::move(ops::scan("logcumsumexp", ops::floating(x), axis,
                             [](int normal) { return ops::LogCumulativeSumExp{normal}; })[0]);
}

ValuesAndIndices cummax(const Tensor& x, std::int64_t axis) { return ops::extreme<true>(x, axis); }
ValuesAndIndices cummin(const Tensor& x, std::int64_t axis) { return ops::extreme<false>(x, axis); }

namespace ops {
namespace {

using Scan = Tensor (*)(const Tensor&, std::int64_t);

std::vector<Sample> scan_samples(Scan scan, std::vector<Sample> samples = {}) {
  const auto along = [scan](std::int64_t axis) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return scan(in[0], axis); };
  };
  const std::vector<Sample> usual{
      {"rows", {sample_values({3, 4}, -2, 2, 1)}, along(-1)},
      {"columns", {sample_values({4, 3}, -2, 2, 2)}, along(0)},
      {"middle axis", {sample_values({2, 3, 2}, -2, 2, 3)}, along(-2)},
      {"wide columns", {sample_values({3, 18}, -2, 2, 4)}, along(0)},
      {"long row", {sample_values({30}, -1.5, 1.5, 5)}, along(0)},
      {"one element a row", {sample_values({3, 1}, -2, 2, 6)}, along(1)},
      {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 7))}, along(-1)},
      {"0-d", {sample_values({}, 1, 2, 8)}, along(-1)},
      {"no rows", {sample_values({0, 3}, -2, 2, 9)}, along(1)},
      {"rows of nothing", {sample_values({3, 0}, -2, 2, 10)}, along(1)},
  };
  samples.insert(samples.end(), usual.begin(), usual.end());
  return samples;
}

Sample scan_sample(const char* what, Scan scan, const Tensor& x, bool gradient = true) {
  return {what, {x}, [=](std::span<const Tensor> in) { return scan(in[0], -1); }, gradient};
}

}  // namespace

void list_scans(OpList& list) {
  list.add({CumulativeSum::doc, scan_samples(cumsum)});
  const Tensor with_zeros = from_vector<double>({2, 0, 3, -1, 0, 0, 4, 2, 1, 3, -2, 0}, {3, 4});
  list.add(
      {CumulativeProduct::doc, scan_samples(cumprod, {scan_sample("zeros", cumprod, with_zeros)})});
  const Tensor far_apart = from_vector<double>({1e4, 9999, 0, -1e4, -9999, 1e4}, {2, 3});
  const Tensor infinities =
      from_vector<double>({-infinity, -infinity, 1, -infinity, 2, infinity, 3, infinity}, {2, 4});
  list.add(
      {LogCumulativeSumExp::doc,
       scan_samples(logcumsumexp, {scan_sample("large and small", logcumsumexp, far_apart),
                                   scan_sample("infinities", logcumsumexp, infinities, false)})});
  const Tensor tied = from_vector<double>({1, 3, 3, 2, -1, -1, -2, -2}, {2, 4});
  const Scan largest = [](const Tensor& x, std::int64_t axis) { return cummax(x, axis).values; };
  const Scan smallest = [](const Tensor& x, std::int64_t axis) { return cummin(x, axis).values; };
  list.add(
      {CumulativeExtreme<true>::doc, scan_samples(largest, {scan_sample("ties", largest, tied)})});
  list.add({CumulativeExtreme<false>::doc,
            scan_samples(smallest, {scan_sample("ties", smallest, tied)})});
}

}  // namespace ops
}  // namespace cadena
