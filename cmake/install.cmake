# The headers, the source of embit::compiled, and a package for find_package(embit).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(embit_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/embit")
install(TARGETS embit EXPORT embitTargets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT embitTargets NAMESPACE embit:: DESTINATION "${embit_package_dir}")

configure_package_config_file(cmake/embitConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/embitConfig.cmake"
                              INSTALL_DESTINATION "${embit_package_dir}" NO_SET_AND_CHECK_MACRO)
# While the major version is 0, a new minor version may change the interface.
if(PROJECT_VERSION_MAJOR EQUAL 0)
  set(embit_compatibility SameMinorVersion)
else()
  set(embit_compatibility SameMajorVersion)
endif()
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/embitConfigVersion.cmake"
                                 COMPATIBILITY ${embit_compatibility} ARCH_INDEPENDENT)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/embitConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/embitConfigVersion.cmake"
              "${CMAKE_CURRENT_SOURCE_DIR}/cmake/dependencies.cmake" "${CMAKE_CURRENT_SOURCE_DIR}/cmake/embit.cpp"
        DESTINATION "${embit_package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
