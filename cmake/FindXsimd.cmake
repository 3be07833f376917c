# xsimd by header: Debian's own package configuration asks for xtl, which is not used.
find_path(XSIMD_INCLUDE_DIR xsimd/xsimd.hpp)
mark_as_advanced(XSIMD_INCLUDE_DIR)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xsimd REQUIRED_VARS XSIMD_INCLUDE_DIR)

if(Xsimd_FOUND AND NOT TARGET Xsimd::xsimd)
  add_library(Xsimd::xsimd INTERFACE IMPORTED)
  set_target_properties(Xsimd::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${XSIMD_INCLUDE_DIR})
endif()
