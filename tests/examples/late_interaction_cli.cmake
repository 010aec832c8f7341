# Runs the built late_interaction as a user would: on generated documents, on small files, and on what it must refuse.
#
#   cmake -DLATE_INTERACTION=<executable> -DWORK_DIR=<scratch directory> -P late_interaction_cli.cmake
cmake_minimum_required(VERSION 3.24)

foreach(needed LATE_INTERACTION WORK_DIR)
  if(NOT DEFINED ${needed})
    message(FATAL_ERROR "give -D${needed}=...")
  endif()
  cmake_path(ABSOLUTE_PATH ${needed})
endforeach()
find_program(PRINTF printf REQUIRED) # writes the bytes that CMake's own file() cannot
file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")

# expect(<status> <regex of stdout> <regex of stderr> <arguments>...)
function(expect status out err)
  execute_process(COMMAND "${LATE_INTERACTION}" ${ARGN} WORKING_DIRECTORY "${WORK_DIR}" TIMEOUT 120
                  RESULT_VARIABLE found OUTPUT_VARIABLE stdout ERROR_VARIABLE stderr)
  if(NOT found STREQUAL "${status}" OR NOT stdout MATCHES "${out}" OR NOT stderr MATCHES "${err}")
    message(SEND_ERROR "expected ${status}, ${out}, ${err}\n  arguments: ${ARGN}\n  status: ${found}\n"
                       "  stdout: ${stdout}\n  stderr: ${stderr}")
  endif()
endfunction()

# npy(<file> <descr> <shape> <payload in octal escapes>)
function(npy file descr shape payload)
  set(header "{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }")
  string(LENGTH "${header}" length)
  math(EXPR padding "117 - ${length}") # magic and length are 10 bytes, the header ends with a line end: 128 in all
  string(REPEAT " " ${padding} padding)
  execute_process(COMMAND "${PRINTF}" "\\223NUMPY\\001\\000\\166\\000${header}${padding}\\n${payload}"
                  OUTPUT_FILE "${WORK_DIR}/${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

set(one "\\000\\000\\200\\077")
set(zero "\\000\\000\\000\\000")
npy(tokens.npy "<f4" "(3, 2)" "${one}${zero}${zero}${one}${one}${one}")
npy(offsets.npy "<i4" "(3,)" "\\000\\000\\000\\000\\002\\000\\000\\000\\003\\000\\000\\000")
npy(wrong.npy "<i4" "(3,)" "\\000\\000\\000\\000\\002\\000\\000\\000\\004\\000\\000\\000")
npy(ids.npy "<i4" "(2,)" "\\007\\000\\000\\000\\011\\000\\000\\000")
file(WRITE "${WORK_DIR}/judgements.tsv" "7\t7\t1\n9\t9\t1\n9\t1000\t1\n")
file(WRITE "${WORK_DIR}/words.tsv" "these are words\n")
set(files --documents tokens.npy --document-offsets offsets.npy --queries tokens.npy --query-offsets offsets.npy)
set(ids --document-ids ids.npy --query-ids ids.npy)

expect(0 "--documents" "^$" --help)
expect(0 "exact MaxSim .*1.000   *1.000.*codes, then MaxSim of 20" "^$" --generated 60 --candidates 20 --threads 2)
expect(0 "2 documents of 3 tokens, 2 queries.*codes, then MaxSim of 100 .*1.000" "^$" ${files} ${ids}
       --judgements judgements.tsv --k 1)
expect(2 "^$" "^late_interaction: .*wrong.npy: .*last offset is 4[^\n]*\n$" --documents tokens.npy
       --document-offsets wrong.npy --queries tokens.npy --query-offsets offsets.npy)
expect(2 "^$" "absent.npy" --documents absent.npy --document-offsets offsets.npy --queries tokens.npy
       --query-offsets offsets.npy)
expect(2 "^$" "words.tsv: not lines of two numbers" ${files} --judgements words.tsv)
expect(2 "^$" "--document-offsets" --documents tokens.npy)
expect(2 "^$" "--simhash-bits" --simhash-bits 17)
expect(2 "^$" "--k" --k 0)
