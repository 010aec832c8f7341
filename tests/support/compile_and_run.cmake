# Compiles one source file by itself and runs it; fails if either fails.
#   cmake -DCOMPILER=<c++> -DFLAGS=<a;list> -DINCLUDES=<a;list> -DSOURCE=<file> -DOUTPUT=<program>
#         [-DEXPECT=<file the output must equal>] [-DSECONDS=<processor time for the compiler>]
#         [-DLEVELS=<a,list of EMBIT_ISA, each of which is run; those the machine lacks are passed over>]
#         -P compile_and_run.cmake
cmake_minimum_required(VERSION 3.24)

# -idirafter: a folder such as /usr/include must not come before the compiler's own.
list(TRANSFORM INCLUDES PREPEND -idirafter)
cmake_path(GET OUTPUT PARENT_PATH folder)
file(MAKE_DIRECTORY "${folder}")

# The processor's seconds, which the rest of the machine's work changes less than the clock's.
execute_process(COMMAND bash -c "\"$@\"; status=$?; times; exit $status" compile
                        ${COMPILER} -std=c++20 ${FLAGS} "-I${ROOT}/include" ${INCLUDES} "${SOURCE}" -o "${OUTPUT}"
                        -pthread
                RESULT_VARIABLE status OUTPUT_VARIABLE times)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} does not compile")
endif()
string(REGEX MATCH "\n([0-9]+)m([0-9]+)[.,]([0-9])" times "${times}")  # the second line is of the children
math(EXPR seconds "60 * ${CMAKE_MATCH_1} + ${CMAKE_MATCH_2}")
list(JOIN FLAGS " " flags)
message(STATUS "${COMPILER} ${flags}: ${seconds}.${CMAKE_MATCH_3} s")
if(SECONDS AND seconds GREATER_EQUAL SECONDS)
  message(FATAL_ERROR "that is over ${SECONDS} s")
endif()

string(REPLACE "," ";" LEVELS "${LEVELS}")
foreach(level IN LISTS LEVELS ITEMS "$ENV{EMBIT_ISA}")
  set(ENV{EMBIT_ISA} "${level}")
  execute_process(COMMAND "${OUTPUT}" RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  message("${output}${errors}")
  if(level AND errors MATCHES "this machine or build cannot run it")
    continue()
  endif()
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${OUTPUT} ended with ${status}")
  endif()
  if(EXPECT)
    file(READ "${EXPECT}" expected)
    if(NOT output STREQUAL expected)
      message(FATAL_ERROR "the output at '${level}' is not that of ${EXPECT}, which is:\n${expected}")
    endif()
  endif()
endforeach()
