#pragma once

namespace cadena {

namespace detail {
class Capturing;
class Observer;
struct Deriving;
}  // namespace detail

/// What a thread is set to at the moment; parallel_for carries the caller's modes into its pieces.
struct Modes {
  bool grad_enabled = true;
  detail::Observer* observer = nullptr;  // sees operators as they are applied: graph/observer.hpp
  const detail::Deriving* deriving = nullptr;  // where a backward is that runs: graph/observer.hpp
  detail::Capturing* capturing = nullptr;      // takes operators instead: core/capturing.hpp
  const detail::Observer* anomaly = nullptr;   // the innermost AnomalyMode: graph/anomaly.hpp
};

namespace detail {
inline constinit thread_local Modes thread_modes{};
}

/// The modes of the calling thread.
inline Modes& modes() noexcept { return detail::thread_modes; }

}  // namespace cadena
