#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/graph/operator.hpp>
#include <cadena/autograd/kernels/philox.hpp>
#include <cadena/autograd/kernels/reduce.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/autograd/ops/random_stream.hpp>

#include <algorithm>

namespace cadena {
namespace ops {
namespace {

// The last input is the state of a generator: an operator applied to it again gives the same.

struct Uniform {
  Type type;
  static constexpr Doc doc{"rand", "uniform in [0, 1)"};
  Types infer(std::span<const Type>) const { return {type}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(type.dtype, doc.name, [&]<class T>() {
      kernels::random_uniform(stream_of(in[0]), out[0].numel(), out[0].data<T>());
    });
  }
  bool operator==(const Uniform&) const = default;
};

struct Normal {
  Type type;
  static constexpr Doc doc{"randn", "standard normal"};
  Types infer(std::span<const Type>) const { return {type}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(type.dtype, doc.name, [&]<class T>() {
      kernels::random_normal(stream_of(in[0]), out[0].numel(), out[0].data<T>());
    });
  }
  bool operator==(const Normal&) const = default;
};

struct Integers {
  std::int64_t low, high;
  Shape shape;
  static constexpr Doc doc{"randint", "uniform whole numbers in [low, high)"};
  Types infer(std::span<const Type>) const { return {{Dtype::int64, shape}}; }
  void run(Inputs in, Outputs out) const {
    kernels::random_integers(stream_of(in[0]), out[0].numel(), low, high,
                             out[0].data<std::int64_t>());
  }
  std::string attributes() const { return fmt::format("[{}, {})", low, high); }
  bool operator==(const Integers&) const = default;
};

struct Permutation {
  std::int64_t n;
  static constexpr Doc doc{"randperm", "0 ... n - 1 in random order"};
  Types infer(std::span<const Type>) const { return {{Dtype::int64, {n}}}; }
  void run(Inputs in, Outputs out) const {
    kernels::random_permutation(stream_of(in[0]), n, out[0].data<std::int64_t>());
  }
  bool operator==(const Permutation&) const = default;
};

struct Bernoulli {
  double p;
  Shape shape;
  static constexpr Doc doc{"bernoulli", "true with probability p"};
  Types infer(std::span<const Type>) const { return {{Dtype::boolean, shape}}; }
  void run(Inputs in, Outputs out) const {
    kernels::random_bernoulli(stream_of(in[0]), out[0].numel(), p, out[0].data<bool>());
  }
  std::string attributes() const { return fmt::format("p {}", p); }
  bool operator==(const Bernoulli&) const = default;
};

/// Of probabilities, the first input.
struct BernoulliOf {
  static constexpr Doc doc{"bernoulli", "1 with probability p, else 0"};
  Types infer(std::span<const Type> in) const { return {in[0]}; }
  void run(Inputs in, Outputs out) const {
    dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      kernels::random_bernoulli(stream_of(in[1]), in[0].numel(), in[0].data<T>(), out[0].data<T>());
    });
  }
  bool operator==(const BernoulliOf&) const = default;
};

void check_probabilities(const Input& given) {
  dispatch_floating(given.dtype(), "bernoulli", [&]<class T>() {
    const T* p = given.data<T>();
    const std::int64_t n = given.numel();
    T least = 0, most = 0;
    if (n > 0) {
      kernels::minimum({1, n, 1}, p, &least);
      kernels::maximum({1, n, 1}, p, &most);
    }
    if (!(least >= 0 && most <= 1)) {
      const T* wrong = std::find_if(p, p + n, [](T value) { return !(value >= 0 && value <= 1); });
      fail("bernoulli: expected probabilities in [0, 1], got {} at element {}", *wrong, wrong - p);
    }
  });
}

/// The numbers as the options want them.
Tensor as(const Tensor& numbers, const TensorOptions& options, Dtype natural) {
  const Tensor result = numbers.to(options.dtype.value_or(natural));
  return options.requires_grad ? result.requires_grad_leaf() : result;
}

/// An operator that makes floating numbers of a type.
template <class Op>
Tensor draw_floating(const Shape& shape, const TensorOptions& options, const Generator& generator) {
  check_shape(shape, Op::doc.name);
  const Dtype dtype = options.dtype.value_or(Dtype::float32);
  dispatch_floating(dtype, Op::doc.name, []<class T>() {});
  return as(bind(Op{{dtype, shape}}, detail::next_state(generator)), options, dtype);
}

}  // namespace
}  // namespace ops

Tensor rand(const Shape& shape, TensorOptions options, const Generator& generator) {
  return ops::draw_floating<ops::Uniform>(shape, options, generator);
}

Tensor randn(const Shape& shape, TensorOptions options, const Generator& generator) {
  return ops::draw_floating<ops::Normal>(shape, options, generator);
}

Tensor randint(std::int64_t low, std::int64_t high, const Shape& shape, TensorOptions options,
               const Generator& generator) {
  check_shape(shape, "randint");
  if (low >= high) {
    fail("randint: expected low < high, got [{}, {})", low, high);
  }
  if (options.dtype == Dtype::uint8 && (low < 0 || high > 256)) {
    fail("randint: uint8 does not hold all of [{}, {})", low, high);
  }
  return ops::as(bind(ops::Integers{low, high, shape}, detail::next_state(generator)), options,
                 Dtype::int64);
}

Tensor randperm(std::int64_t n, TensorOptions options, const Generator& generator) {
  check_shape({n}, "randperm");
  if (options.dtype == Dtype::uint8 && n > 256) {
    fail("randperm: uint8 does not hold {} different numbers", n);
  }
  return ops::as(bind(ops::Permutation{n}, detail::next_state(generator)), options, Dtype::int64);
}

Tensor bernoulli(const Shape& shape, double p, TensorOptions options, const Generator& generator) {
  check_shape(shape, "bernoulli");
  if (!(p >= 0 && p <= 1)) {
    fail("bernoulli: expected a probability in [0, 1], got {}", p);
  }
  return ops::as(bind(ops::Bernoulli{p, shape}, detail::next_state(generator)), options,
                 Dtype::float32);
}

Tensor bernoulli(const Tensor& probabilities, const Generator& generator) {
  const Dtype dtype = detail::impl_of(probabilities, "bernoulli").dtype;
  dispatch_floating(dtype, "bernoulli", []<class T>() {});
  detail::check_values("bernoulli", probabilities, ops::check_probabilities);
  return bind(ops::BernoulliOf{}, probabilities.detach(), detail::next_state(generator));
}

void ops::list_random(OpList& list) {
  // A generator of its own in each call makes it the same function at each call, float64 the same
  // numbers in any dtype. The shape is that of the input.
  const auto shaped = [](const Doc& doc, auto draw) -> OperatorCall {
    return [doc, draw](std::span<const Tensor> in) {
      const detail::TensorImpl& like = detail::impl_of(in[0], doc.name);
      const Tensor drawn = draw(like.shape, TensorOptions{.dtype = float64}, Generator(7));
      return is_floating(like.dtype) ? drawn.to(like.dtype) : drawn;
    };
  };
  const auto add = [&](const Doc& doc, auto draw) {
    list.add({doc,
              {{"a matrix", {zeros({3, 4}, {.dtype = float64})}, shaped(doc, draw)},
               {"0-d", {zeros({}, {.dtype = float64})}, shaped(doc, draw)},
               {"empty", {zeros({0, 3}, {.dtype = float64})}, shaped(doc, draw)}},
              false});
  };
  add(Uniform::doc, [](const Shape& shape, TensorOptions options, const Generator& generator) {
    return rand(shape, options, generator);
  });
  add(Normal::doc, [](const Shape& shape, TensorOptions options, const Generator& generator) {
    return randn(shape, options, generator);
  });
  add(Integers::doc, [](const Shape& shape, TensorOptions options, const Generator& generator) {
    return randint(-3, 9, shape, options, generator);
  });
  add(Permutation::doc, [](const Shape& shape, TensorOptions options, const Generator& generator) {
    return randperm(numel(shape), options, generator);
  });
  list.add({BernoulliOf::doc,
            {{"of probabilities",
              {sample_values({3, 4}, 0, 1, 1)},
              [](std::span<const Tensor> in) {
                const Dtype dtype = detail::impl_of(in[0], "bernoulli").dtype;
                return bernoulli(in[0].to(float64), Generator(7)).to(dtype);
              }},
             {"of one probability",
              {zeros({3, 4}, {.dtype = float64})},
              shaped(Bernoulli::doc,
                     [](const Shape& shape, TensorOptions options, const Generator& generator) {
                       return bernoulli(shape, 0.25, options, generator);
                     })}},
            false});
}

}  // namespace cadena
