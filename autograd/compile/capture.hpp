#pragma once

#include <cadena/autograd/compile/listing.hpp>
#include <cadena/autograd/core/capturing.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

namespace cadena::detail {

/// While it lives, operators of this thread are written down instead of run, and cells, gradients
/// and generators stay as they are: what they become is the program's.
class Capture final : public Capturing {
 public:
  Capture();
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  /// A stand-in for the next argument: of its type and strides, a leaf if a gradient flows to it.
  Tensor argument(const Tensor& given);
  /// What was captured when the function has given these. Nothing may be captured after it.
  Listing finish(std::span<const Tensor> results);
  const Guards& guards() const noexcept { return guards_; }

  Tensors apply(const OperatorRef& op, std::span<const Tensor* const> inputs) override;
  const Tensor& value(const CellState& cell) override;
  void put(const CellState& cell, Tensor value) override;
  Tensor gradient(const Leaf& leaf) override;
  void put_gradient(const Leaf& leaf, Tensor gradient) override;
  Tensor draw(const Generator& generator) override;
  std::uint64_t draws(const Generator& generator) const override;
  void set_draws(const Generator& generator, std::uint64_t draws) override;
  std::uint32_t set_region(std::uint32_t region) override { return std::exchange(region_, region); }
  std::uint32_t new_region() override { return ++regions_; }
  void look(const Ref<FlagState>& flag) override;
  std::uint64_t id() const noexcept override { return id_; }
  std::string maker(ValueIndex value) const override;

 private:
  /// What changes, as it was at first and as it is at this point.
  struct Held {
    Tensor before, now;
    bool changed() const { return now.impl().get() != before.impl().get(); }
  };
  struct HeldLeaf : Held {
    Ref<Node> leaf;
  };

  /// A tensor that stands for a new value of the listing.
  Tensor make(ListedValue value);
  Tensor make(Type type, Origin origin, std::size_t index, std::optional<Strides> strides = {});
  /// The value that a tensor stands for; a tensor from outside becomes a constant.
  ValueIndex index_of(const Tensor& tensor);
  /// Error for a tensor from outside through which a gradient would leave the function.
  void check_outside(const Tensor& tensor, const char* operation) const;
  void check_thread(const char* operation) const;
  Held& held(const CellState& cell);
  HeldLeaf& held(const Leaf& leaf);
  Listing::Result result(const Tensor& tensor);
  std::optional<std::size_t> find(const Generator& generator) const;
  bool made_inside(const Node& node) const noexcept { return node.id > first_; }

  std::uint64_t id_, first_;  // the id of the last node of before
  std::thread::id thread_ = std::this_thread::get_id();
  Capturing* before_;
  Listing listing_;
  Guards guards_;
  std::uint32_t region_ = 0, regions_ = 0;
  std::vector<Tensor> arguments_;                                              // as they were given
  boost::unordered_flat_map<const Node*, std::uint32_t> leaves_of_arguments_;  // of stand-ins
  boost::unordered_flat_map<const TensorImpl*, ValueIndex> constants_;
  boost::unordered_flat_map<std::string, ValueIndex> numbers_;
  std::vector<std::uint64_t> drawn_;  // from each generator, set back by what is computed again
  // What it gives out references to stays where it is.
  std::unordered_map<const CellState*, Held> cells_;
  std::unordered_map<const Node*, HeldLeaf> leaves_;
  std::vector<const Node*> order_of_leaves_;
};

}  // namespace cadena::detail
