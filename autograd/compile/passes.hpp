#pragma once

#include <cadena/autograd/compile/listing.hpp>

// From listing to listing: each pass in a file of its own, none changes a bit of what is
// computed.

namespace cadena::detail {

/// Leaves out what nobody reads. An operator without outputs is there for its errors, and stays.
Listing without_dead_code(Listing listing);

/// Computes once what is computed several times from the same values; not across regions, which are
/// there to compute something again.
Listing with_common_subexpressions(Listing listing);

/// Copies strided operands of operators that take contiguous ones alone, as an eager call does.
Listing with_contiguous_operands(Listing listing);

/// Makes groups of elementwise operators that hand values to each other; see Group.
Listing with_fused_groups(Listing listing);

/// Moves updates that write in place behind all else that does not need what they write, so that
/// whatever fails does so before.
Listing with_updates_last(Listing listing);

/// The values that anybody outside gets to see: results, and what cells and gradients become.
template <class F> void each_visible(const Listing& listing, F&& f) {
  for (const Listing::Result& result : listing.results) {
    f(result.value);
  }
  for (const Listing::CellWrite& write : listing.cell_writes) {
    f(write.value);
  }
  for (const Listing::GradientWrite& write : listing.gradient_writes) {
    if (write.value) {
      f(*write.value);
    }
  }
}

}  // namespace cadena::detail
