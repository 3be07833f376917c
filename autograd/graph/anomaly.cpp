#include <cadena/autograd/graph/anomaly.hpp>
#include <cadena/autograd/graph/anomaly_report.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/call_stack.hpp>
#include <cadena/autograd/graph/described.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/observer.hpp>
#include <cadena/autograd/ops/logic.hpp>
#include <cadena/autograd/ops/special_values.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <string_view>
#include <utility>

namespace cadena {
namespace detail {

/// Where a node was made.
struct Trace {
  CallStack stack;
  const char* derivative_of = nullptr;  ///< The operator whose derivative it is a part of.
  std::shared_ptr<const Trace> origin;  ///< Where that was made, if it is known.
  bool operator==(const Trace&) const = default;
};

namespace {

constexpr const char* not_known = "    (not known: no AnomalyMode saw the call)\n";

std::string text_of(const Trace& first) {
  std::string text = first.stack.text("    ");
  for (const Trace* trace = &first; trace->derivative_of != nullptr; trace = trace->origin.get()) {
    text += fmt::format("  as part of the derivative of {}, called at\n{}", trace->derivative_of,
                        trace->origin ? trace->origin->stack.text("    ") : not_known);
    if (!trace->origin) {
      break;
    }
  }
  return text;
}

const std::shared_ptr<const Trace>& trace_of(const Node& node) {
  static const std::shared_ptr<const Trace> none;
  return node.extras ? node.extras->trace : none;
}

/// Where the operator of a node was called.
std::string origin_of(const Node& node) {
  const std::shared_ptr<const Trace>& trace = trace_of(node);
  return fmt::format("  {} was called at\n{}", node.op->doc().name,
                     trace ? text_of(*trace) : not_known);
}

bool infinite(const Tensor& x) {
  return x.defined() && is_floating(x.dtype()) && find_bad(x, false, true).has_value();
}

/// What an Error says of a tensor that an operator was given; whether that was bad already.
bool tell(std::string& text, const char* what, std::size_t index, const Tensor& x,
          const Shape& beside, std::int64_t position) {
  text += fmt::format("  {} {}: {}\n", what, index, describe(x, beside, position));
  return !all_finite(x);
}

constexpr const char* from_elsewhere =
    "data, a function that creates tensors, an optimizer or assign, or an operator that was "
    "allowed to make it or that no AnomalyMode saw";

/// Whether an infinity was stated: a C++ number that is one. `where` is given it repeated.
bool stated(const Operator& op, std::span<const Tensor* const> inputs) {
  const auto repeated = [](const Tensor& x) {
    const Strides strides = x.strides();
    for (int axis = 0; axis < x.dim(); ++axis) {
      if (x.shape()[axis] > 1 && strides[axis] != 0) {
        return false;
      }
    }
    return true;
  };
  const bool chooses = std::string_view(op.doc().name) == "where";
  return std::ranges::any_of(inputs, [&](const Tensor* input) {
    return (input->is_number() || (chooses && repeated(*input))) && infinite(*input);
  });
}

/// The elements of output k whose infinities are those that the operator was given: with 1 in their
/// place it makes something else there. None if it was given none.
std::vector<bool> given(const OperatorRef& op, std::span<const Tensor* const> inputs,
                        const Tensor& output, std::size_t k) {
  if (std::ranges::none_of(inputs, [](const Tensor* input) { return infinite(*input); })) {
    return {};
  }
  std::vector<bool> passed(static_cast<std::size_t>(output.numel()), true);
  const Observing nobody(nullptr);
  const NoGrad no_grad;
  try {
    std::vector<Tensor> values;
    for (const Tensor* input : inputs) {
      values.push_back(infinite(*input) ? masked_fill(*input, isinf(*input), 1.0) : *input);
    }
    std::vector<const Tensor*> pointers;
    for (const Tensor& value : values) {
      pointers.push_back(&value);
    }
    const std::vector<double> ours = output.detach().to_vector<double>();
    const std::vector<double> others = cadena::bind(op, pointers)[k].to_vector<double>();
    for (std::size_t i = 0; i < passed.size() && i < others.size(); ++i) {
      passed[i] = !(others[i] == ours[i]);
    }
  } catch (const Error&) {
    // It refuses the other values: they say nothing.
  }
  return passed;
}

/// The elements of a gradient where what its derivative was given is infinite: the same element of
/// a tensor of its shape, any element of another.
void mark_given(std::span<const Tensor> tensors, const Tensor& gradient,
                std::vector<bool>& passed) {
  for (const Tensor& x : tensors) {
    if (!infinite(x)) {
      continue;
    }
    passed.resize(static_cast<std::size_t>(gradient.numel()), false);
    if (x.shape() != gradient.shape()) {
      passed.assign(passed.size(), true);
      return;
    }
    const std::vector<double> values = x.detach().to_vector<double>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      passed[i] = passed[i] || std::isinf(values[i]);
    }
  }
}

}  // namespace
}  // namespace detail

using namespace detail;

class AnomalyMode::Watch final : public ChainedObserver {
 public:
  explicit Watch(AnomalyOptions options)
      : options_(std::move(options)),
        passing_(!options_.allowed.empty()),
        outer_(std::exchange(modes().anomaly, this)) {}
  ~Watch() {
    // Modes may end in any order; all in this list are of this class.
    for (const Observer** link = &modes().anomaly; *link != nullptr;
         link = &static_cast<const Watch*>(*link)->outer_) {
      if (*link == this) {
        *link = outer_;
        return;
      }
    }
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    if (looks()) {
      const auto made = std::ranges::find_if(
          outputs, [](const Tensor& output) { return output.impl()->node.get() != nullptr; });
      if (made != outputs.end()) {
        note_calls(*made->impl()->node);
      }
      if (!op->is_view()) {
        look(op, inputs, outputs);
      }
    }
    ChainedObserver::applied(op, inputs, outputs);
  }

  void recorded(Node& node) override {
    if (looks()) {
      note_calls(node);
    }
    ChainedObserver::recorded(node);
  }

  void deriving(const Node& node) override {
    if (looks()) {
      const std::lock_guard lock(mutex_);
      suspects_[modes().deriving].clear();
    }
    try {
      ChainedObserver::deriving(node);
    } catch (...) {
      forget();
      throw;
    }
  }

  void derived(const Node& node, std::span<const Tensor> upstream, std::span<const bool> needed,
               const Gradients& results) override {
    if (looks()) {
      look(node, upstream, needed, results);
    }
    ChainedObserver::derived(node, upstream, needed, results);
    forget();
  }

  void derivation_failed(const Node& node) noexcept override {
    ChainedObserver::derivation_failed(node);
    forget();
  }

 private:
  /// Whether it is its turn: it is the innermost mode, and no pause.
  bool looks() const noexcept {
    return modes().anomaly == this && (options_.nan || options_.infinity);
  }

  bool allowed(const Operator& op) const {
    return std::ranges::find(options_.allowed, op.doc().name) != options_.allowed.end();
  }

  void look(const OperatorRef& op, std::span<const Tensor* const> inputs, const Tensors& outputs) {
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (all_finite(outputs[k])) {
        continue;
      }
      const bool infinity = options_.infinity && !allowed(*op);
      if (options_.infinity && (allowed(*op) || stated(*op, inputs)) && infinite(outputs[k])) {
        passing_ = true;
      }
      const std::vector<bool> passed =
          infinity && passing_ ? given(op, inputs, outputs[k], k) : std::vector<bool>();
      if (const auto bad = find_bad(outputs[k], options_.nan, infinity, passed)) {
        blame(*op, inputs, outputs[k], k, *bad);
        return;
      }
    }
  }

  /// Throws; inside of a derivative it is kept in mind, as the gradients are judged.
  void blame(const Operator& op, std::span<const Tensor* const> inputs, const Tensor& output,
             std::size_t k, const BadElements& bad) {
    const Deriving* at = modes().deriving;
    std::unique_lock lock(mutex_);
    const auto derivative = suspects_.find(at);
    if (derivative != suspects_.end()) {
      if (derivative->second.empty()) {
        derivative->second = report(op, inputs, output, k, bad);
      }
      return;
    }
    lock.unlock();
    std::string text = report(op, inputs, output, k, bad);
    text += fmt::format("  called at\n{}", CallStack::here().text("    "));
    if (at != nullptr && at->node->is_leaf()) {
      text += "  in backward, where gradients of a leaf are added up or hooked\n";
    } else if (at != nullptr) {
      text += fmt::format("  in backward, where gradients at {} are added up or hooked\n{}",
                          described(*at->node->op), origin_of(*at->node));
    }
    throw Error(text);
  }

  static std::string report(const Operator& op, std::span<const Tensor* const> inputs,
                            const Tensor& output, std::size_t k, const BadElements& bad) {
    std::string text = fmt::format("AnomalyMode: {} gave {}\n  output {}: {}\n", described(op),
                                   kind(bad), k, describe_bad(output, bad));
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (tell(text, "input", i, *inputs[i], output.shape(), bad.first)) {
        text +=
            fmt::format("    it was bad already, so it comes from elsewhere: {}\n", from_elsewhere);
      }
    }
    return text;
  }

  static const char* kind(const BadElements& bad) {
    return bad.value != bad.value ? "NaN" : "an infinity";
  }

  void look(const Node& node, std::span<const Tensor> upstream, std::span<const bool> needed,
            const Gradients& results) {
    // A vjp may give too few gradients: the sweep says so afterwards.
    const std::size_t count = std::min(results.size(), needed.size());
    for (std::size_t k = 0; k < count; ++k) {
      if (!needed[k] || !results[k].defined()) {
        continue;
      }
      const bool infinity = options_.infinity && !allowed(*node.op);
      std::vector<bool> passed;
      if (infinity && passing_ && !all_finite(results[k])) {
        mark_given(upstream, results[k], passed);
        mark_given(kept(node.kept_inputs, node.input_count), results[k], passed);
        mark_given(kept(node.kept_outputs, node.output_count), results[k], passed);
      }
      if (const auto bad = find_bad(results[k], options_.nan, infinity, passed)) {
        throw Error(report(node, upstream, results[k], k, *bad));
      }
    }
  }

  static std::span<const Tensor> kept(const Tensor* first, std::uint32_t count) {
    return first == nullptr ? std::span<const Tensor>() : std::span(first, count);
  }

  std::string report(const Node& node, std::span<const Tensor> upstream, const Tensor& gradient,
                     std::size_t k, const BadElements& bad) {
    const Node& source = *node.edges[k].node;
    std::string text =
        fmt::format("AnomalyMode: the derivative of {} gave {}\n  gradient of input {} ({}): {}\n",
                    described(*node.op), kind(bad), k,
                    source.is_leaf() ? "a leaf" : fmt::format("made by {}", source.op->doc().name),
                    describe_bad(gradient, bad));
    const auto about = [&](const char* what, const Tensor* first, std::size_t size) {
      for (std::size_t i = 0; first != nullptr && i < size; ++i) {
        if (first[i].defined() && tell(text, what, i, first[i], gradient.shape(), bad.first)) {
          text += "    it was bad already\n";
        }
      }
    };
    about("upstream gradient", upstream.data(), upstream.size());
    about("input", node.kept_inputs, node.input_count);
    about("output", node.kept_outputs, node.output_count);
    {
      const std::lock_guard lock(mutex_);
      const std::string& first = suspects_[modes().deriving];
      if (const std::size_t begin = first.find(": "); begin != std::string::npos) {
        std::string inner = first.substr(begin + 2);
        for (std::size_t end = inner.find('\n'); end + 1 < inner.size();
             end = inner.find('\n', end + 3)) {
          inner.insert(end + 1, "  ");
        }
        text += "  inside of it, first: " + inner;
      }
    }
    return text + origin_of(node) +
           fmt::format("  backward was called at\n{}", CallStack::here().text("    "));
  }

  /// Keeps where the thread is in the node that was just made. The same calls are kept once.
  void note_calls(Node& node) {
    Trace trace{CallStack::here(), nullptr, nullptr};
    if (const Deriving* at = modes().deriving; at != nullptr && !at->node->is_leaf()) {
      trace.derivative_of = at->node->op->doc().name;
      trace.origin = trace_of(*at->node);
    }
    const std::size_t hash = trace.stack.hash() ^ std::hash<const void*>()(trace.origin.get()) * 31;
    Extras& extras = node.its_extras();
    const std::lock_guard lock(mutex_);
    std::shared_ptr<const Trace>& known = traces_[hash];
    if (!known || !(*known == trace)) {
      known = std::make_shared<const Trace>(std::move(trace));
    }
    extras.trace = known;
    if (traces_.size() > most_traces) {
      traces_.clear();
    }
  }

  void forget() noexcept {
    const std::lock_guard lock(mutex_);
    suspects_.erase(modes().deriving);
  }

  static constexpr std::size_t most_traces = 4096;

  AnomalyOptions options_;
  /// Whether infinities may pass from inputs to results: there is one that is meant.
  std::atomic<bool> passing_;
  mutable const Observer* outer_;
  std::mutex mutex_;
  /// Of each derivative that is being computed: what was first bad inside of it, as text.
  boost::unordered_flat_map<const Deriving*, std::string> suspects_;
  boost::unordered_flat_map<std::size_t, std::shared_ptr<const Trace>> traces_;
};

AnomalyMode::AnomalyMode(AnomalyOptions options) : watch_(new Watch(std::move(options))) {}
AnomalyMode::~AnomalyMode() = default;

}  // namespace cadena
