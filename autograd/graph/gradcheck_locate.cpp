#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/gradcheck_tape.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace cadena::detail {
namespace {

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
    report.problems.emplace_back(error.what());
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

}  // namespace

void locate(Problem& problem, int order, const GradcheckOptions& options, GradcheckReport& report) {
  const Recorded at = problem.record();
  if (Graph graph = graph_of(at.outputs); graph.nodes.size() <= 40) {
    const std::vector<const Node*> nodes = nodes_of(at.outputs);
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::size_t v = 0; v < at.leaves.size(); ++v) {
        if (nodes[i] == at.leaves[v].impl()->node.get()) {
          graph.nodes[i].attributes = problem.variables()[v].name;
        }
      }
    }
    report.graph = graph.text();
  }
  report.culprit = first_wrong(problem, order, options);
  if (report.culprit) {
    return;
  }
  const auto search = [&](Problem& of) {
    const Recording recording(of);
    const auto not_a_number = std::ranges::find_if(
        report.failures, [](const GradcheckPlace& place) { return std::isnan(place.gradient); });
    if (not_a_number != report.failures.end()) {
      report.culprit = find_not_finite(recording);
      if (!report.culprit) {
        report.culprit = find_infinite_derivative(of, recording, *not_a_number);
      }
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
