#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/reduction_samples.hpp>

namespace cadena {
namespace ops {
namespace {

constexpr Doc any_doc{"any", "some x over axes is not 0"};
constexpr Doc all_doc{"all", "no x over axes is 0"};
constexpr Doc count_doc{"count_nonzero", "the number of x over axes that are not 0"};

Tensor count(const char* operation, const Tensor& x, const Axes& axes, bool keepdim) {
  // Told here, in the operator's own name.
  static_cast<void>(normalize_axes(axes, detail::impl_of(x, operation).shape.size(), operation));
  return sum(x.to(Dtype::boolean), axes, keepdim);
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
