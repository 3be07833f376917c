# cadena_kernel_warnings: for every source. cadena_warnings: for all but the kernels, whose lanes
# convert between widths on purpose.
add_library(cadena_kernel_warnings INTERFACE)
target_compile_options(cadena_kernel_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast)
# g++ 12 sees overlapping copies in std::string's operator+ (its bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(cadena_kernel_warnings INTERFACE -Wno-restrict)
endif()
if(CADENA_WERROR)
  target_compile_options(cadena_kernel_warnings INTERFACE -Werror)
endif()

add_library(cadena_warnings INTERFACE)
target_compile_options(cadena_warnings INTERFACE -Wconversion)
target_link_libraries(cadena_warnings INTERFACE cadena_kernel_warnings)
