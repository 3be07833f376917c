#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/count.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/reduce_layout.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>

#include <type_traits>

namespace cadena {
namespace ops {
namespace {

constexpr Doc any_doc{"any", "some x over axes is not 0"};
constexpr Doc all_doc{"all", "no x over axes is 0"};
constexpr Doc count_doc{"count_nonzero", "the number of x over axes that are not 0"};

/// Over neighbouring axes.
struct Count {
  Axes axes;
  bool keepdim;
  static constexpr const Doc& doc = count_doc;

  Types infer(std::span<const Type> in) const {
    return {{Dtype::int64, reduced_shape(in[0].shape, axes, keepdim)}};
  }
  void run(Inputs in, Outputs out) const {
    const kernels::ReduceShape shape = reduce_shape(in[0].shape(), axes);
    dispatch(in[0].dtype(), [&]<class T>() {
      // Truth values are bytes of 0 and 1.
      using Number = std::conditional_t<std::is_same_v<T, bool>, std::uint8_t, T>;
      kernels::count_nonzero(shape, reinterpret_cast<const Number*>(in[0].data<T>()),
                             out[0].data<std::int64_t>());
    });
  }
  std::string attributes() const { return attributes_of(axes, keepdim); }
  bool operator==(const Count&) const = default;
};

/// `operation` is named in errors.
Tensor count(const char* operation, const Tensor& x, const Axes& axes, bool keepdim) {
  const int rank = detail::impl_of(x, operation).shape.size();
  const Axes normal = normalize_axes(axes, rank, operation);
  if (rank == 0) {
    return reshape(count(operation, reshape(x, {1}), {0}, false), {});
  }
  // The last run of neighbouring axes in one pass over memory; of the rest numbers are left.
  int first = normal.size() - 1;
  while (first > 0 && normal[first - 1] == normal[first] - 1) {
    --first;
  }
  const Axes before = std::span(normal.begin(), normal.begin() + first);
  const Axes last = std::span(normal.begin() + first, normal.end());
  Tensor result = bind(Count{last, keepdim}, x);
  return before.empty() ? result : sum(result, before, keepdim);
}

}  // namespace
}  // namespace ops

Tensor count_nonzero(const Tensor& x, const Axes& axes, bool keepdim) {
  return ops::count(ops::count_doc.name, x, axes, keepdim);
}

Tensor any(const Tensor& x, const Axes& axes, bool keepdim) {
  return ops::count(ops::any_doc.name, x, axes, keepdim) != 0;
}

Tensor all(const Tensor& x, const Axes& axes, bool keepdim) {
  const Tensor count = ops::count(ops::all_doc.name, x, axes, keepdim);
  std::int64_t expected = 1;
  for (std::int64_t axis : normalize_axes(axes, x.dim(), ops::all_doc.name)) {
    expected *= x.size(axis);
  }
  return count == expected;
}

void ops::list_counts(OpList& list) {
  const auto add = [&](const Doc& doc, Reduce reduce) {
    std::vector<Sample> samples = reduction_samples(reduce);
    const OperatorCall rows = [reduce](std::span<const Tensor> in) {
      return reduce(in[0], {1}, false);
    };
    const Tensor some = from_vector<double>({0, 0, 0, 1, 0, 2, 3, 4, 5}, {3, 3});
    samples.push_back({"none, some and all", {some}, rows});
    samples.push_back({"truth values", {some > 1}, rows});
    samples.push_back({"over nothing", {zeros({3, 0}, {.dtype = float64})}, rows});
    list.add({doc, std::move(samples), false, {}});
  };
  add(any_doc, any);
  add(all_doc, all);
  add(count_doc, count_nonzero);
}

}  // namespace cadena
