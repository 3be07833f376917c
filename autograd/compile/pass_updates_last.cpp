#include <cadena/autograd/compile/passes.hpp>

#include <algorithm>
#include <iterator>

namespace cadena::detail {

Listing with_updates_last(Listing listing) {
  // Which instructions need, directly or not, what an update makes: these stay behind it.
  std::vector<bool> after(listing.values.size(), false);
  std::vector<Instruction> first, last;
  for (Instruction& instruction : listing.instructions) {
    const bool late = instruction.op->in_place() ||
                      std::any_of(instruction.inputs.begin(), instruction.inputs.end(),
                                  [&](ValueIndex v) { return static_cast<bool>(after[v]); });
    for (ValueIndex v : instruction.outputs) {
      after[v] = late;
    }
    (late ? last : first).push_back(std::move(instruction));
  }
  std::move(last.begin(), last.end(), std::back_inserter(first));
  listing.instructions = std::move(first);
  return listing;
}

}  // namespace cadena::detail
