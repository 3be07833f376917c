#pragma once

#include "row.hpp"

namespace bench {

/// Whether steps are compiled: for what is made after it.
void set_compiled(bool compiled);

/// The rows as Cadena does them.
std::vector<Row> rows();

}  // namespace bench
