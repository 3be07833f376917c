#pragma once

#include "row.hpp"

namespace bench {

/// The rows as Cadena does them.
std::vector<Row> rows();

}  // namespace bench
