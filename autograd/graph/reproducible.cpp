#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/reproducible.hpp>
#include <cadena/autograd/graph/reproducible_watch.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <fmt/format.h>
#include <boost/unordered/unordered_flat_map.hpp>

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

namespace cadena {
namespace {

using detail::Caught;
using detail::Hash;
using detail::Print;

/// Cells, generators and the number of threads, put back by `restore` and at the end.
class State {
 public:
  State(std::span<const NamedCell> cells, const std::vector<Generator>& generators)
      : cells_(cells), generators_(generators) {
    generators_.push_back(default_generator());
    for (const Generator& generator : generators_) {
      states_.push_back(generator.state());
    }
    for (const NamedCell& named : cells_) {
      const Tensor& value = named.cell.value();
      values_.push_back(value.detach());
      gradients_.push_back(value.requires_grad() ? value.grad() : Tensor());
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    restore();
    set_threads(threads_);
  }
  void restore() const {
    for (std::size_t i = 0; i < generators_.size(); ++i) {
      generators_[i].set_state(states_[i]);
    }
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      cells_[i].cell.put(values_[i]);
      if (cells_[i].cell.requires_grad()) {
        cells_[i].cell.set_grad(gradients_[i]);
      }
    }
  }

 private:
  std::span<const NamedCell> cells_;
  std::vector<Generator> generators_;
  std::vector<GeneratorState> states_;
  std::vector<Tensor> values_, gradients_;
  int threads_ = threads();
};

/// What cells hold after a run: each one's value and gradient.
std::vector<Tensor> contents(std::span<const NamedCell> cells) {
  std::vector<Tensor> all;
  for (const NamedCell& named : cells) {
    const Tensor& value = named.cell.value();
    all.push_back(value.detach());
    all.push_back(value.requires_grad() ? value.grad() : Tensor());
  }
  return all;
}

struct Run {
  int threads = 1;
  std::vector<Print> prints;
  bool in_order = true;
  std::vector<std::uint64_t> cells;
  std::optional<Caught> caught;
};

class Comparison {
 public:
  Comparison(const std::function<void()>& step, std::span<const NamedCell> cells,
             const ReproducibleOptions& options)
      : step_(step), cells_(cells), state_(cells, options.generators) {}

  Run run(int threads, const Print* wanted = nullptr) {
    state_.restore();
    set_threads(threads);
    ++runs;
    Run result;
    result.threads = threads;
    detail::PrintWatch watch(wanted);
    step_();
    result.prints = std::move(watch.prints);
    result.in_order = watch.in_order;
    result.caught = std::move(watch.caught);
    for (const Tensor& x : contents(cells_)) {
      Hash hash;
      if (x.defined()) {
        hash.add(x);
      }
      result.cells.push_back(hash.value());
    }
    return result;
  }

  void compare(const Run& a, const Run& b) {
    const auto operators = a.in_order && b.in_order ? in_order(a, b) : as_sets(a, b);
    if (operators) {
      fail("assert_reproducible: {}{}{}", kind(a, b), *operators, hint(a, b));
    }
    for (std::size_t i = 0; i < a.cells.size(); ++i) {
      if (a.cells[i] != b.cells[i]) {
        fail("assert_reproducible: {}{}{}", kind(a, b), cell(a, b, i), hint(a, b));
      }
    }
  }

  std::int64_t runs = 0;

 private:
  static const char* kind(const Run& a, const Run& b) {
    return a.threads == b.threads ? "not repeatable: " : "";
  }

  static std::string hint(const Run& a, const Run& b) {
    return a.threads != b.threads
               ? ""
               : "\n  the number of threads is the same: the step changes something that is not "
                 "among its cells and generators, or it differs by chance";
  }

  /// "with 1 thread and with 8"; of two runs that have the same number, the first and the second.
  static std::string runs_named(const Run& a, const Run& b) {
    return a.threads == b.threads
               ? fmt::format("in two runs with {} thread{}", a.threads, a.threads == 1 ? "" : "s")
               : fmt::format("with {} thread{} and with {}", a.threads, a.threads == 1 ? "" : "s",
                             b.threads);
  }

  std::optional<std::string> in_order(const Run& a, const Run& b) {
    const auto [x, y] = std::ranges::mismatch(a.prints, b.prints);
    const std::int64_t index = x - a.prints.begin();
    if (x == a.prints.end() && y == b.prints.end()) {
      return std::nullopt;
    }
    if (x == a.prints.end() || y == b.prints.end() || x->op != y->op) {
      const auto name = [](auto at, const auto& all) {
        return at == all.end() ? std::string("none") : std::string(at->name);
      };
      return fmt::format("operator {} is {} or {} {}: the step applies other operators", index,
                         name(x, a.prints), name(y, b.prints), runs_named(a, b));
    }
    return difference(a, b, index, &*y);
  }

  /// Operators of several threads: those of `a` that `b` has not.
  std::optional<std::string> as_sets(const Run& a, const Run& b) {
    boost::unordered_flat_map<std::uint64_t, std::int64_t> count;
    for (const Print& print : b.prints) {
      ++count[print.key()];
    }
    for (std::size_t i = 0; i < a.prints.size(); ++i) {
      const Print& print = a.prints[i];
      if (--count[print.key()] >= 0) {
        continue;
      }
      const auto other = std::ranges::find_if(b.prints, [&](const Print& its) {
        return its.op == print.op && its.inputs == print.inputs && !(its == print);
      });
      return difference(a, b, static_cast<std::int64_t>(i),
                        other == b.prints.end() ? nullptr : &*other);
    }
    if (a.prints.size() != b.prints.size()) {
      return fmt::format("{} or {} operators {}", a.prints.size(), b.prints.size(),
                         runs_named(a, b));
    }
    return std::nullopt;
  }

  std::string difference(const Run& a, const Run& b, std::int64_t index, const Print* theirs) {
    const Print ours = a.prints[static_cast<std::size_t>(index)];
    const std::optional<Caught> first = run(a.threads, &ours).caught;
    std::string text = fmt::format("operator {}, {}, gives other bits {}", index,
                                   first ? first->text : ours.name, runs_named(a, b));
    if (theirs == nullptr) {
      return text + "\n  no operator there had the same inputs";
    }
    if (theirs->inputs != ours.inputs) {
      text +=
          "\n  its inputs differ already, though no operator before does: they come from outside "
          "of operators (random numbers, data, cells)";
    }
    const std::optional<Caught> second = run(b.threads, theirs).caught;
    if (!first || !second) {
      return text + "\n  further runs gave yet other bits: the values are not known";
    }
    for (std::size_t k = 0; k < first->outputs.size(); ++k) {
      if (const std::string values = values_of(first->outputs[k], second->outputs[k], a, b);
          !values.empty()) {
        text += fmt::format("\n  output {}: {}", k, values);
        break;
      }
    }
    return text;
  }

  std::string cell(const Run& a, const Run& b, std::size_t i) {
    std::string text =
        fmt::format("the {} of cell {} has other bits {}, though no operator has",
                    i % 2 == 0 ? "value" : "gradient", cells_[i / 2].name, runs_named(a, b));
    run(a.threads);
    const Tensor first = contents(cells_)[i];
    run(b.threads);
    const Tensor second = contents(cells_)[i];
    if (first.defined() && second.defined() && first.shape() == second.shape() &&
        first.dtype() == second.dtype()) {
      text += "\n  " + values_of(first, second, a, b);
    }
    return text;
  }

  /// Where two tensors of one type differ; empty if they do not.
  static std::string values_of(const Tensor& x, const Tensor& y, const Run& a, const Run& b) {
    if (x.shape() != y.shape() || x.dtype() != y.dtype()) {
      return fmt::format("{} {} and {} {}", name(x.dtype()), x.shape(), name(y.dtype()), y.shape());
    }
    return dispatch(x.dtype(), [&]<class T>() -> std::string {
      std::vector<T> first, second;  // of bool too: elements are compared as they are stored
      const auto collect = [](const Tensor& from, std::vector<T>& to) {
        detail::for_each<T>(*from.impl(), [&](T value) { to.push_back(value); });
      };
      collect(x, first);
      collect(y, second);
      std::int64_t count = 0, at = 0;
      for (std::size_t i = 0; i < first.size(); ++i) {
        const T ours = first[i], theirs = second[i];
        // Bits: NaN is NaN again, and -0 is not 0.
        // NOLINTNEXTLINE(bugprone-suspicious-memory-comparison)
        if (std::memcmp(&ours, &theirs, sizeof ours) != 0 && count++ == 0) {
          at = static_cast<std::int64_t>(i);
        }
      }
      if (count == 0) {
        return "";
      }
      const auto position = static_cast<std::size_t>(at);
      const T ours = first[position], theirs = second[position];
      return fmt::format(
          "{} {}, {} of {} elements differ, the first{}: {} with {} thread{}, {} {}",
          name(x.dtype()), x.shape(), count, first.size(),
          x.dim() == 0 ? "" : fmt::format(" at {}", unravel(at, x.shape())), ours, a.threads,
          a.threads == 1 ? "" : "s", theirs,
          a.threads == b.threads ? "the second time" : fmt::format("with {}", b.threads));
    });
  }

  const std::function<void()>& step_;
  std::span<const NamedCell> cells_;
  State state_;
};

}  // namespace

ReproducibleReport assert_reproducible(const std::function<void()>& step,
                                       const std::vector<NamedCell>& cells,
                                       const ReproducibleOptions& options) {
  if (!step) {
    fail("assert_reproducible: the step is empty");
  }
  if (options.threads.empty()) {
    fail("assert_reproducible: no numbers of threads to run with");
  }
  Comparison comparison(step, cells, options);
  const Run first = comparison.run(options.threads.front());
  comparison.compare(first, comparison.run(first.threads));
  if (first.prints.empty() && cells.empty()) {
    fail(
        "assert_reproducible: nothing to compare: the step applies no operator in this thread or "
        "loops of parallel_for, and no cells were given");
  }
  for (const int threads : std::span(options.threads).subspan(1)) {
    comparison.compare(first, comparison.run(threads));
  }
  return {std::ssize(first.prints), std::ssize(cells), comparison.runs};
}

ReproducibleReport assert_reproducible(const std::function<void()>& step,
                                       const std::vector<Cell>& cells,
                                       const ReproducibleOptions& options) {
  std::vector<NamedCell> named;
  for (const Cell& cell : cells) {
    named.push_back({std::to_string(named.size()), cell});
  }
  return assert_reproducible(step, named, options);
}

}  // namespace cadena
