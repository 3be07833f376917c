#pragma once

#include <cstddef>
#include <cstdint>

namespace cadena::kernels {

/// One step of a recurrence over n elements of contiguous arrays: in = {w, g, states...},
/// out = {w, states...}. An output may be the memory of its own input.
using RecurrenceKernel = void (*)(const void* recurrence, const std::byte* const* in,
                                  std::byte* const* out, std::int64_t n);

struct RecurrenceKernels {
  RecurrenceKernel float32 = nullptr, float64 = nullptr;
};

/// Where an architecture's kernels of the recurrence R are: declared for the host, defined by
/// recurrence_loops.hpp where they are compiled. A recurrence is a trivially copyable struct:
///   static constexpr int states;                                   how many states an element has
///   template <class T> void operator()(T& w, T g, T&... states) const;
template <class R, class A> struct RecurrenceTable { static const RecurrenceKernels& get(); };

}  // namespace cadena::kernels
