#pragma once

#include <cadena/autograd/compile/listing.hpp>
#include <cadena/autograd/compile/memory_plan.hpp>

#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace cadena::detail {

/// Memory for the values of a run, shared by programs: each run takes a piece and gives it back.
class ArenaPool {
 public:
  Ref<Storage> take(std::size_t bytes);
  void give_back(Ref<Storage> arena);

 private:
  std::mutex mutex_;
  std::vector<Ref<Storage>> free_;
};

/// A listing made ready to run again and again.
class Program {
 public:
  Program(Listing captured, std::shared_ptr<ArenaPool> arenas);
  ~Program();

  const Listing& captured() const noexcept { return *captured_; }
  const Listing& optimized() const noexcept { return listing_; }
  const MemoryPlan& plan() const noexcept { return plan_; }

  /// Runs all instructions on these arguments, then changes cells, gradients and generators: an
  /// exception changes nothing. Programs that change cells run one at a time.
  Tensors run(std::span<const Tensor* const> arguments);

 private:
  struct Frame;
  class Run;
  std::unique_ptr<Frame> take_frame();
  std::unique_ptr<Frame> make_frame() const;

  std::shared_ptr<const Listing> captured_;
  Listing listing_;
  MemoryPlan plan_;
  std::shared_ptr<ArenaPool> arenas_;
  bool writes_;
  // Values by origin, and the index there.
  std::vector<std::pair<ValueIndex, std::uint32_t>> arguments_, cells_, gradients_, draws_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Frame>> frames_;  // not in use
};

}  // namespace cadena::detail
