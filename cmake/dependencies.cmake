# Where Eigen and xsimd come from. The same functions serve this project and the installed package.
#
# Each is looked for in this order: a source tree named by FETCHCONTENT_SOURCE_DIR_<NAME>, a target that the user
# already has, find_package, the header search, and (in this project only, not from an installed package) a pinned
# FetchContent. All that is used of them is their include directory, as a SYSTEM one: Debian's xsimd target, for one,
# links a library that does not exist. Packages are looked for without a version, because some version files refuse
# every range; the version is then read from the headers.

# Creates the imported target embit::<name> with the include directory (or generator expression) given.
function(embit_add_headers name includes)
  add_library(embit::${name} INTERFACE IMPORTED GLOBAL)
  set_target_properties(embit::${name} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${includes}")
endfunction()

# Sets `out` to the version that the first of the given headers defines by the three macros, or to nothing.
function(embit_header_version out directory macros)
  set(${out} "" PARENT_SCOPE)
  foreach(header IN LISTS ARGN)
    if(NOT EXISTS "${directory}/${header}")
      continue()
    endif()
    set(numbers "")
    foreach(macro IN LISTS macros)
      file(STRINGS "${directory}/${header}" line REGEX "^#define ${macro} +[0-9]+" LIMIT_COUNT 1)
      if(line MATCHES "([0-9]+)")
        list(APPEND numbers "${CMAKE_MATCH_1}")
      endif()
    endforeach()
    list(JOIN numbers "." version)
    if(NOT version STREQUAL "")
      set(${out} "${version}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# embit_provide_headers(<name> [FETCH] LABEL <l> PACKAGE <p> TARGETS <t>... HEADER <h> MINIMUM <version>
#                       MACROS <major> <minor> <patch> VERSION_HEADERS <h>... REPOSITORY <url> TAG <tag>
#                       [SUFFIXES <dir>...])
function(embit_provide_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FETCH" "LABEL;PACKAGE;HEADER;MINIMUM;REPOSITORY;TAG"
                        "TARGETS;MACROS;VERSION_HEADERS;SUFFIXES")
  if(TARGET embit::${name})
    return()
  endif()
  string(TOUPPER "${arg_LABEL}" upper)

  if("${FETCHCONTENT_SOURCE_DIR_${upper}}" STREQUAL "")
    foreach(target IN LISTS arg_TARGETS)
      if(TARGET ${target})
        embit_add_headers(${name} "$<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>")
        set_target_properties(embit::${name} PROPERTIES INTERFACE_COMPILE_DEFINITIONS
                              "$<TARGET_PROPERTY:${target},INTERFACE_COMPILE_DEFINITIONS>")
        message(STATUS "embit: ${arg_LABEL} from the target ${target}")
        return()
      endif()
    endforeach()

    find_package(${arg_PACKAGE} QUIET)
    set(found "")
    foreach(target IN LISTS arg_TARGETS)
      if(TARGET ${target})
        get_target_property(found ${target} INTERFACE_INCLUDE_DIRECTORIES)
      endif()
    endforeach()
    find_path(EMBIT_${upper}_INCLUDE_DIR ${arg_HEADER} HINTS ${found} PATH_SUFFIXES ${arg_SUFFIXES})
    mark_as_advanced(EMBIT_${upper}_INCLUDE_DIR)
    if(EMBIT_${upper}_INCLUDE_DIR)
      embit_header_version(version "${EMBIT_${upper}_INCLUDE_DIR}" "${arg_MACROS}" ${arg_VERSION_HEADERS})
      if(version VERSION_GREATER_EQUAL arg_MINIMUM)
        embit_add_headers(${name} "${EMBIT_${upper}_INCLUDE_DIR}")
        message(STATUS "embit: ${arg_LABEL} ${version} from ${EMBIT_${upper}_INCLUDE_DIR}")
        return()
      endif()
      message(STATUS "embit: ${arg_LABEL} ${version} in ${EMBIT_${upper}_INCLUDE_DIR} is older than ${arg_MINIMUM}")
    endif()
  endif()

  if(arg_FETCH)
    include(FetchContent)
    # A folder that is not there: the sources are brought in, their own project is not. Under a name of our own, since
    # the first declaration of a name counts: a project that fetches the library itself, later, gets all of it.
    set(FETCHCONTENT_SOURCE_DIR_EMBIT_${upper} "${FETCHCONTENT_SOURCE_DIR_${upper}}")
    FetchContent_Declare(embit_${name} GIT_REPOSITORY ${arg_REPOSITORY} GIT_TAG ${arg_TAG} GIT_SHALLOW ON
                         SOURCE_SUBDIR headers-only)
    FetchContent_MakeAvailable(embit_${name})
    set(source_dir "${embit_${name}_SOURCE_DIR}")
    find_path(include_dir ${arg_HEADER} PATHS "${source_dir}" "${source_dir}/include" NO_DEFAULT_PATH NO_CACHE REQUIRED)
    embit_add_headers(${name} "${include_dir}")
    message(STATUS "embit: ${arg_LABEL} from ${include_dir}")
  endif()
endfunction()

function(embit_provide_eigen)
  embit_provide_headers(eigen ${ARGN} LABEL Eigen PACKAGE Eigen3 TARGETS Eigen3::Eigen HEADER Eigen/Core
    SUFFIXES eigen3 MINIMUM 3.4
    MACROS EIGEN_WORLD_VERSION EIGEN_MAJOR_VERSION EIGEN_MINOR_VERSION
    VERSION_HEADERS Eigen/Version Eigen/src/Core/util/Macros.h
    REPOSITORY https://gitlab.com/libeigen/eigen.git TAG 3.4.0)
endfunction()

function(embit_provide_xsimd)
  embit_provide_headers(xsimd ${ARGN} LABEL xsimd PACKAGE xsimd TARGETS xsimd::xsimd xsimd HEADER xsimd/xsimd.hpp
    MINIMUM 8.1
    MACROS XSIMD_VERSION_MAJOR XSIMD_VERSION_MINOR XSIMD_VERSION_PATCH
    VERSION_HEADERS xsimd/config/xsimd_config.hpp
    REPOSITORY https://github.com/xtensor-stack/xsimd.git TAG 13.2.0)
endfunction()
