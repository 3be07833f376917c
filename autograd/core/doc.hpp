#pragma once

namespace cadena {

/// What an operator is called and the formula it computes, for messages, graphs and the manual.
struct Doc {
  const char* name;
  const char* formula;
};

}  // namespace cadena
