#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>

namespace cadena {

/// Sets the number of threads that parallel loops use, the caller included. Error unless
/// 1 <= n <= 1024; n may exceed the cores. May be called at any time from any thread: loops that
/// already run keep the threads they have.
void set_threads(int n);

/// The number of threads that parallel loops use; at first, the number of cores.
int threads();

/// Whether results below the smallest normal number become zero while a loop runs. Subnormal inputs
/// are never taken for zero.
enum class Denormals { keep, flush };

namespace detail {

/// Runs piece(context, i) for each i in [0, count), in parallel when it can pay.
void run_pieces(std::int64_t count, void (*piece)(void*, std::int64_t), void* context,
                Denormals denormals);

}  // namespace detail

/// Cuts [0, n) into pieces of `grain` elements (the last one may be smaller) and runs
/// body(begin, end) for each, in parallel. The cut depends on n and grain alone. The caller's modes
/// (see Modes), rounding mode and treatment of subnormals hold in each piece. One exception thrown
/// by a piece is rethrown here; pieces that have not begun by then are left out. Runs in the
/// calling thread, in order, when there is one piece or one thread. May be nested.
template <class Body>
void parallel_for(std::int64_t n, std::int64_t grain, Body&& body,
                  Denormals denormals = Denormals::keep) {
  if (n <= 0) return;
  grain = std::max<std::int64_t>(grain, 1);
  if (n <= grain && denormals == Denormals::keep) {
    body(std::int64_t{0}, n);
    return;
  }
  using Plain = std::remove_reference_t<Body>;
  struct Context {
    Plain* body;
    std::int64_t n, grain;
  } context{std::addressof(body), n, grain};
  detail::run_pieces((n - 1) / grain + 1,
                     [](void* opaque, std::int64_t piece) {
                       const Context& c = *static_cast<Context*>(opaque);
                       const std::int64_t begin = piece * c.grain;
                       (*c.body)(begin, begin + std::min(c.grain, c.n - begin));
                     },
                     &context, denormals);
}

}  // namespace cadena
