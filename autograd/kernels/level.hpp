#pragma once

#include <cadena/autograd/kernels/arch.hpp>

#include <utility>

namespace cadena::kernels {

/// The highest architecture that kernels were compiled for and this machine can run: 0 (baseline),
/// 3 or 4 (x86-64-v3, x86-64-v4). The environment variable CADENA_ARCHITECTURE (baseline, v3, v4)
/// lowers it. Found at the first call.
int level();

/// Calls call.operator()<Arch>() for the architecture of level().
template <class Call> decltype(auto) at_level(Call&& call) {
  switch (level()) {
#ifdef CADENA_WITH_V4
    case 4:
      return std::forward<Call>(call).template operator()<V4>();
#endif
#ifdef CADENA_WITH_V3
    case 3:
      return std::forward<Call>(call).template operator()<V3>();
#endif
    default:
      return std::forward<Call>(call).template operator()<Baseline>();
  }
}

}  // namespace cadena::kernels
