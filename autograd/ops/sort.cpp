#include <cadena/autograd/kernels/sort.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/scan_layout.hpp>
#include <cadena/autograd/ops/sort.hpp>

#include <limits>

namespace cadena {
namespace ops {
namespace {

kernels::SortLines lines_along(int axis, const Input& x, const Output& result) {
  kernels::SortLines lines{x.shape(),    x.strides(), contiguous_strides(result.shape()),
                           x.size(axis), 0,           0};
  lines.x_step = lines.x[axis];
  lines.result_step = lines.result[axis];
  for (Dims* dims : {&lines.beside, &lines.x, &lines.result}) {
    dims->erase(axis);
  }
  return lines;
}

struct Sort {
  int axis;
  bool descending;
  static constexpr Doc doc{"sort", "x along an axis in order, and the indices of that in x",
                           "that of the order x has"};
  static constexpr Keep keep = Keep::outputs;
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const { return {in[0], {Dtype::int64, in[0].shape}}; }
  void run(Inputs in, Outputs out) const {
    dispatch(in[0].dtype(), [&]<class T>() {
      kernels::sort(lines_along(axis, in[0], out[0]), descending, in[0].data<T>(), out[0].data<T>(),
                    out[1].data<std::int64_t>());
    });
  }
  Gradients vjp(const Backward& b) const { return to_places(b, axis); }
  std::string attributes() const {
    return fmt::format("axis {}{}", axis, descending ? " descending" : "");
  }
  bool operator==(const Sort&) const = default;
};

struct Topk {
  int axis;
  std::int64_t count;
  bool largest, sorted;
  static constexpr Doc doc{"topk", "the k largest x along an axis, and their indices in x",
                           "the earlier one of equal elements"};
  static constexpr Keep keep = Keep::outputs;
  static constexpr bool strided = true;
  Types infer(std::span<const Type> in) const {
    Shape shape = in[0].shape;
    shape[axis] = count;
    return {{in[0].dtype, shape}, {Dtype::int64, shape}};
  }
  void run(Inputs in, Outputs out) const {
    dispatch(in[0].dtype(), [&]<class T>() {
      kernels::first_of_sorted(lines_along(axis, in[0], out[0]), count, largest, sorted,
                               in[0].data<T>(), out[0].data<T>(), out[1].data<std::int64_t>());
    });
  }
  Gradients vjp(const Backward& b) const { return to_places(b, axis); }
  std::string attributes() const {
    return fmt::format("axis {} {} {}{}", axis, count, largest ? "largest" : "smallest",
                       sorted ? " sorted" : "");
  }
  bool operator==(const Topk&) const = default;
};

ValuesAndIndices sorted(const char* operation, const Tensor& x, std::int64_t axis,
                        bool descending) {
  return values_and_indices(with_axis(operation, x, axis, [&](const Tensor& elements, int normal) {
    return bind_all(Sort{normal, descending}, {&elements, 1});
  }));
}

}  // namespace
}  // namespace ops

ValuesAndIndices sort(const Tensor& x, std::int64_t axis, bool descending) {
  return ops::sorted("sort", x, axis, descending);
}

Tensor argsort(const Tensor& x, std::int64_t axis, bool descending) {
  return ops::sorted("argsort", x, axis, descending).indices;
}

ValuesAndIndices topk(const Tensor& x, std::int64_t k, std::int64_t axis, bool largest,
                      bool sorted) {
  return ops::values_and_indices(
      ops::with_axis("topk", x, axis, [&](const Tensor& elements, int normal) {
        const std::int64_t size = elements.size(normal);
        if (k < 0 || k > size) {
          fail("topk: k is {}, expected 0 to {}, the size of axis {} of shape {}", k, size, normal,
               x.shape());
        }
        return bind_all(ops::Topk{normal, k, largest, sorted}, {&elements, 1});
      }));
}

namespace ops {
namespace {

constexpr Doc argsort_doc{"argsort", "the indices that sort x along an axis"};

using Order = Tensor (*)(const Tensor&, std::int64_t, bool);

std::vector<Sample> order_samples(Order order) {
  const auto along = [order](std::int64_t axis, bool descending) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return order(in[0], axis, descending); };
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"rows", {sample_values({3, 4}, -2, 2, 1)}, along(-1, false)},
      {"rows, descending", {sample_values({3, 4}, -2, 2, 2)}, along(-1, true)},
      {"columns", {sample_values({4, 3}, -2, 2, 3)}, along(0, false)},
      {"middle axis", {sample_values({2, 3, 2}, -2, 2, 4)}, along(-2, true)},
      {"ties", {from_vector<double>({2, 1, 2, 1, 0, -0.0, 1, 3}, {2, 4})}, along(1, true)},
      {"many ties", {from_vector<double>({1, 0, 1, 1, -0.0, 0}, {6})}, along(0, false), false},
      {"NaN", {from_vector<double>({2, nan, 1, nan}, {4})}, along(0, false), false},
      {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 5))}, along(-1, false)},
      {"0-d", {sample_values({}, 1, 2, 6)}, along(-1, false)},
      {"no rows", {sample_values({0, 3}, -2, 2, 7)}, along(1, false)},
      {"rows of nothing", {sample_values({3, 0}, -2, 2, 8)}, along(1, false)},
  };
}

}  // namespace

void list_sorting(OpList& list) {
  list.add({Sort::doc, order_samples([](const Tensor& x, std::int64_t axis, bool descending) {
              return sort(x, axis, descending).values;
            })});
  list.add({argsort_doc, order_samples(argsort), false});

  const auto top = [](std::int64_t k, std::int64_t axis, bool largest,
                      bool in_order) -> OperatorCall {
    return
        [=](std::span<const Tensor> in) { return topk(in[0], k, axis, largest, in_order).values; };
  };
  list.add(
      {Topk::doc,
       {{"rows", {sample_values({3, 6}, -2, 2, 9)}, top(2, -1, true, true)},
        {"smallest", {sample_values({3, 6}, -2, 2, 10)}, top(3, 1, false, true)},
        {"columns, not sorted", {sample_values({6, 3}, -2, 2, 11)}, top(2, 0, true, false)},
        {"few of many", {sample_values({2, 30}, -2, 2, 12)}, top(3, -1, true, true)},
        {"all", {sample_values({3}, -2, 2, 13)}, top(3, 0, true, true)},
        {"ties", {from_vector<double>({2, 1, 3, 1, 2}, {5})}, top(2, 0, true, true)},
        {"not contiguous", {transpose(sample_values({4, 3}, -2, 2, 14))}, top(2, -1, true, true)},
        {"0-d", {sample_values({}, 1, 2, 15)}, top(1, -1, true, true)},
        {"none", {sample_values({3, 2}, -2, 2, 16)}, top(0, 0, true, true)},
        {"no rows", {sample_values({0, 3}, -2, 2, 17)}, top(2, 1, true, true)}}});
}

}  // namespace ops
}  // namespace cadena
