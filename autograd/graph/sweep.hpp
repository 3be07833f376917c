#pragma once

#include <cadena/autograd/graph/node.hpp>
#include <cadena/autograd/graph/observer.hpp>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <functional>
#include <span>
#include <utility>
#include <vector>

// How gradients travel through a graph; backward.hpp is what users see.

namespace cadena::detail {

/// The inputs that `grad` was asked for, found by their nodes.
class Targets {
 public:
  struct Target {
    const Node* node;
    std::size_t index;
  };

  explicit Targets(std::span<const Tensor> inputs) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      targets_.push_back({inputs[i].impl()->node.get(), i});
    }
    std::sort(targets_.begin(), targets_.end(), before);
  }
  std::span<const Target> of(const Node* node) const {
    const auto [first, last] =
        std::equal_range(targets_.begin(), targets_.end(), Target{node, 0}, before);
    return {first, last};
  }

 private:
  static bool before(const Target& a, const Target& b) noexcept {
    return std::less<>()(a.node, b.node);
  }
  std::vector<Target> targets_;
};

/// One pass over a graph: gradients wait at their nodes, the node of the highest id goes next. Ids
/// increase from input to output, so all consumers of a node have been by then, and each node is
/// visited once whatever the number of paths.
class Sweep {
 public:
  bool release = false;
  /// When set, only nodes of `useful` are visited and targets' gradients are caught.
  bool targeted = false;
  boost::unordered_flat_set<const Node*> useful;
  /// Where the sweep ends; null for nowhere but at leaves.
  const Targets* ends = nullptr;

  void seed(const Tensor& output, const Tensor& gradient) {
    add(*output.impl()->node, output.impl()->output, gradient);
  }

  template <class Visit> void run(Visit&& visit) {
    Deriving at;
    while (!heap_.empty()) {
      const auto [id, node, slot] = heap_.front();
      at.node = node;
      Tensors gradients = std::move(slots_[slot]);
      free_.push_back(slot);
      pop();
      if (ends != nullptr && !ends->of(node).empty()) {
        visit(*node, gradients);  // its hooks are for the pass that goes on from here
        continue;
      }
      if (node->extras) {
        apply_hooks(*node, gradients);
      }
      visit(*node, gradients);
      if (!node->is_leaf() && (!targeted || useful.contains(node))) {
        propagate(*node, gradients);
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t id;
    Node* node;
    std::uint32_t slot;  // where its gradients gather
  };
  static bool lower(const Entry& a, const Entry& b) noexcept { return a.id < b.id; }
  static constexpr std::size_t few = 16;  // nodes waiting; found faster by looking than by hashing

  void pop();
  /// Where the gradients of a node gather; a place is made for it if it is new.
  Tensors& gathered(Node& node);
  void add(Node& node, std::uint32_t output, const Tensor& gradient);
  static void apply_hooks(Node& node, Tensors& gradients);
  void propagate(Node& node, Tensors& gradients);
  static Gradients derive(const Node& node, Tensors& gradients, std::span<const bool> needed);

  std::vector<Entry> heap_;
  std::vector<Tensors> slots_;
  std::vector<std::uint32_t> free_;
  boost::unordered_flat_map<const Node*, std::uint32_t> index_;  // when more than `few` wait
};

/// All nodes from which a target can be reached, found without recursion; with `ends` without
/// looking behind those.
boost::unordered_flat_set<const Node*> reaching(std::span<const Tensor> outputs,
                                                std::span<const Tensor> targets,
                                                const Targets* ends);

}  // namespace cadena::detail
