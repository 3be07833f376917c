# Kernels are compiled once per architecture. Everything that differs between two passes has a name
# of its own (the tag CADENA_KERNEL_PASS selects, and renamed namespaces of the header libraries), so
# the linker never takes one pass's code for another's; tests/check_weak_symbols.sh verifies it.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(architectures_by_default baseline v3 v4)
else()
  set(architectures_by_default baseline)
endif()
set(CADENA_ARCHITECTURES "${architectures_by_default}" CACHE STRING
  "Architectures that the kernels are compiled for: baseline and, on x86-64, levels v3, v4")
if(NOT "baseline" IN_LIST CADENA_ARCHITECTURES)
  message(FATAL_ERROR "CADENA_ARCHITECTURES: baseline is missing: ${CADENA_ARCHITECTURES}")
endif()

# Compiles `target` as the kernel pass of `architecture`.
function(cadena_set_kernel_pass target architecture)
  if(architecture STREQUAL "baseline")
    set(pass 0)
    set(machine)
  elseif(architecture MATCHES "^v([34])$")
    set(pass ${CMAKE_MATCH_1})
    set(machine -march=x86-64-${architecture})
  else()
    message(FATAL_ERROR "CADENA_ARCHITECTURES: unknown architecture \"${architecture}\" "
      "(known: baseline, v3, v4)")
  endif()
  target_compile_definitions(${target} PRIVATE CADENA_KERNEL_PASS=${pass}
    xsimd=xsimd_${architecture} Eigen=Eigen_${architecture} EIGEN_DONT_PARALLELIZE)
  # -O3 in every configuration: unoptimised, inline functions of the standard library would leave
  # this pass as weak symbols. g++ 12 sees uninitialised values in its own AVX-512 headers.
  target_compile_options(${target} PRIVATE ${machine} -O3 -ffp-contract=off
    -Wno-uninitialized $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endfunction()

# Adds the kernel sources to `target`, compiled for each architecture: one object library each, whose
# names are left in `kernel_targets`.
function(cadena_add_kernels target)
  set(kernel_targets)
  foreach(architecture IN LISTS CADENA_ARCHITECTURES)
    set(objects ${target}_kernels_${architecture})
    add_library(${objects} OBJECT ${ARGN})
    list(APPEND kernel_targets ${objects})
    cadena_set_kernel_pass(${objects} ${architecture})
    target_include_directories(${objects} PRIVATE
      $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
    target_link_libraries(${objects} PRIVATE cadena_kernel_warnings
      Boost::headers Eigen3::Eigen OneDNN::oneDNN Random123::Random123 Xsimd::xsimd)
    target_sources(${target} PRIVATE $<TARGET_OBJECTS:${objects}>)
    string(TOUPPER ${architecture} name)
    target_compile_definitions(${target} PUBLIC CADENA_WITH_${name})  # what the host may choose
  endforeach()
  set(kernel_targets ${kernel_targets} PARENT_SCOPE)
endfunction()
