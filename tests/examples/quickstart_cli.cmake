# Runs the built quickstart as a user would: what it refuses, how it says so, and that a run which fails leaves nothing.
#
#   cmake -DQUICKSTART=<executable> -DWORK_DIR=<scratch directory> -P quickstart_cli.cmake
cmake_minimum_required(VERSION 3.24)

set(program QUICKSTART)
include("${CMAKE_CURRENT_LIST_DIR}/cli.cmake")

# Reports the last run and goes on; the script then ends with an error.
function(fail text)
  message(SEND_ERROR "${text}\n  arguments: ${arguments}\n  status: ${status}\n  stdout: ${out}\n  stderr: ${err}")
endfunction()

function(run)
  execute_process(COMMAND "${QUICKSTART}" ${ARGN} WORKING_DIRECTORY "${WORK_DIR}" TIMEOUT 120
                  RESULT_VARIABLE status OUTPUT_VARIABLE out ERROR_VARIABLE err)
  set(arguments "${ARGN}")
  foreach(name arguments status out err)
    set(${name} "${${name}}" PARENT_SCOPE)
  endforeach()
endfunction()

# refused(<regex of the message> <arguments>...): status 2, one line on stderr that matches, nothing on stdout, and no
# file of the name kept.embit.
function(refused pattern)
  run(${ARGN})
  if(NOT status STREQUAL "2")
    fail("expected exit status 2")
  elseif(NOT err MATCHES "^quickstart: [^\n]+\n$")
    fail("expected one line on stderr")
  elseif(NOT err MATCHES "${pattern}")
    fail("expected a message that matches ${pattern}")
  elseif(NOT out STREQUAL "")
    fail("expected nothing on stdout")
  endif()
  file(GLOB left "${WORK_DIR}/kept.embit*")
  if(left)
    fail("expected no output file, found ${left}")
  endif()
endfunction()

# accepted(<regex of the output> <arguments>...): status 0, nothing on stderr, no escape sequences in a pipe.
function(accepted pattern)
  run(${ARGN})
  string(ASCII 27 escape)
  if(NOT status STREQUAL "0")
    fail("expected success")
  elseif(NOT err STREQUAL "")
    fail("expected nothing on stderr")
  elseif(NOT out MATCHES "${pattern}")
    fail("expected output that matches ${pattern}")
  elseif(out MATCHES "${escape}")
    fail("expected plain text in a pipe")
  endif()
endfunction()

# ---- the command line --------------------------------------------------------------------------------------------
accepted("--corpus" --help)
refused("--bits" --bits 0)
refused("--bits" --bits -5)
refused("--bits" --bits many)
refused("--k" --k 0)
refused("--candidates" --k 20 --candidates 5)
refused("--threads" --threads 100000)
refused("--seed" --seed -1)
refused("--seed" --seed 99999999999999999999999)
refused("--frobnicate" --frobnicate)
refused("--queries" --base x.npy)
refused("--base" --queries x.npy)
refused("--base" --base x.npy --queries x.npy some words)
refused("--load" --load a.embit --save kept.embit)

# ---- text ---------------------------------------------------------------------------------------------------------
file(WRITE "${WORK_DIR}/text/a.txt" "the quick brown fox jumps over the lazy dog\n")
file(WRITE "${WORK_DIR}/text/b.txt" "sparse matrices are factorized by cholesky\n")
file(WRITE "${WORK_DIR}/text/.hidden/c.txt" "never to be found by anyone\n")
file(WRITE "${WORK_DIR}/more/a.txt" "only one passage of a few words\n")
file(WRITE "${WORK_DIR}/signs/a.txt" "{}\n---\n")
file(MAKE_DIRECTORY "${WORK_DIR}/empty")
execute_process(COMMAND "${PRINTF}" "text\\000binary" OUTPUT_FILE "${WORK_DIR}/binary" COMMAND_ERROR_IS_FATAL ANY)

refused("nowhere" --corpus nowhere)
refused("no text in empty" --corpus empty)
refused("no text in signs" --corpus signs)
refused("no text in binary" --corpus binary)
refused("zzzzz" --corpus text --save kept.embit zzzzz)
refused("query" --corpus text --save kept.embit "?!")
refused("missing" --corpus text --save missing/kept.embit)
accepted("2 passages of 2 files.*b.txt:1 .*cholesky" --corpus text cholesky factorization)  # the hidden file is not read

# ---- a saved index ------------------------------------------------------------------------------------------------
accepted("b.txt:1" --corpus text --bits 100 --save codes.embit cholesky)
accepted("b.txt:1" --corpus text --load codes.embit cholesky)
refused("codes.embit.*2 codes.*1 rows" --corpus more --load codes.embit)
refused("codes.embit.*seed" --corpus text --load codes.embit --seed 7)
refused("absent.embit" --corpus text --load absent.embit)
refused("a.txt" --corpus text --load text/a.txt)

# ---- embeddings ---------------------------------------------------------------------------------------------------
set(one "\\000\\000\\200\\077")
set(zero "\\000\\000\\000\\000")
set(nan "\\000\\000\\300\\177")
npy(x.npy "<f4" False "(3, 2)" "${one}${zero}${zero}${one}${one}${one}")
npy(q.npy "<f4" False "(1, 2)" "${one}${one}")
npy(wide.npy "<f4" False "(1, 3)" "${one}${one}${zero}")
npy(nan.npy "<f4" False "(2, 2)" "${one}${one}${one}${nan}")
npy(fortran.npy "<f4" True "(3, 2)" "${one}${zero}${zero}${one}${one}${one}")
npy(complex.npy "<c8" False "(1, 2)" "${one}${one}${one}${one}")
npy(short.npy "<f4" False "(3, 2)" "${one}${zero}${zero}${one}")
npy(none.npy "<f4" False "(0, 2)" "")
npy(vast.npy "<f4" False "(4611686018427387904, 4)" "${one}")
file(WRITE "${WORK_DIR}/garbage.npy" "this is no array\n")
file(WRITE "${WORK_DIR}/nothing.npy" "")

accepted("3 rows and 1 queries of dimension 2.*query 0[^\n]*:  2 " --base x.npy --queries q.npy --bits 64)
refused("dimension 3.*2" --base x.npy --queries wide.npy --save kept.embit)
# In Fortran order these are the rows (1, 1), (0, 1) and (0, 1).
accepted("query 0[^\n]*:  0 " --base fortran.npy --queries q.npy --bits 64)
accepted("query 0[^\n]*:  2 .*query 1[^\n]*:  1 " --base x.npy --queries fortran.npy --bits 64)
foreach(bad nan complex short none vast garbage nothing absent)
  refused("${bad}.npy" --base ${bad}.npy --queries q.npy --save kept.embit)
  refused("${bad}.npy" --base x.npy --queries ${bad}.npy --save kept.embit)
endforeach()
refused("x.txt" --base x.txt --queries q.npy)
