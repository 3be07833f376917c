#pragma once

#include <cadena/data/dataset.hpp>

#include <cstdint>

namespace cadena::data {

struct SpiralsOptions {
  std::int64_t arms = 2;  ///< Classes; at least 1.
  std::int64_t samples_per_arm = 500;
  double turns = 1;     ///< How often an arm winds around the middle.
  double noise = 0.02;  ///< Standard deviation of the distance from the arm's line.
  std::uint64_t seed = 0;
};

/// Points on interleaved spirals in the unit disk, for trying a classifier without any data:
/// inputs float32 [arms·samples, 2], targets int64 [arms·samples] with the arm; sample i is of arm
/// i mod arms. No line separates the arms.
TensorDataset spirals(SpiralsOptions options = {});

}  // namespace cadena::data
