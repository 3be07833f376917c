// Gradients of every operator of the one list: gradcheck of first and second order, with inputs in
// any memory and inputs that are broadcast, and what has no gradient. Elementwise functions are in
// test_sweep_derivatives.cpp as well.

#include <cadena/autograd/graph/gradcheck.hpp>

#include "sweep.hpp"

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

using namespace sweep;

namespace {

void check_gradients(const OperatorEntry& entry, const Sample& sample, const OperatorCall& call,
                     const Inputs& inputs, int order) {
  INFO(label(entry, sample));
  const GradcheckReport report =
      gradcheck([&](const Inputs& in) { return call(in); }, inputs, {.order = order});
  INFO(report.text());
  CHECK(report.verdict != Verdict::failed);
  CHECK(report.unresolved == 0);
}

/// A sample with each floating input made from one slice of it along an axis, by broadcasting.
struct Broadcast {
  Inputs inputs;
  std::vector<Shape> shapes;

  explicit Broadcast(const Inputs& whole) {
    for (const Tensor& input : whole) {
      Tensor part = input;
      for (int axis = 0; axis < input.dim() && is_floating(input.dtype()); ++axis) {
        if (input.shape()[axis] > 1) {
          part = contiguous(slice(input, axis, 0, 1));
          break;
        }
      }
      inputs.push_back(part);
      shapes.push_back(input.shape());
    }
  }
  Inputs expanded(std::span<const Tensor> in) const {
    Inputs result;
    for (std::size_t k = 0; k < in.size(); ++k) {
      result.push_back(expand(in[k], shapes[k]));
    }
    return result;
  }
};

}  // namespace

TEST_CASE("every operator has samples that run") {
  std::set<std::string> names;
  for (const OperatorEntry& entry : operators().entries()) {
    INFO(entry.doc.name);
    CHECK(names.insert(entry.doc.name).second);
    CHECK_FALSE(entry.samples.empty());
    bool any_gradient = false;
    for (const Sample& sample : entry.samples) {
      INFO(sample.what);
      any_gradient = any_gradient || (sample.gradient && any_floating(sample.inputs));
      CHECK(sample.call(sample.inputs).defined());
    }
    CHECK(any_gradient >= entry.differentiable);
  }
}

TEST_CASE("every public operator is in the list") {
  std::set<std::string> listed;
  for (const OperatorEntry& entry : operators().entries()) {
    listed.insert(entry.doc.name);
  }
  const auto headers = std::filesystem::path(CADENA_SOURCE_DIR) / "autograd/ops";
  const std::regex declaration(R"(^(?:Tensor|std::vector<Tensor>) (\w+)\()");
  int found = 0;
  for (const auto& file : std::filesystem::directory_iterator(headers)) {
    // The list itself is no operator.
    if (file.path().extension() != ".hpp" || file.path().filename() == "list.hpp") {
      continue;
    }
    std::ifstream text(file.path());
    std::string line;
    while (std::getline(text, line)) {
      if (line == "namespace cadena::ops {") {
        break;  // what families share, not for users
      }
      std::smatch match;
      if (std::regex_search(line, match, declaration)) {
        INFO(file.path() << ": " << match[1].str());
        CHECK(listed.contains(match[1].str()));
        ++found;
      }
    }
  }
  CHECK(found > 60);
}

TEST_CASE("gradients of every operator, first and second order") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      if (entry.differentiable && sample.gradient && any_floating(sample.inputs)) {
        check_gradients(entry, sample, sample.call, sample.inputs, 2);
      }
    }
  }
}

TEST_CASE("gradients of every operator with inputs that are not contiguous") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      if (!entry.differentiable || !sample.gradient || !any_floating(sample.inputs)) {
        continue;
      }
      INFO(label(entry, sample));
      const Applied plain = applied(sample.call, sample.inputs);
      const Applied strided = applied(sample.call, strided_copies(sample.inputs));
      CHECK(same_bits(plain.output, strided.output));
      REQUIRE(plain.gradients.size() == strided.gradients.size());
      for (std::size_t k = 0; k < plain.gradients.size(); ++k) {
        CHECK(same_bits(plain.gradients[k], strided.gradients[k]));
      }
    }
  }
}

TEST_CASE("gradients of every operator with inputs that are broadcast") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      if (entry.differentiable && sample.gradient && any_floating(sample.inputs)) {
        const Broadcast from(sample.inputs);
        const OperatorCall call = [&](std::span<const Tensor> in) {
          return sample.call(from.expanded(in));
        };
        check_gradients(entry, sample, call, from.inputs, 1);
      }
    }
  }
}

TEST_CASE("what has no derivative says so") {
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      if (entry.differentiable && sample.gradient) {
        continue;
      }
      INFO(label(entry, sample));
      try {
        const Applied result = applied(sample.call, sample.inputs);
        // A stated subgradient, or a truth value or an integer without a place in the graph.
        for (const Tensor& gradient : result.gradients) {
          CHECK(entry.differentiable);
          for (double value : gradient.to_vector<double>()) {
            CHECK(std::isfinite(value));
          }
        }
      } catch (const Error& error) {
        CHECK(std::string(error.what()).find(entry.doc.name) != std::string::npos);
      }
    }
  }
}

TEST_CASE("stated gradients at 0") {
  const auto slope = [](const auto& f, double at) {
    const Tensor x = tensor(at).to(float64).requires_grad_leaf();
    return grad(f(x), {x})[0].item();
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(slope([](const Tensor& x) { return sqrt(x); }, 0) == infinity);
  CHECK(slope([](const Tensor& x) { return pow(x, 0.0); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return pow(x, 1.0); }, 0) == 1);
  CHECK(slope([](const Tensor& x) { return pow(x, 2.0); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return pow(x, 3.0); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return pow(x, 0.5); }, 0) == infinity);
  CHECK(slope([](const Tensor& x) { return pow(0.0, x); }, 2) == 0);
  CHECK(slope([](const Tensor& x) { return norm(x); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return abs(x); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return relu(x); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return sign(x); }, 0) == 0);
  CHECK(slope([](const Tensor& x) { return floor(x); }, 0) == 0);
}
