# No two ways to compile may give embit's inline namespace the same name: their inline functions would be merged.
#   cmake -DROOT=<embit> -DCOMPILER=<c++> -DPROCESSOR=<CMake's name of it> -DWORK=<scratch> -P abi.cmake
cmake_minimum_required(VERSION 3.24)

set(ways "-DNDEBUG" "-DEMBIT_NO_SIMD" "-fno-exceptions" "-D_GLIBCXX_DEBUG" "-DEIGEN_DEFAULT_TO_ROW_MAJOR"
         "-DEIGEN_MAX_ALIGN_BYTES=0" "-DEIGEN_DEFAULT_DENSE_INDEX_TYPE=int" "-DEIGEN_DONT_VECTORIZE" "-DEIGEN_USE_BLAS"
         "-ffast-math" "-ffinite-math-only")
if(PROCESSOR MATCHES "x86_64|AMD64|amd64")
  list(APPEND ways "-funsigned-char" -msse3 -mssse3 -msse4.1 -msse4.2 -mpopcnt -mavx -mavx2 -mfma -mf16c -mbmi -mbmi2
       -mlzcnt -mmovbe -mgfni -mfma4 -mxop -mavxvnni -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512cd -mavx512ifma
       -mavx512vbmi -mavx512vbmi2 -mavx512vnni -mavx512bitalg -mavx512vpopcntdq -mavx512bf16 -mavx512fp16)
elseif(PROCESSOR MATCHES "aarch64|arm64")
  foreach(extension IN ITEMS lse crc dotprod fp16 fp16fml bf16 i8mm sve sve2 sha3)
    list(APPEND ways -march=armv8-a+${extension})
  endforeach()
endif()

file(MAKE_DIRECTORY "${WORK}")
file(WRITE "${WORK}/abi.cpp" "#include <embit/config.hpp>\nEMBIT_ABI\n")

# Sets `out` to the name that the compiler makes with a flag, or to nothing when it does not know the flag.
function(name_with flag out)
  execute_process(COMMAND ${COMPILER} -std=c++20 ${flag} -I${ROOT}/include -E -P ${WORK}/abi.cpp
                  RESULT_VARIABLE status OUTPUT_VARIABLE text ERROR_QUIET)
  string(REGEX MATCH "[a-z0-9_]+[ \n]*$" name "${text}")
  if(NOT status EQUAL 0)
    set(name "")
  elseif(NOT name MATCHES "^v[0-9]+_[0-9]+_")
    message(FATAL_ERROR "${flag}: no name but ${text}")
  endif()
  string(STRIP "${name}" name)
  set(${out} "${name}" PARENT_SCOPE)
endfunction()

name_with("-O0" plain)
set(names "${plain}")
foreach(way IN LISTS ways)
  name_with("${way}" name)
  if(name STREQUAL "")
    continue()
  endif()
  if(name IN_LIST names)
    list(FIND names "${name}" at)
    message(FATAL_ERROR "${way} has the name ${name} of way ${at}")
  endif()
  list(APPEND names "${name}")
endforeach()
name_with("-O3" optimized)
if(NOT optimized STREQUAL plain)
  message(FATAL_ERROR "-O3 has the name ${optimized}, -O0 has ${plain}")
endif()
list(LENGTH names count)
message(STATUS "${count} names, all different; without flags it is ${plain}")
