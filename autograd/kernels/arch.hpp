#pragma once

#define CADENA_INLINE inline __attribute__((always_inline))
#define CADENA_INLINE_LAMBDA __attribute__((always_inline))

namespace cadena::kernels {

// Kernels are compiled once per architecture and carry its tag in their names, so no symbol means
// two things, whatever the linker does.
struct Baseline {};
struct V3 {};
struct V4 {};

/// A translation unit of a user, compiled with flags of the user's choice: the instruction sets are
/// part of the name, so that two such units with different flags do not meet either.
template <int instruction_sets> struct NativeWith {};

using Native = NativeWith<0
#ifdef __SSE4_1__
                          + 1
#endif
#ifdef __AVX__
                          + 2
#endif
#ifdef __AVX2__
                          + 4
#endif
#ifdef __FMA__
                          + 8
#endif
#ifdef __AVX512F__
                          + 16
#endif
#ifdef __AVX512DQ__
                          + 32
#endif
#ifdef __AVX512BW__
                          + 64
#endif
                          >;

/// The architecture of this translation unit.
#ifndef CADENA_KERNEL_PASS
using Arch = Native;
#elif CADENA_KERNEL_PASS == 0
using Arch = Baseline;
#elif CADENA_KERNEL_PASS == 3
using Arch = V3;
#elif CADENA_KERNEL_PASS == 4
using Arch = V4;
#else
#error "CADENA_KERNEL_PASS is 0 (baseline), 3 (x86-64-v3) or 4 (x86-64-v4)"
#endif

/// Whether kernels::mul_add rounds once.
#if defined(__FMA__) || defined(__AVX512F__) || defined(__aarch64__)
template <class> inline constexpr bool has_fma = true;
#else
template <class> inline constexpr bool has_fma = false;
#endif

}  // namespace cadena::kernels
