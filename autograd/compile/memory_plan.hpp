#pragma once

#include <cadena/autograd/compile/listing.hpp>

#include <cstddef>
#include <vector>

namespace cadena::detail {

/// Where the values of a listing lie while it runs.
struct MemoryPlan {
  struct Place {
    ValueIndex home;          ///< In whose memory: its own, or that of what it is a view of.
    std::int64_t offset = 0;  ///< Elements from the first one there.
  };
  struct InArena {
    ValueIndex value;
    std::size_t offset;  ///< Bytes.
  };
  struct OverCell {
    ValueIndex value;
    Ref<CellState> cell;
  };

  std::vector<Place> places;
  std::vector<InArena> arena;
  std::vector<ValueIndex> fresh;  ///< Their memory outlives the run, so each run gets other.
  std::vector<OverCell> over;     ///< Written over what a cell holds, if nobody else holds it.
  std::size_t arena_bytes = 0;
};

/// Values share memory when the one is read for the last time before the other is made, or by the
/// elementwise operator that makes it. First fit.
MemoryPlan plan_memory(const Listing& listing);

}  // namespace cadena::detail
