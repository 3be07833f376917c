#pragma once

#include <cadena/autograd/compile/parts.hpp>
#include <cadena/autograd/core/small_vector.hpp>
#include <cadena/autograd/graph/graph.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace cadena {

struct CompileOptions {
  std::size_t programs = 64;  ///< Kept; the one that has not been used for longest goes first.
};

struct CompileStats {
  std::uint64_t captures = 0;  ///< How often the function itself was run.
  std::uint64_t replays = 0;   ///< How often a program was.
  std::size_t programs = 0;    ///< Kept now.
};

namespace detail {

/// The arguments of a call: its tensors, and what else tells one program from another.
class CallKey {
 public:
  CallKey();  ///< Grad mode.
  void tensor(const Tensor& tensor);
  void bytes(const void* data, std::size_t size);
  std::span<const Tensor* const> tensors() const noexcept {
    return {tensors_.data(), tensors_.size()};
  }
  std::span<const std::byte> key() const noexcept { return {key_.data(), key_.size()}; }

 private:
  SmallVector<const Tensor*, 8> tensors_;
  SmallVector<std::byte, 256> key_;
};

/// Puts other tensors into the places of a value's tensors.
struct TensorExchange {
  const Tensor* next;
  void tensor(Tensor& place) { place = *next++; }
  void bytes(const void*, std::size_t) const {}
};

/// Gathers the tensors of a value.
struct TensorsOf {
  std::vector<Tensor> tensors = {};
  void tensor(const Tensor& tensor) { tensors.push_back(tensor); }
  void bytes(const void*, std::size_t) const {}
};

/// Runs the function on stand-ins for the tensors of a call.
class CapturedCall {
 public:
  struct Given {
    std::vector<Tensor> tensors;       ///< Of the result.
    std::shared_ptr<const void> rest;  ///< The result itself, with those tensors.
  };
  virtual Given operator()(std::span<const Tensor> stand_ins) = 0;

 protected:
  ~CapturedCall() = default;
};

/// The programs of a compiled function. May be used by several threads.
class Programs {
 public:
  explicit Programs(const CompileOptions& options);
  ~Programs();
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;

  struct Results {
    Tensors tensors;
    std::shared_ptr<const void> rest;
  };
  /// Runs the program for such a call, captured before or now.
  Results run(const CallKey& call, CapturedCall& function);
  /// The graph of a call before passes; nothing is kept.
  static Graph trace(const CallKey& call, CapturedCall& function);

  CompileStats stats() const;
  Graph graph() const;
  std::string explain() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whether the calling thread captures or is watched: then functions run as they are.
bool runs_as_it_is() noexcept;

/// Writes down what an argument is.
template <class Argument> void describe(const Argument& argument, CallKey& key) {
  if constexpr (has_known_parts<Argument>()) {
    each_part(argument, key);
  } else {
    const auto place = reinterpret_cast<std::uintptr_t>(std::addressof(argument));
    key.bytes(&place, sizeof(place));
  }
}

/// An argument with stand-ins for its tensors: a copy; what has none is the caller's own.
template <class Argument> class StandIn {
  static constexpr bool copied = holds_tensors<std::remove_cvref_t<Argument>>();

 public:
  StandIn(std::remove_reference_t<Argument>& argument, TensorExchange& exchange) : held_(argument) {
    if constexpr (copied) {
      each_part(held_, exchange);
    }
  }
  decltype(auto) get() {
    if constexpr (copied) {
      return std::as_const(held_);
    } else {
      return (held_);
    }
  }

 private:
  std::conditional_t<copied, std::remove_cvref_t<Argument>, std::remove_reference_t<Argument>&>
      held_;
};

/// The type that f gets for an argument.
template <class Argument> using Passed = decltype(std::declval<StandIn<Argument>&>().get());

template <class F, class... Arguments> class CallOf final : public CapturedCall {
 public:
  using Result = std::remove_cvref_t<std::invoke_result_t<F&, Passed<Arguments>...>>;

  CallOf(F& f, std::remove_reference_t<Arguments>&... arguments)
      : f_(f), arguments_(arguments...) {}

  Given operator()(std::span<const Tensor> stand_ins) override {
    TensorExchange exchange{stand_ins.data()};
    return std::apply(
        [&](auto&... arguments) {
          // In braces, which are evaluated from left to right.
          std::tuple<StandIn<Arguments>...> given{StandIn<Arguments>(arguments, exchange)...};
          return std::apply([&](auto&... argument) { return call(argument...); }, given);
        },
        arguments_);
  }

 private:
  Given call(auto&... arguments) {
    if constexpr (std::is_void_v<Result>) {
      std::invoke(f_, arguments.get()...);
      return {};
    } else {
      auto result = std::make_shared<Result>(std::invoke(f_, arguments.get()...));
      TensorsOf parts;
      each_part(std::as_const(*result), parts);
      return {std::move(parts.tensors), std::move(result)};
    }
  }

  F& f_;
  std::tuple<std::remove_reference_t<Arguments>&...> arguments_;
};

}  // namespace detail

/// A function that runs as programs: see `compile`. A copy shares them, and the function.
template <class F> class Compiled {
 public:
  explicit Compiled(F f, const CompileOptions& options = {})
      : state_(std::make_shared<State>(std::move(f), options)) {}

  /// What the function gives for these arguments, bit for bit, with the same effects. Tensors,
  /// plain data and what is made of them (structs, vectors, tuples, ...) are values; anything else,
  /// such as a model, is an object of the caller's.
  template <class... Arguments>
    requires std::invocable<F&, detail::Passed<Arguments>...>
  auto operator()(Arguments&&... arguments) const {
    using Call = detail::CallOf<F, Arguments...>;
    using Result = typename Call::Result;
    static_assert(
        ((detail::has_known_parts<std::remove_cvref_t<Arguments>>() ||
          std::is_lvalue_reference_v<Arguments>)&&...),
        "compile: an argument that is no value (a tensor, plain data, or a struct or container of "
        "those) has to be an object that lives on: pass it by name");
    if (detail::runs_as_it_is()) {
      return static_cast<Result>(
          std::invoke(state_->f, static_cast<detail::Passed<Arguments>>(arguments)...));
    }
    Call call(state_->f, arguments...);
    detail::CallKey key;
    (detail::describe(std::as_const(arguments), key), ...);
    detail::Programs::Results results = state_->programs.run(key, call);
    if constexpr (std::is_same_v<Result, Tensor>) {
      return Tensor(std::move(results.tensors[0]));
    } else if constexpr (!std::is_void_v<Result>) {
      static_assert(detail::has_known_parts<Result>(),
                    "compile: the function has to return tensors, plain data, or a struct or "
                    "container of those");
      Result result = *static_cast<const Result*>(results.rest.get());
      detail::TensorExchange exchange{results.tensors.data()};
      each_part(result, exchange);
      return result;
    }
  }

  CompileStats stats() const { return state_->programs.stats(); }
  /// What the program that was used last runs, after passes.
  Graph graph() const { return state_->programs.graph(); }
  /// The same in words: what is computed, and where memory goes.
  std::string explain() const { return state_->programs.explain(); }

 private:
  struct State {
    State(F function, const CompileOptions& options) : f(std::move(function)), programs(options) {}
    F f;
    detail::Programs programs;
  };
  std::shared_ptr<State> state_;
};

/// A function that is run once for each kind of call and captured while it runs, then replayed as
/// one program: forward, backward, updates of optimizers and running statistics, random draws. A
/// kind of call is: dtype, shape, strides, `requires_grad` and the presence of a gradient of each
/// tensor, the value of other arguments, grad mode, train or eval of the layers it meets, and the
/// presence of their parameters' gradients. See docs/compile.md for what cannot be captured.
template <class F> Compiled<std::decay_t<F>> compile(F&& f, const CompileOptions& options = {}) {
  return Compiled<std::decay_t<F>>(std::forward<F>(f), options);
}

/// What f does when it is called with these arguments, before passes. Nothing is run or changed.
template <class F, class... Arguments> Graph trace(F&& f, Arguments&&... arguments) {
  detail::CallOf<std::remove_reference_t<F>, Arguments...> call(f, arguments...);
  detail::CallKey key;
  (detail::describe(std::as_const(arguments), key), ...);
  return detail::Programs::trace(key, call);
}

}  // namespace cadena
