#pragma once

#include <cadena/autograd/core/storage.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <cstdint>
#include <span>
#include <string>

namespace cadena {

class Generator;
class Operator;

namespace detail {

struct CellState;
struct FlagState;
struct Leaf;

/// What stands for the memory of a tensor that has no value yet: a value of a function that is
/// being captured by `compile`.
struct Symbol : Storage {
  std::uint64_t capture = 0;  ///< Which capture it belongs to.
  std::uint32_t value = 0;    ///< Its place among the values there.

  static Ref<Storage> make(std::uint64_t capture, std::uint32_t value);
};

/// The symbol of a captured tensor; null for one that has a value.
const Symbol* symbol_of(const TensorImpl& impl) noexcept;

/// As impl_of, for an operation that reads the value: an Error for a captured tensor.
const TensorImpl& value_of(const Tensor& tensor, const char* operation);

/// Error if the tensor belongs to a capture that is not this thread's.
void check_capture(const TensorImpl& impl, const char* operation);

/// Error while this thread captures a function: it does what a program would not repeat.
void refuse_capture(const char* what);

/// What takes the place of running operators and of changing cells while a thread captures a
/// function.
class Capturing {
 public:
  /// An operator is applied to inputs of which some may be captured.
  virtual Tensors apply(const Ref<const Operator>& op, std::span<const Tensor* const> inputs) = 0;
  /// The value of a cell at this point of the function, and a new one.
  virtual const Tensor& value(const CellState& cell) = 0;
  virtual void put(const CellState& cell, Tensor value) = 0;
  /// The gradient of a leaf at this point of the function, and a new one.
  virtual Tensor gradient(const Leaf& leaf) = 0;
  virtual void put_gradient(const Leaf& leaf, Tensor gradient) = 0;
  /// The state of a generator for the next draw: int64 {seed, counter}.
  virtual Tensor draw(const Generator& generator) = 0;
  /// How often the function has drawn from a generator; set back to draw the same again.
  virtual std::uint64_t draws(const Generator& generator) const = 0;
  virtual void set_draws(const Generator& generator, std::uint64_t draws) = 0;
  /// What is computed again belongs to a region of its own, so that it is not taken for what was
  /// computed first.
  virtual std::uint32_t set_region(std::uint32_t region) = 0;
  virtual std::uint32_t new_region() = 0;
  /// The function decides by a flag.
  virtual void look(const Ref<FlagState>& flag) = 0;
  /// Which capture this is, and who makes one of its values.
  virtual std::uint64_t id() const noexcept = 0;
  virtual std::string maker(std::uint32_t value) const = 0;

 protected:
  ~Capturing() = default;
};

}  // namespace detail
}  // namespace cadena
