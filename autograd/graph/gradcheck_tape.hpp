#pragma once

// What gradcheck looks at after a failure: each operator as it was applied; not for users.

#include <cadena/autograd/graph/gradcheck_problem.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace cadena::detail {

/// One operator as it was applied.
struct Application {
  OperatorRef op;
  std::vector<Tensor> inputs, outputs;

  const Node* node() const;
};

/// All operators that a function applies, with their values.
class Tape final : public Observer {
 public:
  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override;
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

  explicit Recording(Problem& problem);
};

/// One application as a function of those operands that gradients flow to.
struct LocalProblem {
  std::vector<int> operands;
  std::optional<Problem> problem;

  explicit LocalProblem(const Application& application);
  LocalProblem(const LocalProblem&) = delete;  // the problem's function holds it
  LocalProblem& operator=(const LocalProblem&) = delete;
};

GradcheckCulprit culprit_of(const Application& application, std::int64_t number);

/// The first operator whose result is infinite or NaN: where gradients become NaN.
std::optional<GradcheckCulprit> find_not_finite(const Recording& recording);

/// The operator that makes an infinite or NaN gradient of a finite one, the first that backward
/// meets, when it starts from the output of a failure.
std::optional<GradcheckCulprit> find_infinite_derivative(const Problem& problem,
                                                         const Recording& recording,
                                                         const GradcheckPlace& place);

/// Where a value that depends on a leaf goes on outside of the graph.
std::optional<GradcheckCulprit> find_cut(const Recording& recording, const Tensor& leaf);

}  // namespace cadena::detail
