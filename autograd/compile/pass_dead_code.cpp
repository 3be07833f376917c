#include <cadena/autograd/compile/passes.hpp>

#include <algorithm>

namespace cadena::detail {

Listing without_dead_code(Listing listing) {
  std::vector<bool> read(listing.values.size(), false);
  each_visible(listing, [&](ValueIndex v) { read[v] = true; });
  std::vector<Instruction> kept;
  for (std::size_t i = listing.instructions.size(); i-- > 0;) {
    Instruction& instruction = listing.instructions[i];
    const bool wanted = instruction.outputs.empty() ||
                        std::any_of(instruction.outputs.begin(), instruction.outputs.end(),
                                    [&](ValueIndex v) { return static_cast<bool>(read[v]); });
    if (wanted) {
      for (ValueIndex v : instruction.inputs) {
        read[v] = true;
      }
      kept.push_back(std::move(instruction));
    }
  }
  std::reverse(kept.begin(), kept.end());
  listing.instructions = std::move(kept);
  return listing;
}

}  // namespace cadena::detail
