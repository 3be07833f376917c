// Every operator of the one list in float32 against float64, with integers and truth values, with
// any number of threads, and with inputs anywhere in memory.

#include <cadena/autograd/kernels/parallel.hpp>

#include "sweep.hpp"

#include <cmath>
#include <limits>
#include <random>

using namespace sweep;

namespace {

constexpr double epsilon = std::numeric_limits<float>::epsilon();

/// Values off by up to `epsilon` of their size.
Tensor shaken(const Tensor& x, std::mt19937_64& engine) {
  if (!is_floating(x.dtype())) {
    return x;
  }
  std::vector<double> values = x.to_vector<double>();
  for (double& value : values) {
    value *= 1 + epsilon * (2 * (static_cast<double>(engine() >> 11) * 0x1p-53) - 1);
  }
  return from_vector(values, x.shape()).to(x.dtype());
}

/// How far each value moves when the inputs and upstream gradients do by float32's rounding: what
/// float32 cannot know.
class Spread {
 public:
  explicit Spread(const Tensor& x) : middle_(x.to_vector<double>()), width_(middle_.size(), 0) {}
  void add(const Tensor& x) {
    const std::vector<double> values = x.to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double distance = std::abs(values[i] - middle_[i]);
      width_[i] = distance > width_[i] ? distance : width_[i];
    }
  }
  /// Compares with float32 values, element by element.
  void check(const Tensor& x) const {
    const std::vector<double> values = x.to_vector<double>();
    REQUIRE(values.size() == middle_.size());
    double largest = 0;
    for (double value : middle_) {
      largest = std::isfinite(value) && std::abs(value) < 1e38 ? std::max(largest, std::abs(value))
                                                               : largest;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double exact = static_cast<double>(static_cast<float>(middle_[i]));
      INFO("element " << i << ": float32 gives " << values[i] << ", float64 " << middle_[i]);
      if (std::isnan(exact)) {
        CHECK(std::isnan(values[i]));
      } else if (std::isinf(exact) || std::isinf(values[i])) {
        CHECK((values[i] == exact || (std::abs(middle_[i]) > 0.99999 * 0x1p128)));
      } else {
        CHECK(std::abs(values[i] - exact) <=
              8 * width_[i] + 4 * epsilon * (std::abs(exact) + largest) + 1e-37);
      }
    }
  }

 private:
  std::vector<double> middle_, width_;
};

/// A sample's inputs made larger by m along each dimension that is not 1, by repeating them.
Tensor repeated(const Tensor& x, std::int64_t m) {
  Tensor result = x;
  for (int axis = 0; axis < x.dim(); ++axis) {
    const std::int64_t size = x.shape()[axis];
    if (size > 1) {
      std::vector<std::int64_t> indices;
      for (std::int64_t i = 0; i < size * m; ++i) {
        indices.push_back(i % size);
      }
      result = index_select(result, axis, from_vector(indices, {size * m}));
    }
  }
  return result;
}

Inputs enlarged(const Inputs& inputs) {
  // As if the inputs were broadcast, from the last dimension on.
  int dimensions = 1;
  double elements = 1;
  for (int k = 1; k <= max_rank; ++k) {
    std::int64_t size = 1;
    for (const Tensor& input : inputs) {
      size = k <= input.dim() ? std::max(size, input.size(-k)) : size;
    }
    dimensions += size > 1 && elements > 1 ? 1 : 0;
    elements *= static_cast<double>(size);
  }
  const double factor = std::pow(120000 / elements, 1.0 / dimensions);
  Inputs result;
  for (const Tensor& input : inputs) {
    result.push_back(repeated(input, static_cast<std::int64_t>(std::ceil(factor))));
  }
  return result;
}

/// What a call gives, and what it threw if it did.
struct Outcome {
  Applied applied;
  std::string error;
};

Outcome outcome(const OperatorCall& call, const Inputs& inputs) {
  try {
    return {applied(call, inputs), {}};
  } catch (const Error& error) {
    return {{}, error.what()};
  }
}

void check_same(const Outcome& a, const Outcome& b) {
  CHECK(a.error == b.error);
  CHECK(same_bits(a.applied.output, b.applied.output));
  REQUIRE(a.applied.gradients.size() == b.applied.gradients.size());
  for (std::size_t k = 0; k < a.applied.gradients.size(); ++k) {
    CHECK(same_bits(a.applied.gradients[k], b.applied.gradients[k]));
  }
}

}  // namespace

TEST_CASE("float32 results and gradients of every operator are float64's, rounded") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      std::mt19937_64 engine(5);  // a sample's numbers are its own, whatever else is in the list
      if (!any_floating(sample.inputs)) {
        continue;
      }
      INFO(label(entry, sample));
      const Inputs narrow = floating_to(float32, sample.inputs),
                   wide = floating_to(float64, narrow);
      const Applied in32 = applied(sample.call, narrow), in64 = applied(sample.call, wide);
      CHECK(in32.output.shape() == in64.output.shape());
      REQUIRE(in32.gradients.size() == in64.gradients.size());
      Spread output(in64.output);
      std::vector<Spread> gradients(in64.gradients.begin(), in64.gradients.end());
      for (int i = 0; i < 20; ++i) {
        Inputs moved;
        for (const Tensor& input : wide) {
          moved.push_back(shaken(input, engine));
        }
        const Applied there = applied(
            sample.call, moved, [&](const Tensor& upstream) { return shaken(upstream, engine); });
        if (is_floating(in64.output.dtype())) {
          output.add(there.output);
        }
        for (std::size_t k = 0; k < gradients.size(); ++k) {
          gradients[k].add(there.gradients[k]);
        }
      }
      output.check(in32.output);
      for (std::size_t k = 0; k < gradients.size(); ++k) {
        INFO("gradient " << k);
        gradients[k].check(in32.gradients[k]);
        CHECK(in32.gradients[k].dtype() == float32);
      }
    }
  }
}

TEST_CASE("integers and truth values work as documented or are an error that says so") {
  const NoGrad none;
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      for (Dtype dtype : {boolean, uint8, int64}) {
        Inputs inputs, numbers;
        for (const Tensor& input : sample.inputs) {
          inputs.push_back(is_floating(input.dtype()) ? abs(input).to(dtype) : input);
          // uint8 labels or conditions stay what they are; numbers are compared as float64.
          numbers.push_back(is_floating(input.dtype()) ? inputs.back().to(float64) : input);
        }
        INFO(label(entry, sample) << ", " << name(dtype));
        try {
          const Tensor got = sample.call(inputs), expected = sample.call(numbers);
          CHECK(got.shape() == expected.shape());
          const std::vector<double> values = got.to_vector<double>();
          const std::vector<double> exact = expected.to_vector<double>();
          for (std::size_t i = 0; i < values.size(); ++i) {
            const double rounded = static_cast<double>(static_cast<float>(exact[i]));
            const bool equal =
                values[i] == rounded || (std::isnan(values[i]) && std::isnan(rounded));
            INFO("element " << i << ": " << values[i] << " against " << exact[i]);
            CHECK((equal || std::abs(values[i] - exact[i]) <= 32 * epsilon * std::abs(exact[i]) ||
                   std::abs(values[i] - exact[i]) <= epsilon));
          }
        } catch (const Error& error) {
          INFO(error.what());
          CHECK(std::string(error.what()).find(entry.doc.name) != std::string::npos);
        }
      }
    }
  }
}

TEST_CASE("every operator gives the same bits with any number of threads") {
  const int before = threads();
  for (const OperatorEntry& entry : operators().entries()) {
    int large = 0;
    for (const Sample& sample : entry.samples) {
      for (Dtype dtype : {float32, float64}) {
        INFO(label(entry, sample) << ", " << name(dtype));
        // Not every call takes larger inputs: some name indices or shapes.
        const Inputs given = floating_to(dtype, sample.inputs);
        const Inputs inputs = sample.enlarge ? enlarged(given) : given;
        set_threads(1);
        const Outcome one = outcome(sample.call, inputs);
        CHECK(one.error.find("memory") ==
              std::string::npos);  // then the sample is not to be enlarged
        large += one.error.empty() && inputs[0].numel() > 100000 ? 1 : 0;
        for (int count : {2, 8}) {
          INFO(count << " threads");
          set_threads(count);
          check_same(one, outcome(sample.call, inputs));
        }
      }
    }
    INFO(entry.doc.name);
    CHECK((large > 0 || !entry.reference));
  }
  set_threads(before);
}

TEST_CASE("results do not depend on where in memory the inputs are") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      for (Dtype dtype : {float32, float64}) {
        const Inputs inputs = floating_to(dtype, sample.inputs);
        INFO(label(entry, sample) << ", " << name(dtype));
        check_same(outcome(sample.call, inputs), outcome(sample.call, strided_copies(inputs)));
      }
    }
  }
}
