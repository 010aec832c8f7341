# What embit's own tests, benchmarks and examples are compiled with, and the packages that only they need.
include(FetchContent)

find_program(EMBIT_CCACHE ccache)
mark_as_advanced(EMBIT_CCACHE)
if(EMBIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # It takes no object that has a precompiled header unless it is told that dates and macros do not matter to one.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros "${EMBIT_CCACHE}")
endif()
set(CMAKE_CXX_EXTENSIONS OFF)

add_library(embit_own INTERFACE)
target_link_libraries(embit_own INTERFACE embit::embit)
target_compile_options(embit_own INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
                       $<$<BOOL:${EMBIT_WARNINGS_AS_ERRORS}>:-Werror>
                       $<$<BOOL:${EMBIT_NO_EXCEPTIONS}>:-fno-exceptions>)

# An executable of this project.
function(embit_own_executable name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE embit_own)
endfunction()

# Makes a package's targets available: a given source tree, else find_package, else a pinned fetch.
function(embit_own_package name package repository tag)
  string(TOUPPER "${name}" upper)
  if("${FETCHCONTENT_SOURCE_DIR_${upper}}" STREQUAL "")
    find_package(${package} QUIET GLOBAL)
    if(${package}_FOUND)
      message(STATUS "embit: ${package} ${${package}_VERSION} from ${${package}_DIR}")
      return()
    endif()
  endif()
  FetchContent_Declare(${name} GIT_REPOSITORY ${repository} GIT_TAG ${tag} GIT_SHALLOW ON SYSTEM)
  FetchContent_MakeAvailable(${name})
endfunction()

# Catch2 of either major version; afterwards embit_catch is what a test links, its main included.
function(embit_provide_catch)
  # A given source tree may also be version 2's single header, as a distribution installs it.
  if(NOT "${FETCHCONTENT_SOURCE_DIR_CATCH2}" STREQUAL "" AND EXISTS "${FETCHCONTENT_SOURCE_DIR_CATCH2}/catch2/catch.hpp")
    add_library(Catch2::Catch2 INTERFACE IMPORTED)
    set_target_properties(Catch2::Catch2 PROPERTIES
                          INTERFACE_INCLUDE_DIRECTORIES "${FETCHCONTENT_SOURCE_DIR_CATCH2}")
  else()
    embit_own_package(Catch2 Catch2 https://github.com/catchorg/Catch2.git v3.7.1)
  endif()
  add_library(embit_catch INTERFACE)
  if(TARGET Catch2::Catch2WithMain)
    target_link_libraries(embit_catch INTERFACE Catch2::Catch2WithMain)
  elseif(TARGET Catch2::Catch2)
    set(main_source "${CMAKE_CURRENT_BINARY_DIR}/catch_main.cpp")
    file(CONFIGURE OUTPUT "${main_source}" CONTENT "#define CATCH_CONFIG_MAIN\n#include <catch2/catch.hpp>\n")
    add_library(embit_catch_main STATIC "${main_source}")
    target_link_libraries(embit_catch_main PUBLIC Catch2::Catch2)
    target_compile_features(embit_catch_main PUBLIC cxx_std_20)
    target_link_libraries(embit_catch INTERFACE embit_catch_main)
  else()
    message(FATAL_ERROR "Catch2 brought no target to link; versions 2.13 and 3 are supported")
  endif()
endfunction()

function(embit_provide_benchmark)
  set(BENCHMARK_ENABLE_TESTING OFF)
  set(BENCHMARK_ENABLE_INSTALL OFF)
  embit_own_package(benchmark benchmark https://github.com/google/benchmark.git v1.9.1)
endfunction()

function(embit_provide_cli11)
  embit_own_package(CLI11 CLI11 https://github.com/CLIUtils/CLI11.git v2.4.2)
endfunction()
