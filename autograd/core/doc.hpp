#pragma once

namespace cadena {

/// What an operator is called and the formula it computes, for messages, graphs and the manual.
struct Doc {
  const char* name;
  const char* formula;
  /// What the derivative is taken to be at ties, kinks and borders; empty where it exists all over.
  const char* subgradient = "";
};

}  // namespace cadena
