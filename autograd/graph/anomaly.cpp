#include <cadena/autograd/graph/anomaly.hpp>
#include <cadena/autograd/graph/anomaly_report.hpp>
#include <cadena/autograd/graph/call_stack.hpp>
#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/observer.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <mutex>
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

std::string named(const Operator& op) {
  const std::string attributes = op.attributes();
  return attributes.empty() ? op.doc().name : fmt::format("{} {{{}}}", op.doc().name, attributes);
}

std::string text_of(const Trace& first) {
  std::string text = first.stack.text("    ");
  for (const Trace* trace = &first; trace->derivative_of != nullptr; trace = trace->origin.get()) {
    text += fmt::format("  as part of the derivative of {}, called at\n{}", trace->derivative_of,
                        trace->origin ? trace->origin->stack.text("    ")
                                      : "    (not known: no AnomalyMode was on)\n");
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
                     trace ? text_of(*trace) : "    (not known: no AnomalyMode was on)\n");
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
    "data, a function that creates tensors, or an operator that was allowed to make it or whose "
    "thread had no AnomalyMode on";

}  // namespace
}  // namespace detail

using namespace detail;

class AnomalyMode::Watch final : public ChainedObserver {
 public:
  explicit Watch(AnomalyOptions options)
      : options_(std::move(options)), outer_(std::exchange(modes().anomaly, this)) {}
  ~Watch() { modes().anomaly = outer_; }

  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override {
    if (modes().anomaly == this) {
      note_calls(outputs);
      if (!op->is_view()) {
        look(*op, inputs, outputs);
      }
    }
    ChainedObserver::applied(op, inputs, outputs);
  }

  void deriving(const Node& node) override {
    ChainedObserver::deriving(node);
    const std::lock_guard lock(mutex_);
    suspects_[modes().deriving].clear();
  }

  void derived(const Node& node, std::span<const Tensor> upstream, std::span<const bool> needed,
               const Gradients& results) override {
    if (modes().anomaly == this) {
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
  /// What is wrong with a result by the options; `given` says whether an infinity was there before.
  template <class Given>
  std::optional<BadElements> wrong(const Tensor& x, const char* op, Given&& given) const {
    if (all_finite(x)) {
      return std::nullopt;
    }
    const auto passes = [&] {
      return !options_.allowed.empty() &&
             (std::ranges::find(options_.allowed, op) != options_.allowed.end() || given());
    };
    return find_bad(x, options_.nan, options_.infinity && !passes());
  }

  void look(const Operator& op, std::span<const Tensor* const> inputs, const Tensors& outputs) {
    const auto given = [&] {
      return std::ranges::any_of(inputs, [](const Tensor* input) { return infinite(*input); });
    };
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      if (const auto bad = wrong(outputs[k], op.doc().name, given)) {
        const Deriving* at = modes().deriving;
        std::unique_lock lock(mutex_);
        const auto derivative = suspects_.find(at);
        if (derivative == suspects_.end()) {
          lock.unlock();
          std::string text = report(op, inputs, outputs[k], k, *bad);
          text += fmt::format("  called at\n{}", CallStack::here().text("    "));
          if (at != nullptr && !at->node->is_leaf()) {
            text += fmt::format("  in backward, where gradients at {} are added up or hooked\n{}",
                                named(*at->node->op), origin_of(*at->node));
          }
          throw Error(text);
        }
        if (derivative->second.empty()) {
          derivative->second = report(op, inputs, outputs[k], k, *bad);
        }
        return;
      }
    }
  }

  static std::string report(const Operator& op, std::span<const Tensor* const> inputs,
                            const Tensor& output, std::size_t k, const BadElements& bad) {
    std::string text = fmt::format("AnomalyMode: {} gave {}\n  output {}: {}\n", named(op),
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
    const auto given = [&] {
      const auto kept = [](const Tensor* first, std::uint32_t size) {
        return first != nullptr && std::any_of(first, first + size, infinite);
      };
      return std::ranges::any_of(upstream, infinite) || kept(node.kept_inputs, node.input_count) ||
             kept(node.kept_outputs, node.output_count);
    };
    for (std::size_t k = 0; k < count; ++k) {
      if (!needed[k] || !results[k].defined()) {
        continue;
      }
      if (const auto bad = wrong(results[k], node.op->doc().name, given)) {
        throw Error(report(node, upstream, results[k], k, *bad));
      }
    }
  }

  std::string report(const Node& node, std::span<const Tensor> upstream, const Tensor& gradient,
                     std::size_t k, const BadElements& bad) {
    const Node& source = *node.edges[k].node;
    std::string text =
        fmt::format("AnomalyMode: the derivative of {} gave {}\n  gradient of input {} ({}): {}\n",
                    named(*node.op), kind(bad), k,
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
  void note_calls(const Tensors& outputs) {
    const auto made = std::ranges::find_if(
        outputs, [](const Tensor& output) { return output.impl()->node.get() != nullptr; });
    if (made == outputs.end()) {
      return;
    }
    Trace trace{CallStack::here(), nullptr, nullptr};
    if (const Deriving* at = modes().deriving; at != nullptr && !at->node->is_leaf()) {
      trace.derivative_of = at->node->op->doc().name;
      trace.origin = trace_of(*at->node);
    }
    const std::size_t hash = trace.stack.hash() ^ std::hash<const void*>()(trace.origin.get()) * 31;
    Extras& extras = made->impl()->node->its_extras();
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
  const Observer* outer_;
  std::mutex mutex_;
  /// Of each derivative that is being computed: what was first bad inside of it, as text.
  boost::unordered_flat_map<const Deriving*, std::string> suspects_;
  boost::unordered_flat_map<std::size_t, std::shared_ptr<const Trace>> traces_;
};

AnomalyMode::AnomalyMode(AnomalyOptions options) : watch_(new Watch(std::move(options))) {}
AnomalyMode::~AnomalyMode() = default;

}  // namespace cadena
