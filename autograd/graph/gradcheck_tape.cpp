#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/gradcheck_tape.hpp>
#include <cadena/autograd/graph/graph.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace cadena::detail {

const Node* Application::node() const {
  for (const Tensor& output : outputs) {
    if (const Node* node = output.impl()->node.get()) {
      return node;
    }
  }
  return nullptr;
}

void Tape::applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
                   const Tensors& outputs) {
  Application application{op, {}, {outputs.begin(), outputs.end()}};
  for (const Tensor* input : inputs) {
    application.inputs.push_back(*input);
  }
  const std::lock_guard lock(mutex_);
  applications_.push_back(std::move(application));
}

Recording::Recording(Problem& problem) : at(problem.record({}, &tape)) {
  for (const Node* node : nodes_of(at.outputs)) {
    const auto number = static_cast<std::int64_t>(numbers.size());
    numbers[node] = number;
  }
  for (const Application& application : tape.applications()) {
    const auto found = numbers.find(application.node());
    if (found != numbers.end()) {
      steps.emplace_back(found->second, &application);
    }
  }
  std::ranges::sort(steps);
}

LocalProblem::LocalProblem(const Application& application) {
  std::vector<Variable> variables;
  for (std::size_t i = 0; i < application.inputs.size(); ++i) {
    if (application.inputs[i].requires_grad()) {
      operands.push_back(static_cast<int>(i));
      variables.emplace_back(fmt::format("operand {}", i), application.inputs[i].detach());
    }
  }
  const auto function = [this, &application](std::span<const Tensor> leaves) {
    std::vector<Tensor> inputs;
    for (const Tensor& input : application.inputs) {
      inputs.push_back(input.detach());
    }
    for (std::size_t k = 0; k < operands.size(); ++k) {
      inputs[static_cast<std::size_t>(operands[k])] = leaves[k];
    }
    std::vector<const Tensor*> pointers;
    for (const Tensor& input : inputs) {
      pointers.push_back(&input);
    }
    const Tensors outputs = cadena::bind(application.op, pointers);
    return std::vector<Tensor>(outputs.begin(), outputs.end());
  };
  problem.emplace(std::move(variables), function,
                  [](std::size_t k) { return fmt::format("result {}", k); });
}

GradcheckCulprit culprit_of(const Application& application, std::int64_t number) {
  GradcheckCulprit culprit;
  culprit.node = number;
  culprit.name = application.op->doc().name;
  culprit.attributes = application.op->attributes();
  return culprit;
}

namespace {

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
}

}  // namespace

std::optional<GradcheckCulprit> find_not_finite(const Recording& recording) {
  for (const auto& [number, application] : recording.steps) {
    for (const Tensor& output : application->outputs) {
      if (is_floating(output.dtype()) && !all_finite(output.to_vector<double>())) {
        GradcheckCulprit culprit = culprit_of(*application, number);
        culprit.problem = "its result is infinite or NaN, so gradients become 0 · infinity = NaN";
        return culprit;
      }
    }
  }
  return std::nullopt;
}

std::optional<GradcheckCulprit> find_infinite_derivative(const Problem& problem,
                                                         const Recording& recording,
                                                         const GradcheckPlace& place) {
  const OutputList& outputs = problem.outputs();
  std::vector<double> start(static_cast<std::size_t>(outputs.numel()), 1);
  const auto named = std::ranges::find(outputs.names, place.output);
  if (place.output_element >= 0 && named != outputs.names.end()) {
    start.assign(start.size(), 0);
    const std::int64_t begin =
        outputs.begins[static_cast<std::size_t>(named - outputs.names.begin())];
    start[static_cast<std::size_t>(begin + place.output_element)] = 1;
  }
  std::vector<Tensor> results;
  for (const auto& [number, application] : recording.steps) {
    results.insert(results.end(), application->outputs.begin(), application->outputs.end());
  }
  std::erase_if(results, [](const Tensor& result) { return !result.requires_grad(); });
  std::vector<Tensor> upstream = Problem::gradients(recording.at, outputs, start, results);
  for (auto step = recording.steps.rbegin(); step != recording.steps.rend(); ++step) {
    const auto& [number, application] = *step;
    std::vector<double> given;
    for (std::size_t k = application->outputs.size(); k-- > 0;) {
      const Tensor& output = application->outputs[k];
      if (!is_floating(output.dtype())) {
        continue;
      }
      std::vector<double> its(static_cast<std::size_t>(output.numel()), 0);
      if (output.requires_grad()) {
        if (upstream.back().defined()) {
          its = upstream.back().to_vector<double>();
        }
        upstream.pop_back();
      }
      given.insert(given.begin(), its.begin(), its.end());
    }
    if (!all_finite(given)) {
      continue;
    }
    LocalProblem local(*application);
    const Recorded at = local.problem->record();
    for (const std::vector<double>& made : Problem::pull(at, local.problem->outputs(), given)) {
      if (!all_finite(made)) {
        GradcheckCulprit culprit = culprit_of(*application, number);
        const bool infinite = std::ranges::any_of(made, [](double x) { return std::isinf(x); });
        culprit.problem =
            infinite ? "its derivative is infinite here; infinity times 0 gives NaN further on"
                     : "it makes a NaN of a finite upstream gradient";
        return culprit;
      }
    }
  }
  return std::nullopt;
}

std::optional<GradcheckCulprit> find_cut(const Recording& recording, const Tensor& leaf) {
  boost::unordered_flat_map<const Storage*, std::string> depends;
  depends[leaf.impl()->storage.get()] = "the input";
  for (const Application& application : recording.tape.applications()) {
    const Node* node = application.node();
    const auto number = recording.numbers.find(node);
    const std::int64_t id = number == recording.numbers.end() ? -1 : number->second;
    bool dependent = false;
    for (std::size_t i = 0; i < application.inputs.size(); ++i) {
      const Tensor& input = application.inputs[i];
      const auto found = depends.find(input.impl()->storage.get());
      if (found == depends.end() || !is_floating(input.dtype())) {
        continue;
      }
      dependent = true;
      const bool floating = std::ranges::any_of(
          application.outputs, [](const Tensor& output) { return is_floating(output.dtype()); });
      if (!floating || (input.requires_grad() && node != nullptr)) {
        continue;
      }
      GradcheckCulprit culprit = culprit_of(application, id);
      culprit.input = static_cast<int>(i);
      culprit.problem =
          input.requires_grad()
              ? "it was applied while nothing was recorded (NoGrad)"
              : fmt::format("its operand {} has the value of {}, taken out of the graph (detach)",
                            i, found->second);
      return culprit;
    }
    for (const Tensor& output : application.outputs) {
      if (dependent && is_floating(output.dtype())) {
        depends.try_emplace(output.impl()->storage.get(),
                            id >= 0 ? fmt::format("#{} {}", id, application.op->doc().name)
                                    : std::string(application.op->doc().name));
      }
    }
  }
  return std::nullopt;
}

}  // namespace cadena::detail
