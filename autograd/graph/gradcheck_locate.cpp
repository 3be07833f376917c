#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/gradcheck_problem.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <optional>

namespace cadena::detail {
namespace {

/// One operator as it was applied.
struct Application {
  OperatorRef op;
  std::vector<Tensor> inputs, outputs;

  const Node* node() const {
    for (const Tensor& output : outputs) {
      if (const Node* node = output.impl()->node.get()) {
        return node;
      }
    }
    return nullptr;
  }
};

/// All operators that a function applies, with their values.
class Tape final : public Observer {
 public:
  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    Application application{op, {}, {outputs.begin(), outputs.end()}};
    for (const Tensor* input : inputs) {
      application.inputs.push_back(*input);
    }
    const std::lock_guard lock(mutex_);
    applications_.push_back(std::move(application));
  }
  const std::vector<Application>& applications() const { return applications_; }

 private:
  std::mutex mutex_;
  std::vector<Application> applications_;
};

/// A function's graph: the applications in it with their numbers.
struct Recording {
  Tape tape;
  Recorded at;
  std::vector<std::pair<std::int64_t, const Application*>> steps;  // in topological order
  boost::unordered_flat_map<const Node*, std::int64_t> numbers;

  explicit Recording(Problem& problem) : at(problem.record({}, &tape)) {
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
};

/// One application as a function of those operands that gradients flow to.
struct LocalProblem {
  std::vector<int> operands;
  std::optional<Problem> problem;

  explicit LocalProblem(const Application& application) {
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
};

GradcheckCulprit culprit_of(const Application& application, std::int64_t number) {
  GradcheckCulprit culprit;
  culprit.node = number;
  culprit.name = application.op->doc().name;
  culprit.attributes = application.op->attributes();
  return culprit;
}

/// Checks one operator alone.
std::optional<GradcheckCulprit> check_alone(const Application& application, std::int64_t number,
                                            int order, const GradcheckOptions& options);

/// The first application of a function's graph that is wrong by itself.
std::optional<GradcheckCulprit> first_wrong(Problem& problem, int order,
                                            const GradcheckOptions& options,
                                            const OperatorRef& except = {}) {
  const Recording recording(problem);
  for (const auto& [number, application] : recording.steps) {
    if (except && application->op->equals(*except)) {
      continue;
    }
    if (auto culprit = check_alone(*application, number, order, options)) {
      return culprit;
    }
  }
  return std::nullopt;
}

std::optional<GradcheckCulprit> check_alone(const Application& application, std::int64_t number,
                                            int order, const GradcheckOptions& options) {
  LocalProblem local(application);
  GradcheckOptions its = options;
  its.order = order;
  its.max_failures = 1;
  GradcheckReport report;
  int failing = 0;
  try {
    failing = check_orders(*local.problem, its, report);
  } catch (const Error& error) {
    report.problems.push_back(error.what());
    failing = 1;
  }
  if (failing == 0) {
    return std::nullopt;
  }
  GradcheckCulprit culprit = culprit_of(application, number);
  culprit.order = failing;
  if (!report.failures.empty()) {
    culprit.place = report.failures[0];
    const std::vector<Variable>& variables = local.problem->variables();
    for (std::size_t k = 0; k < variables.size(); ++k) {
      if (variables[k].name == culprit.place->input) {
        culprit.input = local.operands[k];
      }
    }
    culprit.problem = !culprit.place->reached ? "it gives no gradient for an operand that matters"
                      : failing == 1          ? "its gradient is wrong"
                                     : "its gradient is right, the gradient of that is wrong";
  } else {
    culprit.problem = report.problems[0];
  }
  if (failing == 2) {
    try {
      CheckRandom random(options.seed + 17);
      Problem gradient = local.problem->gradient(random);
      if (auto inner = first_wrong(gradient, 1, options, application.op)) {
        inner->inside = fmt::format("the gradient of #{} {}", number, culprit.name);
        inner->node = -1;
        return inner;
      }
    } catch (const Error&) {
      // The operator itself stays the culprit: its gradient cannot be computed with a graph.
    }
  }
  return culprit;
}

/// The first operator whose result is infinite or NaN: where gradients become NaN.
std::optional<GradcheckCulprit> find_not_finite(const Recording& recording) {
  for (const auto& [number, application] : recording.steps) {
    for (const Tensor& output : application->outputs) {
      if (is_floating(output.dtype()) &&
          !std::ranges::all_of(output.to_vector<double>(),
                               [](double y) { return std::isfinite(y); })) {
        GradcheckCulprit culprit = culprit_of(*application, number);
        culprit.problem = "its result is infinite or NaN, so gradients become 0 · infinity = NaN";
        return culprit;
      }
    }
  }
  return std::nullopt;
}

/// Where a value that depends on a leaf goes on outside of the graph.
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

}  // namespace

void locate(Problem& problem, int order, const GradcheckOptions& options, GradcheckReport& report) {
  const Recorded at = problem.record();
  if (const Graph graph = graph_of(at.outputs); graph.nodes.size() <= 40) {
    report.graph = graph.text();
  }
  report.culprit = first_wrong(problem, order, options);
  if (report.culprit) {
    return;
  }
  const auto search = [&](Problem& of) {
    const Recording recording(of);
    if (std::ranges::any_of(report.failures, [](const GradcheckPlace& place) {
          return std::isnan(place.gradient);
        })) {
      report.culprit = find_not_finite(recording);
    }
    for (std::size_t v = 0; v < of.variables().size() && !report.culprit; ++v) {
      const bool concerned = std::ranges::any_of(report.failures, [&](const GradcheckPlace& place) {
        return place.input == of.variables()[v].name;
      });
      if (concerned) {
        report.culprit = find_cut(recording, recording.at.leaves[v]);
      }
    }
  };
  if (order == 1) {
    search(problem);
  } else {
    CheckRandom random(options.seed + 17);
    Problem gradient = problem.gradient(random);
    search(gradient);
  }
}

}  // namespace cadena::detail
