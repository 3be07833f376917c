// Every operator of the one list runs compiled as it runs eagerly, gradients included, bit for bit.

#include <cadena/autograd/compile/compile.hpp>

#include "sweep.hpp"

#include <optional>

using namespace sweep;

namespace {

struct Outcome {
  Tensor output;
  std::vector<Tensor> gradients;  // those that there are
};

/// What a call gives, and the gradients of its weighted sum.
Outcome outcome(const OperatorCall& call, const std::vector<Tensor>& inputs, bool gradient) {
  std::vector<Tensor> leaves, wanted;
  for (const Tensor& input : inputs) {
    leaves.push_back(is_floating(input.dtype()) ? input.detach().requires_grad_leaf() : input);
    if (is_floating(input.dtype())) {
      wanted.push_back(leaves.back());
    }
  }
  const Tensor output = call(leaves);
  Outcome result{output.detach(), {}};
  if (gradient && output.requires_grad()) {
    const Tensor upstream =
        sample_values(output.shape(), 0.5, 1.5, 77).to(float32).to(output.dtype());
    for (const Tensor& found :
         grad({&output, 1}, wanted, {&upstream, 1}, GradOptions{.allow_unused = true})) {
      result.gradients.push_back(found.defined() ? found : zeros({}));
    }
  }
  return result;
}

/// What cannot be captured: its gradient is chosen by values.
bool decides_by_values(const std::string& error) {
  return error.find("while compile captures the function") != std::string::npos;
}

}  // namespace

TEST_CASE("every operator of the list gives the same bits compiled") {
  int compared = 0;
  std::vector<std::string> refused;
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      for (Dtype dtype : {float32, float64}) {
        INFO(label(entry, sample) << ", " << name(dtype));
        const std::vector<Tensor> inputs = floating_to(dtype, sample.inputs);
        const bool gradient = sample.gradient && entry.differentiable;
        const auto f = [&](const std::vector<Tensor>& in) {
          return outcome(sample.call, in, gradient);
        };
        std::optional<Outcome> eager;
        try {
          eager = f(inputs);
        } catch (const Error&) {
        }
        const auto compiled = compile(f);
        for (int run = 0; run < 3; ++run) {
          try {
            const Outcome found = compiled(inputs);
            REQUIRE(eager);
            REQUIRE(found.gradients.size() == eager->gradients.size());
            CHECK(same_bits(found.output, eager->output));
            for (std::size_t k = 0; k < found.gradients.size(); ++k) {
              INFO("gradient " << k);
              CHECK(same_bits(found.gradients[k], eager->gradients[k]));
            }
            ++compared;
          } catch (const Error& error) {
            INFO(error.what());
            if (eager) {
              CHECK(decides_by_values(error.what()));
              refused.push_back(label(entry, sample) + ": " +
                                std::string(error.what()).substr(0, 160));
            }
            break;
          }
        }
      }
    }
  }
  for (const auto& r : refused) WARN(r);
  CHECK(compared > 3000);
}
