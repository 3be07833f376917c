#include <cadena/autograd/compile/passes.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <functional>
#include <numeric>

namespace cadena::detail {
namespace {

/// What two applications must share: the same operator, as far as its name tells, on the same
/// values.
std::size_t hash_of(const Instruction& instruction) {
  std::size_t hash = std::hash<const void*>()(instruction.op->doc().name) ^ instruction.region;
  for (ValueIndex v : instruction.inputs) {
    hash = hash * 0x9e3779b97f4a7c15U + v;
  }
  return hash;
}

bool same(const Instruction& a, const Instruction& b) {
  return a.region == b.region && a.inputs.size() == b.inputs.size() &&
         std::equal(a.inputs.begin(), a.inputs.end(), b.inputs.begin()) && a.op->equals(*b.op);
}

}  // namespace

Listing with_common_subexpressions(Listing listing) {
  std::vector<ValueIndex> instead(listing.values.size());
  std::iota(instead.begin(), instead.end(), 0);
  boost::unordered_flat_map<std::size_t, std::vector<std::size_t>> found;
  std::vector<Instruction> kept;
  for (Instruction& instruction : listing.instructions) {
    for (ValueIndex& v : instruction.inputs) {
      v = instead[v];
    }
    std::vector<std::size_t>& candidates = found[hash_of(instruction)];
    const Instruction* first = nullptr;
    for (std::size_t i : candidates) {
      first = first == nullptr && same(kept[i], instruction) ? &kept[i] : first;
    }
    if (first == nullptr) {
      candidates.push_back(kept.size());
      kept.push_back(std::move(instruction));
      continue;
    }
    for (std::size_t k = 0; k < instruction.outputs.size(); ++k) {
      instead[instruction.outputs[k]] = first->outputs[k];
    }
  }
  listing.instructions = std::move(kept);
  for (Listing::Result& result : listing.results) {
    result.value = instead[result.value];
  }
  for (Listing::CellWrite& write : listing.cell_writes) {
    write.value = instead[write.value];
  }
  for (Listing::GradientWrite& write : listing.gradient_writes) {
    if (write.value) {
      write.value = instead[*write.value];
    }
  }
  return listing;
}

}  // namespace cadena::detail
