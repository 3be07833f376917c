#pragma once

#include <cadena/autograd/compile/listing.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/strided.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace cadena::detail {

/// Operators run one after the other tile by tile, so that what they hand to each other stays in
/// the cache: elementwise ones, and such as work on rows by themselves. All values have the same
/// number of rows; a tile is some of them. The same kernels on the same elements, so the same bits
/// as one by one.
class Group final : public Operator {
 public:
  /// Its operands are values of the group by number: the inputs of the group come first, then what
  /// its steps make.
  struct Step {
    OperatorRef op;  ///< Null: elements are repeated, to a row each.
    TileCall tiles;  ///< Of an elementwise operator.
    SmallVector<std::uint32_t, 4> inputs;
    Types reads, types;  ///< Of what it reads, as it takes it, and of what it makes.
  };
  struct External {
    Type type;
    std::optional<Strides> strides;
  };

  /// `given[j]` is the value that is output j.
  Group(std::int64_t rows, std::vector<External> inputs, std::vector<Step> steps,
        std::vector<std::uint32_t> given);

  const Doc& doc() const noexcept override;
  Keep keep() const noexcept override { return Keep::nothing; }
  bool strided() const noexcept override { return true; }
  bool in_place() const noexcept override { return false; }
  bool is_view() const noexcept override { return false; }
  Layout view(const Layout& input) const override;
  Types infer(std::span<const Type> inputs) const override;
  void run(Inputs inputs, Outputs outputs) const override;
  TileCall tiles(Dtype) const override { return {}; }
  std::int64_t rows(std::span<const Type>) const override { return 0; }
  Gradients vjp(const Backward& backward) const override;
  bool equals(const Operator& other) const override { return this == &other; }
  std::string attributes() const override;

  std::int64_t row_count() const noexcept { return rows_; }
  std::span<const Step> steps() const noexcept { return steps_; }
  /// Whether output j may lie in the memory of input k.
  bool may_overwrite(std::size_t output, std::size_t input) const;

 private:
  /// Where a value of the group lies during a piece of a run.
  struct Value {
    enum Kind : std::uint8_t { input, output, scratch } kind;
    std::uint32_t index;  // of the input, the output, or the slot of scratch memory
    std::int64_t bytes;   // of a row
    Type type;
    std::uint32_t made = 0, last_read = 0;  // by which steps
  };
  class Piece;

  void place_values();
  void choose_tile();

  std::int64_t rows_;
  std::vector<std::optional<kernels::Strided>> strided_;  // inputs that are not contiguous
  std::vector<Step> steps_;
  std::vector<Value> values_;
  std::vector<std::uint32_t> first_made_;  // of each step
  std::vector<std::uint32_t> given_;
  std::vector<std::int64_t> slots_;    // bytes of a row
  std::vector<std::int64_t> offsets_;  // of the slots
  std::int64_t scratch_bytes_ = 0;
  std::int64_t tile_ = 0, grain_ = 0;  // rows
  Denormals denormals_ = Denormals::keep;
};

/// The group that an operator is, or null.
const Group* as_group(const Operator& op) noexcept;

}  // namespace cadena::detail
