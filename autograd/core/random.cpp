#include <cadena/autograd/core/random.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/kernels/philox.hpp>
#include <cadena/autograd/kernels/reduce.hpp>

#include <algorithm>
#include <mutex>

namespace cadena {

struct Generator::Place {
  std::mutex mutex;
  GeneratorState state;
};

Generator::Generator(std::uint64_t seed) : place_(std::make_shared<Place>()) {
  place_->state.seed = seed;
}

void Generator::manual_seed(std::uint64_t seed) const { set_state({seed, 0}); }

GeneratorState Generator::state() const {
  const std::lock_guard lock(place_->mutex);
  return place_->state;
}

void Generator::set_state(GeneratorState state) const {
  const std::lock_guard lock(place_->mutex);
  place_->state = state;
}

GeneratorState Generator::next() const {
  const std::lock_guard lock(place_->mutex);
  GeneratorState now = place_->state;
  ++place_->state.counter;
  return now;
}

const Generator& default_generator() {
  static const Generator generator;
  return generator;
}

void manual_seed(std::uint64_t seed) { default_generator().manual_seed(seed); }

namespace {

kernels::RandomStream stream_of(const Generator& generator) {
  const GeneratorState state = generator.next();
  return {state.seed, state.counter};
}

/// A tensor that fill(stream, count, values) writes as T, in the dtype of the options.
template <class T, class Fill>
Tensor draw(const Shape& shape, const TensorOptions& options, Dtype natural,
            const Generator& generator, Fill&& fill) {
  const detail::Ref<detail::TensorImpl> impl = detail::make_impl(dtype_of<T>, shape);
  fill(stream_of(generator), numel(shape), reinterpret_cast<T*>(impl->data));
  const Tensor result = Tensor(impl).to(options.dtype.value_or(natural));
  return options.requires_grad ? result.requires_grad_leaf() : result;
}

/// fill.operator()<T>(stream, count, values) for a floating dtype.
template <class Fill>
Tensor draw_floating(const char* operation, const Shape& shape, const TensorOptions& options,
                     const Generator& generator, Fill&& fill) {
  check_shape(shape, operation);
  const Dtype dtype = options.dtype.value_or(Dtype::float32);
  return dispatch_floating(
      dtype, operation, [&]<class T>() { return draw<T>(shape, options, dtype, generator, fill); });
}

}  // namespace

Tensor rand(const Shape& shape, TensorOptions options, const Generator& generator) {
  return draw_floating("rand", shape, options, generator,
                       [](auto stream, std::int64_t count, auto* values) {
                         kernels::random_uniform(stream, count, values);
                       });
}

Tensor randn(const Shape& shape, TensorOptions options, const Generator& generator) {
  return draw_floating("randn", shape, options, generator,
                       [](auto stream, std::int64_t count, auto* values) {
                         kernels::random_normal(stream, count, values);
                       });
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
  return draw<std::int64_t>(shape, options, Dtype::int64, generator,
                            [=](auto stream, std::int64_t count, std::int64_t* values) {
                              kernels::random_integers(stream, count, low, high, values);
                            });
}

Tensor randperm(std::int64_t n, TensorOptions options, const Generator& generator) {
  check_shape({n}, "randperm");
  if (options.dtype == Dtype::uint8 && n > 256) {
    fail("randperm: uint8 does not hold {} different numbers", n);
  }
  return draw<std::int64_t>({n}, options, Dtype::int64, generator, kernels::random_permutation);
}

Tensor bernoulli(const Shape& shape, double p, TensorOptions options, const Generator& generator) {
  check_shape(shape, "bernoulli");
  if (!(p >= 0 && p <= 1)) {
    fail("bernoulli: expected a probability in [0, 1], got {}", p);
  }
  return draw<bool>(shape, options, Dtype::float32, generator,
                    [=](auto stream, std::int64_t count, bool* values) {
                      kernels::random_bernoulli(stream, count, p, values);
                    });
}

Tensor bernoulli(const Tensor& probabilities, const Generator& generator) {
  const detail::TensorImpl& given = detail::impl_of(probabilities, "bernoulli");
  return dispatch_floating(given.dtype, "bernoulli", [&]<class T>() {
    const Tensor compact = probabilities.detach().contiguous();
    const T* p = reinterpret_cast<const T*>(compact.impl()->data);
    const std::int64_t n = numel(given.shape);
    T least = 0, most = 0;
    if (n > 0) {
      kernels::minimum({1, n, 1}, p, &least);
      kernels::maximum({1, n, 1}, p, &most);
    }
    if (!(least >= 0 && most <= 1)) {
      const T* wrong = std::find_if(p, p + n, [](T value) { return !(value >= 0 && value <= 1); });
      fail("bernoulli: expected probabilities in [0, 1], got {} at element {}", *wrong, wrong - p);
    }
    return draw<T>(given.shape, {}, given.dtype, generator,
                   [=](auto stream, std::int64_t count, T* values) {
                     kernels::random_bernoulli(stream, count, p, values);
                   });
  });
}

}  // namespace cadena
