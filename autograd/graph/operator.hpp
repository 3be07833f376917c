#pragma once

#include <cadena/autograd/core/doc.hpp>
#include <cadena/autograd/core/operand.hpp>
#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/kernels/tiles.hpp>

#include <concepts>
#include <span>
#include <string>
#include <type_traits>

namespace cadena {

/// What is known of a tensor before its values are.
struct Type {
  Dtype dtype = Dtype::float32;
  Shape shape;
  bool operator==(const Type&) const = default;
};
using Types = SmallVector<Type, 2>;

/// A view of memory: the whole of what an operator that moves no data has to say.
struct Layout {
  Shape shape;
  Strides strides;          ///< In elements.
  std::int64_t offset = 0;  ///< In elements, from the first one of the input.
};

/// What a vjp may read besides the gradient. The rest is freed as soon as nobody else needs it.
struct Keep {
  std::uint32_t input_bits = 0;  ///< Bit k: input k; the last bit stands for all further inputs.
  bool output = false;
  std::uint32_t first_output = 0;  ///< Outputs before it are not kept.

  static const Keep nothing, inputs, outputs, both;
  /// Input k alone.
  static constexpr Keep only_input(int k) noexcept { return {std::uint32_t{1} << k, false}; }
  constexpr bool input(std::uint32_t k) const noexcept {
    return (input_bits >> (k < 31 ? k : 31) & 1) != 0;
  }
  /// Outputs k, k + 1, ... too: what a kernel of several outputs makes for its derivative alone.
  constexpr Keep and_outputs_from(std::uint32_t k) const noexcept { return {input_bits, true, k}; }
  constexpr bool any_input() const noexcept { return input_bits != 0; }
};

inline constexpr Keep Keep::nothing{0, false};
inline constexpr Keep Keep::inputs{~std::uint32_t{0}, false};
inline constexpr Keep Keep::outputs{0, true};
inline constexpr Keep Keep::both{~std::uint32_t{0}, true};

/// One gradient for each input; undefined where there is none or none is needed.
using Gradients = Tensors;

/// What a vjp works with: kept values, upstream gradients, and which results are needed.
class Backward {
 public:
  Backward(const detail::Node& node, std::span<Tensor> gradients,
           std::span<const bool> needed) noexcept
      : node_(node), gradients_(gradients), needed_(needed) {}

  int inputs() const noexcept;
  /// Input k as it was. Error if the operator does not keep its inputs.
  const Tensor& in(int k) const;
  /// Output k as it was, with its place in the graph. Error if the operator does not keep it.
  Tensor out(int k = 0) const;
  /// Upstream gradient of output k; zeros where nothing flows.
  const Tensor& grad(int k = 0) const;
  /// Whether the gradient of input k is wanted.
  bool needs(int k) const noexcept { return needed_[static_cast<std::size_t>(k)]; }
  /// Dtype and shape of input k. Only for inputs that are needed.
  const Type& in_type(int k) const;
  const Shape& in_shape(int k) const { return in_type(k).shape; }
  const Type& out_type(int k = 0) const;

 private:
  const detail::Node& node_;
  std::span<Tensor> gradients_;
  std::span<const bool> needed_;
};

/// The kernel of an elementwise operator for one dtype: what executors run tile by tile.
struct TileCall {
  kernels::TileKernel kernel = nullptr;  ///< Null: the operator is not elementwise.
  const void* functor = nullptr;
  Dtype result = Dtype::float32;
  std::size_t inputs = 0;
  std::size_t conditions = 0;  ///< So many inputs, the first ones, are boolean.
};

/// An operator as a value: attributes, type rule, kernel and derivative.
class Operator : public detail::Counted {
 public:
  virtual ~Operator() = default;
  virtual const Doc& doc() const noexcept = 0;
  virtual Keep keep() const noexcept = 0;
  /// Whether the kernel takes strided inputs as they are.
  virtual bool strided() const noexcept = 0;
  /// Whether an output may lie in the memory of an input of its type.
  virtual bool in_place() const noexcept = 0;
  /// Whether the output is a view of the only input: `view` then stands for `infer` and `run`.
  virtual bool is_view() const noexcept = 0;
  virtual Layout view(const Layout& input) const = 0;
  virtual Types infer(std::span<const Type> inputs) const = 0;
  virtual void run(Inputs inputs, Outputs outputs) const = 0;
  /// For an elementwise operator on inputs of this dtype; stands for `run`.
  virtual TileCall tiles(Dtype dtype) const = 0;
  /// Into so many rows inputs and outputs can be cut, along leading dimensions: the operator, run
  /// on some rows of the inputs, gives these rows of the outputs. 0: it cannot.
  virtual std::int64_t rows(std::span<const Type> inputs) const = 0;
  virtual Gradients vjp(const Backward& backward) const = 0;
  virtual bool equals(const Operator& other) const = 0;
  virtual std::string attributes() const = 0;
  /// Floating-point operations of one application; below 0 where that is not known.
  virtual double flop(std::span<const Type>) const { return -1; }
  static void destroy(const Operator* op) noexcept { delete op; }
};

using OperatorRef = detail::Ref<const Operator>;

/// Wraps a struct with the members below as an Operator; what is optional is marked.
///   static constexpr Doc doc;                     name and formula
///   static constexpr Keep keep;                   optional, Keep::nothing
///   static constexpr bool in_place;               optional, false: see Operator
///   static constexpr bool strided;                optional, false: whether run takes any strides
///   Types infer(std::span<const Type>) const;     and
///   void run(Inputs, Outputs) const;              or, for an operator that moves no data:
///   Layout view(const Layout&) const;
///   std::int64_t rows(std::span<const Type>) const;   optional: see Operator
///   Gradients vjp(const Backward&) const;         optional: asking for a gradient is an error
///   std::string attributes() const;               optional, for printing
///   double flop(std::span<const Type>) const;     optional: operations on numbers, for Profiler
///   const Doc& description() const;               optional, where doc is not the struct's own
///   bool operator==(const Op&) const;
template <class Op> class OperatorOf final : public Operator {
  static constexpr bool viewing = requires(const Op& op, const Layout& layout) { op.view(layout); };
  static constexpr bool tiled = requires(const Op& op, Dtype dtype) { op.tiles(dtype); };
  static constexpr bool running = requires(const Op& op, Inputs inputs, Outputs outputs) {
    op.run(inputs, outputs);
  };
  static_assert(viewing || tiled || running,
                "an operator needs `void run(Inputs, Outputs) const` (mind the const), or `Layout "
                "view(const Layout&) const` if it moves no data");
  static_assert(
      viewing ||
          requires(const Op& op, std::span<const Type> types) {
            { op.infer(types) } -> std::convertible_to<Types>;
          },
      "an operator needs `Types infer(std::span<const Type>) const` (mind the const)");
  static_assert(
      !requires { &Op::vjp; } ||
          requires(const Op& op, const Backward& backward) {
            { op.vjp(backward) } -> std::convertible_to<Gradients>;
          },
      "an operator's vjp is `Gradients vjp(const Backward&) const` (mind the const)");

 public:
  explicit OperatorOf(Op op) : op_(std::move(op)) {}

  const Doc& doc() const noexcept override {
    if constexpr (requires { op_.description(); }) {
      return op_.description();
    } else {
      return op_.doc;
    }
  }
  Keep keep() const noexcept override {
    if constexpr (requires { Op::keep; }) {
      return Op::keep;
    } else {
      return Keep::nothing;
    }
  }
  bool strided() const noexcept override {
    if constexpr (requires { Op::strided; }) {
      return Op::strided;
    } else {
      return false;
    }
  }
  bool in_place() const noexcept override {
    if constexpr (requires { Op::in_place; }) {
      return Op::in_place;
    } else {
      return false;
    }
  }
  bool is_view() const noexcept override { return viewing; }
  Layout view(const Layout& input) const override {
    if constexpr (viewing) {
      return op_.view(input);
    } else {
      fail("{}: not a view", doc().name);
    }
  }
  Types infer(std::span<const Type> inputs) const override {
    if constexpr (viewing) {
      return {Type{inputs[0].dtype,
                   op_.view({inputs[0].shape, contiguous_strides(inputs[0].shape), 0}).shape}};
    } else {
      return op_.infer(inputs);
    }
  }
  void run([[maybe_unused]] Inputs inputs, [[maybe_unused]] Outputs outputs) const override {
    if constexpr (running) {
      op_.run(inputs, outputs);
    } else {
      fail("{}: not defined for {}", doc().name, name(inputs[0].dtype()));
    }
  }
  TileCall tiles(Dtype dtype) const override {
    if constexpr (tiled) {
      return op_.tiles(dtype);
    } else {
      return {};
    }
  }
  std::int64_t rows([[maybe_unused]] std::span<const Type> inputs) const override {
    if constexpr (requires { op_.rows(inputs); }) {
      return op_.rows(inputs);
    } else {
      return 0;
    }
  }
  Gradients vjp(const Backward& backward) const override {
    if constexpr (requires { op_.vjp(backward); }) {
      return op_.vjp(backward);
    } else {
      fail("{}: the operator has no derivative; give it a vjp, or detach its inputs", doc().name);
    }
  }
  bool equals(const Operator& other) const override {
    const auto* same = dynamic_cast<const OperatorOf*>(&other);
    return same != nullptr && same->op_ == op_;
  }
  std::string attributes() const override {
    if constexpr (requires { op_.attributes(); }) {
      return op_.attributes();
    } else {
      return {};
    }
  }
  double flop(std::span<const Type> inputs) const override {
    if constexpr (requires { op_.flop(inputs); }) {
      return op_.flop(inputs);
    } else {
      return -1;
    }
  }

 private:
  Op op_;
};

template <class Op> decltype(auto) make_operator(const Op& op) {
  if constexpr (std::is_empty_v<Op> || requires { requires Op::stateless; }) {
    // Never destroyed: results of static storage may outlive it.
    static const OperatorRef& instance = *new OperatorRef(new OperatorOf<Op>(op));
    return (instance);  // a reference: counting all uses of one object would cost
  } else {
    return OperatorRef(new OperatorOf<Op>(op));
  }
}

namespace detail {
/// Infers types and runs the kernel, nothing else.
Tensors run_operator(const Operator& op, std::span<const Tensor* const> inputs);
}  // namespace detail

/// The one door through which operators are applied: infers types, then runs the kernel, and
/// records a node if grad mode is on and a gradient is wanted for some floating input.
Tensors bind(const OperatorRef& op, std::span<const Tensor* const> inputs);

/// Applies an operator struct with one output.
template <class Op, std::same_as<Tensor>... T>
  requires(!std::same_as<Op, OperatorRef>)
Tensor bind(const Op& op, const T&... inputs) {
  const Tensor* const pointers[] = {&inputs..., nullptr};
  return std::move(bind(make_operator(op), {pointers, sizeof...(inputs)})[0]);
}

/// Applies an operator struct with any number of inputs and outputs.
template <class Op>
  requires(!std::same_as<Op, OperatorRef>)
Tensors bind_all(const Op& op, std::span<const Tensor> inputs) {
  SmallVector<const Tensor*, 8> pointers;
  for (const Tensor& input : inputs) {
    pointers.push_back(&input);
  }
  return bind(make_operator(op), pointers);
}

}  // namespace cadena
