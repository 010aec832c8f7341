# Compiles one source file by itself and runs it; fails if either fails.
#   cmake -DCOMPILER=<c++> -DFLAGS=<a;list> -DINCLUDES=<a;list> -DSOURCE=<file> -DOUTPUT=<program>
#         [-DEXPECT=<file the output must equal>] [-DSECONDS=<the compiler's limit>] -P compile_and_run.cmake
cmake_minimum_required(VERSION 3.24)

# -idirafter: a folder such as /usr/include must not come before the compiler's own.
list(TRANSFORM INCLUDES PREPEND -idirafter)
cmake_path(GET OUTPUT PARENT_PATH folder)
file(MAKE_DIRECTORY "${folder}")

string(TIMESTAMP start "%s%f")
execute_process(COMMAND ${COMPILER} -std=c++20 ${FLAGS} "-I${ROOT}/include" ${INCLUDES} "${SOURCE}" -o "${OUTPUT}"
                        -pthread
                RESULT_VARIABLE status)
string(TIMESTAMP end "%s%f")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${SOURCE} does not compile")
endif()
math(EXPR tenths "(${end} - ${start}) / 100000")
string(REGEX REPLACE "(.)$" ".\\1" seconds "${tenths}")
list(JOIN FLAGS " " flags)
message(STATUS "${COMPILER} ${flags}: ${seconds} s")
if(SECONDS)
  math(EXPR limit "${SECONDS} * 10")
  if(tenths GREATER limit)
    message(FATAL_ERROR "that is over ${SECONDS} s")
  endif()
endif()

execute_process(COMMAND "${OUTPUT}" RESULT_VARIABLE status OUTPUT_VARIABLE output)
message("${output}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${OUTPUT} ended with ${status}")
endif()
if(EXPECT)
  file(READ "${EXPECT}" expected)
  if(NOT output STREQUAL expected)
    message(FATAL_ERROR "the output is not that of ${EXPECT}, which is:\n${expected}")
  endif()
endif()
