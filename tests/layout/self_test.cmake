# Shows that check.cmake finds what it should: builds small trees, one violation each, and reads its verdicts.
#   cmake -DCHECK=<check.cmake> -DWORK=<scratch folder> -P self_test.cmake
cmake_minimum_required(VERSION 3.24)

set(start "// A subject.\n// SPDX-License-Identifier: MIT\n#pragma once\n")
set(failures "")

# header(<path> <line>...): a well-formed header with the given lines.
function(header path)
  list(JOIN ARGN "\n" body)
  file(WRITE "${WORK}/tree/include/embit/${path}" "${start}${body}\n")
endfunction()

macro(good_tree)
  file(REMOVE_RECURSE "${WORK}/tree")
  header(version.hpp)
  header(config.hpp "#include <embit/version.hpp>")
  header(core/types.hpp "#include <embit/config.hpp>" "#include <cstddef>")
  header(codes/pack.hpp "#include <embit/core/types.hpp>" "#include <xsimd/xsimd.hpp>")
  header(io/npy.hpp "#include <embit/core/types.hpp>")
  header(kernel/detail/avx2.hpp "#include <embit/codes/pack.hpp>")
  header(kernel/hamming.hpp "#  include <embit/kernel/detail/avx2.hpp>" "#include <xsimd/xsimd.hpp>")
  header(linalg/pca.hpp "#include <Eigen/Core>" "// #include <embit/index/flat.hpp>")
  header(encode/itq.hpp "#include <embit/linalg/pca.hpp>")
  header(index/flat.hpp "#include <embit/kernel/hamming.hpp>")
  header(retrieve/retriever.hpp "#include <embit/index/flat.hpp>" "#include <embit/encode/itq.hpp>")
  header(adapt/openmp.hpp "#include <embit/retrieve/retriever.hpp>")
  header(embit.hpp "#include <embit/core/types.hpp>" "#include <embit/codes/pack.hpp>" "#include <embit/io/npy.hpp>"
         "#include <embit/kernel/hamming.hpp>" "#include <embit/linalg/pca.hpp>" "#include <embit/encode/itq.hpp>"
         "#include <embit/index/flat.hpp>" "#include <embit/retrieve/retriever.hpp>")
endmacro()

# verdict(<what> <expected>): `expected` is part of the message, or empty where the tree must pass.
function(verdict what expected)
  execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${WORK}/tree -P ${CHECK} RESULT_VARIABLE status
                  OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "${expected}" at)
  if((expected STREQUAL "" AND NOT status EQUAL 0) OR (NOT expected STREQUAL "" AND (status EQUAL 0 OR at EQUAL -1)))
    set(failures "${failures}\n${what}: expected '${expected}', got ${status}: ${output}" PARENT_SCOPE)
  endif()
endfunction()

good_tree()
verdict("a good tree" "")

good_tree()
header(core/types.hpp "#include <embit/codes/pack.hpp>")
verdict("a lower floor includes a higher one" "core is not above codes (codes/pack.hpp)")

good_tree()
header(codes/pack.hpp "#include <embit/io/npy.hpp>")
verdict("rooms of one floor" "codes is not above io")

good_tree()
header(codes/pack.hpp "#include <cmath>" "inline bool f(float x) { return std::isfinite(x); }")
verdict("a test of numbers that flags fold away" "isfinite( where core/finite.hpp tells by bits")

good_tree()
header(linalg/pca.hpp "  #  include <embit/index/flat.hpp>")
verdict("an indented include" "linalg is not above index")

good_tree()
header(fit/fit_itq.hpp)
header(encode/itq.hpp "#include <embit/fit/fit_itq.hpp>")
verdict("a model that knows its trainer" "encode is not above fit (fit/fit_itq.hpp)")

foreach(room learn search eval)
  good_tree()
  header(${room}/measure.hpp)
  header(encode/itq.hpp "#include <embit/${room}/measure.hpp>")
  verdict("a model that knows ${room}" "what trains and measures is above it, in fit (${room}/measure.hpp)")
endforeach()

good_tree()
header(fit/fit_itq.hpp)
header(index/flat.hpp "#include <embit/fit/fit_itq.hpp>")
verdict("an index that knows a trainer" "knows no encoder (fit/fit_itq.hpp)")

good_tree()
header(index/flat.hpp "#include <embit/encode/itq.hpp>")
verdict("an index that knows an encoder" "an index holds codes and knows no encoder (encode/itq.hpp)")

good_tree()
header(multivector/muvera.hpp)
header(index/flat.hpp "#include <embit/multivector/muvera.hpp>")
verdict("an index that knows sets of vectors" "knows no encoder (multivector/muvera.hpp)")

good_tree()
header(index/flat.hpp "#include <embit/kernel/detail/avx2.hpp>")
verdict("another room's detail" "kernel/detail/avx2.hpp is for kernel alone")

good_tree()
header(core/types.hpp "#include <Eigen/Core>")
verdict("Eigen in core" "core never includes Eigen")

good_tree()
header(index/flat.hpp "#include <xsimd/xsimd.hpp>")
verdict("xsimd outside" "xsimd stays inside codes and kernel")

good_tree()
header(index/tree.hpp)
verdict("a header the umbrella lacks" "the umbrella lacks index/tree.hpp")

good_tree()
file(APPEND "${WORK}/tree/include/embit/embit.hpp" "#include <embit/adapt/openmp.hpp>\n")
verdict("adapt in the umbrella" "the umbrella leaves out adapt/")

good_tree()
file(APPEND "${WORK}/tree/include/embit/embit.hpp" "#include <embit/kernel/detail/avx2.hpp>\n")
verdict("detail in the umbrella" "is for kernel alone")

good_tree()
header(core/types.hpp "#include <embit/embit.hpp>")
verdict("the umbrella inside" "includes an umbrella")

good_tree()
header(search.hpp "#include <embit/core/types.hpp>" "#include <embit/linalg/pca.hpp>")
verdict("a decomposition in what searches" "searching needs no linalg")

good_tree()
header(search.hpp "#include <embit/core/types.hpp>" "#include <embit/index/flat.hpp>")
file(APPEND "${WORK}/tree/include/embit/embit.hpp" "#include <embit/search.hpp>\n")
verdict("an umbrella in two parts" "")

good_tree()
header(config.hpp "#include <embit/core/types.hpp>")
verdict("config above core" "stands below every room")

good_tree()
header(core/types.hpp "#include \"../config.hpp\"")
verdict("a quoted include" "headers are included with <...>")

good_tree()
header(core/types.hpp "#include <embit/core/gone.hpp>")
verdict("an include of nothing" "includes core/gone.hpp, which is not there")

good_tree()
header(cellar/wine.hpp)
verdict("an unknown room" "there is no room cellar")

good_tree()
header(extra.hpp)
verdict("a header outside the rooms" "belongs into a room")

good_tree()
string(REPEAT "//;" 600 lines)
header(core/types.hpp ${lines})
verdict("a long header" "603 lines, 600 at most")

good_tree()
string(REPEAT "//;" 250 lines)
foreach(path core/types.hpp codes/pack.hpp io/npy.hpp linalg/pca.hpp encode/itq.hpp index/flat.hpp adapt/openmp.hpp)
  header(${path} ${lines})
endforeach()
verdict("many long headers" "the median header has 253 lines")

good_tree()
header(io/npy.hpp "#include <embit/core/types.hpp>" "// auto comment(int)" "auto f(const T& x = {}, int n)" "    -> int {}"
       "int g() { auto x = f(1)@ const auto h = [](auto y) { return y@ }@ }")
file(READ "${WORK}/tree/include/embit/io/npy.hpp" good)
string(REPLACE "@" ";" good "${good}")
file(WRITE "${WORK}/tree/include/embit/io/npy.hpp" "${good}")
verdict("return types that are named" "")
foreach(function "inline auto f(int x) {}" "  const auto& operator[](int i) const {}" "decltype(auto) f() {}"
                 "auto f(matrix rows," "constexpr auto f(int x = {})")
  good_tree()
  header(io/npy.hpp "#include <embit/core/types.hpp>" "${function}")
  verdict("a deduced return type: ${function}" "io/npy.hpp: a deduced return type")
endforeach()
good_tree()
header(kernel/detail/avx2.hpp "#include <embit/codes/pack.hpp>" "auto f() {}")
verdict("a deduced return type in detail" "")

good_tree()
set(table "inline const dispatch_table<sum_ops>& table_of() noexcept {}")
header(kernel/detail/avx2.hpp "${table}")
header(kernel/operations.hpp "visit(table_of<sum_ops>())")
file(APPEND "${WORK}/tree/include/embit/embit.hpp" "#include <embit/kernel/operations.hpp>\n")
verdict("an operation of the list" "")
header(kernel/operations.hpp "visit(table_of<product_ops>())")
verdict("an operation that the list lacks" "the list of operations lacks sum_ops")

good_tree()
file(WRITE "${WORK}/tree/include/embit/core/types.hpp" "#pragma once\n// SPDX-License-Identifier: MIT\n")
verdict("a header without its beginning" "must begin with a comment on its subject")

file(REMOVE_RECURSE "${WORK}/tree")
if(failures)
  message(FATAL_ERROR "${failures}")
endif()
