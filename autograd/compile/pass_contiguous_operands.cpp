#include <cadena/autograd/compile/passes.hpp>
#include <cadena/autograd/ops/layout.hpp>

namespace cadena::detail {
namespace {

/// Whether an operator takes strided operands as they lie.
bool takes_strides(const Operator& op, const ListedValue& last) {
  return op.is_view() || op.strided() || op.tiles(last.type.dtype).kernel != nullptr;
}

}  // namespace

Listing with_contiguous_operands(Listing listing) {
  const OperatorRef copy = contiguous_operator();
  std::vector<Instruction> all;
  for (Instruction& instruction : listing.instructions) {
    if (!instruction.inputs.empty() &&
        !takes_strides(*instruction.op, listing.values[instruction.inputs.back()])) {
      for (ValueIndex& v : instruction.inputs) {
        if (listing.values[v].strides) {
          const auto compact = static_cast<ValueIndex>(listing.values.size());
          listing.values.push_back({.type = Type(listing.values[v].type)});
          all.push_back({copy, {v}, {compact}, {false}, instruction.region});
          v = compact;
        }
      }
    }
    all.push_back(std::move(instruction));
  }
  listing.instructions = std::move(all);
  return listing;
}

}  // namespace cadena::detail
