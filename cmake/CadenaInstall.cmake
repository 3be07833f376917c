# What `cmake --install` gives: headers, library, and a package that find_package(Cadena) understands.
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/Cadena)
install(TARGETS cadena cadena_native EXPORT CadenaTargets)
install(EXPORT CadenaTargets NAMESPACE cadena:: DESTINATION ${package_dir})
install(FILES cadena.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cadena)
install(DIRECTORY ${parts} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cadena
  FILES_MATCHING PATTERN "*.hpp")
install(FILES scripts/gdb/cadena.py DESTINATION ${CMAKE_INSTALL_DATADIR}/cadena/gdb)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

configure_package_config_file(cmake/CadenaConfig.cmake.in CadenaConfig.cmake
  INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(CadenaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/CadenaConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/CadenaConfigVersion.cmake
  cmake/FindOneDNN.cmake cmake/FindXsimd.cmake DESTINATION ${package_dir})
