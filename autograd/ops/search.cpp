#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/order.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/walk.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/scan.hpp>
#include <cadena/autograd/ops/search.hpp>
#include <cadena/autograd/ops/sort.hpp>

#include <algorithm>
#include <limits>

namespace cadena {
namespace ops {
namespace {

constexpr std::int64_t block = 16384;  // 10 to 20 µs of searching

/// How many of n sorted keys are before `key`; the loop has no jump to foresee.
template <class Key, class Before>
std::int64_t count_before(const Key* keys, std::int64_t n, Key key, Before before) {
  const Key* first = keys;
  while (n > 1) {
    const std::int64_t half = n / 2;
    first += static_cast<std::int64_t>(before(first[half - 1], key)) * half;
    n -= half;
  }
  return (first - keys) + (n == 1 && before(*first, key) ? 1 : 0);
}

/// Of inputs x and boundaries. The two public functions differ in name.
template <bool of_sequence> struct Bucketize {
  bool right;
  static constexpr Doc doc = of_sequence
                                 ? Doc{"searchsorted", "where y keeps a sorted sequence sorted"}
                                 : Doc{"bucketize", "the number of boundaries below x"};
  Types infer(std::span<const Type> in) const { return {{Dtype::int64, in[0].shape}}; }
  void run(Inputs in, Outputs out) const {
    dispatch(in[0].dtype(), [&]<class T>() {
      using Key = kernels::OrderKey<T>;
      const T *x = in[0].data<T>(), *boundaries = in[1].data<T>();
      const std::int64_t n = in[1].numel(), count = in[0].numel();
      const kernels::Scratch<Key> memory(n);
      Key* const keys = memory.data();
      for (std::int64_t i = 0; i < n; ++i) {
        keys[i] = kernels::order_key(boundaries[i]);
        if (i > 0 && keys[i] < keys[i - 1]) {
          fail("{}: {} of shape {} are not sorted: {} at position {} comes after {}", doc.name,
               of_sequence ? "elements of a sequence" : "boundaries", in[1].shape(), boundaries[i],
               i, boundaries[i - 1]);
        }
      }
      std::int64_t* to = out[0].data<std::int64_t>();
      const auto search = [&](auto before) {
        parallel_for(count, block / 4, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t i = begin; i < end; ++i) {
            to[i] = count_before<Key>(keys, n, kernels::order_key(x[i]), before);
          }
        });
      };
      right ? search([](Key a, Key b) { return a <= b; })
            : search([](Key a, Key b) { return a < b; });
    });
  }
  std::string attributes() const { return right ? "right" : ""; }
  bool operator==(const Bucketize&) const = default;
};

template <bool of_sequence> Tensor search(const Tensor& x, const Tensor& boundaries, bool right) {
  const char* operation = Bucketize<of_sequence>::doc.name;
  detail::impl_of(x, operation);
  const Shape& shape = detail::impl_of(boundaries, operation).shape;
  if (shape.size() != 1) {
    fail("{}: {} shape {}, expected one dimension", operation,
         of_sequence ? "the sorted sequence has" : "the boundaries have", shape);
  }
  // Numbers and 0-d tensors count in full, and float32 does not hold all of int64.
  const auto [low, high] = std::minmax({x.dtype(), boundaries.dtype()});
  const Dtype dtype = low == Dtype::int64 && high == Dtype::float32 ? Dtype::float64 : high;
  return bind(Bucketize<of_sequence>{right}, x.to(dtype), boundaries.to(dtype));
}

/// Whether a new value begins at place i of sorted elements.
template <class T> bool begins(const T* x, std::int64_t i) {
  return i == 0 || kernels::order_key(x[i]) != kernels::order_key(x[i - 1]);
}

/// How many values begin in each block, added up: `before` has one number a block and the total.
template <class T> void count_values(const T* x, std::int64_t n, std::int64_t* before) {
  parallel_for(n, block, [=](std::int64_t begin, std::int64_t end) {
    std::int64_t count = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      count += begins(x, i) ? 1 : 0;
    }
    before[begin / block + 1] = count;
  });
  before[0] = 0;
  for (std::int64_t k = 0; k < (n + block - 1) / block; ++k) {
    before[k + 1] += before[k];
  }
}

/// The number of different values among sorted ones.
struct CountDistinct {
  static constexpr Doc doc{"unique", "the number of values"};
  Types infer(std::span<const Type>) const { return {{Dtype::int64, {}}}; }
  void run(Inputs in, Outputs out) const {
    const std::int64_t n = in[0].numel(), blocks = (n + block - 1) / block;
    const kernels::Scratch<std::int64_t> before(blocks + 1);
    dispatch(in[0].dtype(), [&]<class T>() { count_values(in[0].data<T>(), n, before.data()); });
    *out[0].data<std::int64_t>() = before.data()[blocks];
  }
  bool operator==(const CountDistinct&) const = default;
};

/// Of sorted elements and their indices.
struct Distinct {
  std::int64_t count;  ///< As CountDistinct has it.
  static constexpr Doc doc{"unique", "the different elements of x, sorted",
                           "the first of equal elements"};
  static constexpr Keep keep = Keep::outputs;
  Types infer(std::span<const Type> in) const {
    return {{in[0].dtype, {count}}, {Dtype::int64, in[1].shape}, {Dtype::int64, {count}}};
  }
  void run(Inputs in, Outputs out) const {
    const std::int64_t n = in[0].numel();
    const auto* places = in[1].data<std::int64_t>();
    auto *inverse = out[1].data<std::int64_t>(), *counts = out[2].data<std::int64_t>();
    const kernels::Scratch<std::int64_t> before((n + block - 1) / block + 1);
    dispatch(in[0].dtype(), [&]<class T>() {
      const T* x = in[0].data<T>();
      T* values = out[0].data<T>();
      count_values(x, n, before.data());
      parallel_for(n, block, [&](std::int64_t begin, std::int64_t end) {
        std::int64_t rank = before.data()[begin / block] - 1;
        for (std::int64_t i = begin; i < end; ++i) {
          if (begins(x, i)) {
            values[++rank] = x[i];
            counts[rank] = i;
          }
          inverse[places[i]] = rank;
        }
      });
    });
    // From where values begin to how long they last.
    for (std::int64_t k = 0; k < count; ++k) {
      counts[k] = (k + 1 < count ? counts[k + 1] : n) - counts[k];
    }
  }
  Gradients vjp(const Backward& b) const {
    const Tensor first = cumsum(b.out(2), 0) - b.out(2);
    const Type& type = b.in_type(0);
    return {index_add(zeros(type.shape, {.dtype = type.dtype}), 0, first, b.grad(0)), Tensor()};
  }
  std::string attributes() const { return fmt::format("{} values", count); }
  bool operator==(const Distinct&) const = default;
};

}  // namespace
}  // namespace ops

Tensor bucketize(const Tensor& x, const Tensor& boundaries, bool right) {
  return ops::search<false>(x, boundaries, right);
}

Tensor searchsorted(const Tensor& sorted_sequence, const Tensor& values, bool right) {
  return ops::search<true>(values, sorted_sequence, right);
}

Unique unique(const Tensor& x, UniqueOptions options) {
  const Shape& shape = detail::impl_of(x, "unique").shape;
  const ValuesAndIndices sorted = sort(reshape(x, {numel(shape)}));
  const auto count = bind(ops::CountDistinct{}, sorted.values.detach()).item<std::int64_t>();
  const Tensor inputs[] = {sorted.values, sorted.indices};
  Tensors results = bind_all(ops::Distinct{count}, inputs);
  return {std::move(results[0]), options.return_inverse ? reshape(results[1], shape) : Tensor(),
          options.return_counts ? std::move(results[2]) : Tensor()};
}

Tensor bincount(const Tensor& x, const Tensor& weights, std::int64_t minlength) {
  const detail::TensorImpl& impl = detail::impl_of(x, "bincount");
  if (impl.shape.size() != 1 || is_floating(impl.dtype)) {
    fail("bincount: expected integers with one dimension, got {} {}", name(impl.dtype), impl.shape);
  }
  if (weights.defined() && weights.shape() != impl.shape) {
    fail("bincount: weights have shape {}, expected that of x, {}", weights.shape(), impl.shape);
  }
  if (minlength < 0) {
    fail("bincount: expected a minlength of at least 0, got {}", minlength);
  }
  const Tensor places = x.to(Dtype::int64);
  std::int64_t size = minlength;
  if (x.numel() > 0) {
    const auto smallest = amin(places).item<std::int64_t>();
    if (smallest < 0) {
      fail("bincount: expected elements of at least 0, got {} in x of shape {}", smallest,
           impl.shape);
    }
    size = std::max(size, std::min(amax(places).item<std::int64_t>(), max_elements) + 1);
  }
  check_shape({size}, "bincount");
  const Tensor addends = !weights.defined()             ? ones({x.numel()}, {.dtype = Dtype::int64})
                         : is_floating(weights.dtype()) ? weights
                                                        : weights.to(Dtype::float64);
  return index_add(zeros({size}, {.dtype = addends.dtype()}), 0, places, addends);
}

namespace ops {
namespace {

Tensor edges() { return from_vector<double>({-1, 0, 0, 0.5, 2}, {5}); }

std::vector<Sample> search_samples(bool right) {
  const OperatorCall call = [right](std::span<const Tensor> in) {
    return bucketize(in[0], in[1], right);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  return {
      {"between", {sample_values({3, 4}, -2, 3, 1), edges()}, call},
      {"on boundaries", {from_vector<double>({-1, 0, -0.0, 0.5, 2, nan}, {2, 3}), edges()}, call},
      {"not contiguous", {transpose(sample_values({3, 4}, -2, 3, 2)), edges()}, call},
      {"no boundaries", {sample_values({3}, -2, 3, 3), zeros({0}, {.dtype = float64})}, call},
      {"0-d", {sample_values({}, -2, 3, 4), edges()}, call},
      {"empty", {sample_values({0, 3}, -2, 3, 5), edges()}, call},
  };
}

}  // namespace

void list_searches(OpList& list) {
  std::vector<Sample> samples = search_samples(false);
  for (const Sample& sample : search_samples(true)) {
    samples.push_back(sample);
    samples.back().what += ", right";
  }
  list.add({Bucketize<false>::doc, samples, false});
  for (Sample& sample : samples) {
    std::swap(sample.inputs[0], sample.inputs[1]);
    sample.call = [right = sample.what.ends_with("right")](std::span<const Tensor> in) {
      return searchsorted(in[0], in[1], right);
    };
  }
  list.add({Bucketize<true>::doc, std::move(samples), false});

  const auto taking = [](Tensor Unique::*part) -> OperatorCall {
    return [=](std::span<const Tensor> in) { return unique(in[0], {true, true}).*part; };
  };
  // Which elements are equal decides on the shape: only where none can be are there derivatives
  // that generic tests may try, by moving elements.
  const Tensor zeros_tied = from_vector<double>({2, 0, -0.0, 1, -1, 0}, {2, 3});
  list.add({Distinct::doc,
            {{"values", {sample_values({3, 4}, -2, 2, 6)}, taking(&Unique::values), false},
             {"not contiguous",
              {transpose(sample_values({2, 3}, -2, 2, 7))},
              taking(&Unique::values),
              false},
             {"ties", {zeros_tied}, taking(&Unique::values), false},
             {"inverse", {transpose(zeros_tied)}, taking(&Unique::inverse), false},
             {"counts", {zeros_tied}, taking(&Unique::counts), false},
             {"0-d", {sample_values({}, 1, 2, 8)}, taking(&Unique::values)},
             {"0-d, inverse", {sample_values({}, 1, 2, 8)}, taking(&Unique::inverse), false},
             {"empty", {sample_values({0, 3}, -2, 2, 9)}, taking(&Unique::values)}}});

  const auto counting = [](std::int64_t minlength) -> OperatorCall {
    return [=](std::span<const Tensor> in) {
      return bincount(in[0], in.size() > 1 ? in[1] : Tensor(), minlength);
    };
  };
  const Tensor places = from_vector<std::int64_t>({3, 0, 3, 1}, {4});
  list.add({{"bincount", "y_v = the number of elements v, or the sum of their weights"},
            {{"counts", {places}, counting(0)},
             {"weights", {places, sample_values({4}, -2, 2, 9)}, counting(0)},
             {"minlength", {places, sample_values({4}, -2, 2, 10)}, counting(6)},
             {"empty", {zeros({0}, {.dtype = int64})}, counting(2)}}});
}

}  // namespace ops
}  // namespace cadena
