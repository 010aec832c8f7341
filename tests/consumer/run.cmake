# Builds the consumer project by one route, runs its programs and compares what they print with <program>.txt.
#   cmake -DROUTE=package|subdirectory|fetch|own_dependencies|fetched_dependencies|fetched_twice -DROOT=<embit>
#         -DVERSION=<embit's> -DWORK=<scratch> -DBUILD=<embit's build> -DEIGEN=<include folder> -DXSIMD=<include folder> -DCOMPILER=<c++>
#         -DGENERATOR=<CMake's> [-DLAUNCHER=<ccache>] -P run.cmake
#
# Three routes are add_subdirectory with another source of Eigen and xsimd: targets that the user already has, the
# FetchContent that stands in where no package is found (here from folders that stand for the downloads), and that
# followed by the user's own.
cmake_minimum_required(VERSION 3.24)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(arguments "")
set(route ${ROUTE})
if(ROUTE STREQUAL "package")
  file(REMOVE_RECURSE "${WORK}/prefix")
  run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/prefix)
  list(APPEND arguments "-DCMAKE_PREFIX_PATH=${WORK}/prefix" -DEMBIT_VERSION=${VERSION})
elseif(ROUTE STREQUAL "subdirectory")
  list(APPEND arguments "-DEMBIT_SOURCE=${ROOT}")
elseif(ROUTE STREQUAL "fetch")
  list(APPEND arguments "-DFETCHCONTENT_SOURCE_DIR_EMBIT=${ROOT}")
elseif(ROUTE STREQUAL "own_dependencies")
  set(route subdirectory)
  list(APPEND arguments "-DEMBIT_SOURCE=${ROOT}"
       "-DCMAKE_PROJECT_embit_consumer_INCLUDE=${ROOT}/tests/consumer/own_dependencies.cmake" "-DOWN_EIGEN=${EIGEN}"
       "-DOWN_XSIMD=${XSIMD}")
elseif(ROUTE MATCHES "^fetched_(dependencies|twice)$")
  set(route subdirectory)
  file(REMOVE_RECURSE "${WORK}/downloads")
  file(COPY "${EIGEN}/Eigen" DESTINATION "${WORK}/downloads/eigen")
  file(COPY "${XSIMD}/xsimd" DESTINATION "${WORK}/downloads/xsimd/include")
  if(ROUTE STREQUAL "fetched_twice")
    list(APPEND arguments -DOWN_FETCH=ON)
    file(WRITE "${WORK}/downloads/eigen/CMakeLists.txt"
         "add_library(eigen INTERFACE)\nadd_library(Eigen3::Eigen ALIAS eigen)\n")
    file(WRITE "${WORK}/downloads/xsimd/CMakeLists.txt"
         "add_library(xsimd INTERFACE)\nadd_library(xsimd::xsimd ALIAS xsimd)\n")
  else()
    # The project of the download must not be used; only its headers are.
    file(WRITE "${WORK}/downloads/eigen/CMakeLists.txt" "message(FATAL_ERROR \"Eigen's own project is used\")\n")
  endif()
  list(APPEND arguments "-DEMBIT_SOURCE=${ROOT}" "-DFETCHCONTENT_SOURCE_DIR_EIGEN=${WORK}/downloads/eigen"
       "-DFETCHCONTENT_SOURCE_DIR_XSIMD=${WORK}/downloads/xsimd" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)
else()
  message(FATAL_ERROR "no such route: ${ROUTE}")
endif()

file(REMOVE_RECURSE "${WORK}/build")
set(ENV{CMAKE_CXX_COMPILER_LAUNCHER} "${LAUNCHER}")
# Without optimization nothing is inlined, so that functions which units share by mistake really are shared.
run(${CMAKE_COMMAND} -S ${ROOT}/tests/consumer -B ${WORK}/build -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${COMPILER}
    -DCMAKE_CXX_FLAGS=-O0 -DCONSUMER_ROUTE=${route} ${arguments})
message("${output}")
if(ROUTE MATCHES "^fetched_" AND NOT output MATCHES "Eigen from ${WORK}/downloads/eigen.*xsimd from ${WORK}/downloads/xsimd/include")
  message(FATAL_ERROR "the fetch was not taken")
elseif(ROUTE STREQUAL "own_dependencies" AND NOT output MATCHES "Eigen from the target.*xsimd from the target")
  message(FATAL_ERROR "the user's targets were not taken")
endif()

# How units are compiled is the same by every route, so that one route tries what several of them make together; the
# others must find the headers and the libraries that they need.
set(programs one_unit)
if(ROUTE STREQUAL "package")
  list(APPEND programs two_units two_units_compiled mixed_units mixed_units_reversed)
elseif(ROUTE STREQUAL "subdirectory")
  list(APPEND programs two_units_compiled)
endif()
run(${CMAKE_COMMAND} --build ${WORK}/build --target ${programs})
set(printed "")
set(expected "")
foreach(program IN LISTS programs)
  run(${WORK}/build/${program})
  string(APPEND printed "${output}")
  string(REPLACE "_reversed" "" expectation ${program})
  file(READ "${ROOT}/tests/consumer/${expectation}.txt" text)
  string(APPEND expected "${text}")
endforeach()
message("${printed}")
if(NOT printed STREQUAL expected)
  message(FATAL_ERROR "expected:\n${expected}")
endif()
