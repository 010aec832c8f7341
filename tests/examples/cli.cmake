# What the tests of the examples' command lines begin with. Set `program` to the name of the variable that has the
# executable, then include this: it checks -D<program> and -DWORK_DIR, and empties the latter.
foreach(needed ${program} WORK_DIR)
  if(NOT DEFINED ${needed})
    message(FATAL_ERROR "give -D${needed}=...")
  endif()
  cmake_path(ABSOLUTE_PATH ${needed})
endforeach()
find_program(PRINTF printf REQUIRED) # writes the bytes that CMake's own file() cannot
file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}")

# expect(<status> <regex of stdout> <regex of stderr> <arguments>...): runs the program; what it wrote is then in stdout.
function(expect status out err)
  execute_process(COMMAND "${${program}}" ${ARGN} WORKING_DIRECTORY "${WORK_DIR}" TIMEOUT 120
                  RESULT_VARIABLE found OUTPUT_VARIABLE stdout ERROR_VARIABLE stderr)
  if(NOT found STREQUAL "${status}" OR NOT stdout MATCHES "${out}" OR NOT stderr MATCHES "${err}")
    message(SEND_ERROR "expected ${status}, ${out}, ${err}\n  arguments: ${ARGN}\n  status: ${found}\n"
                       "  stdout: ${stdout}\n  stderr: ${stderr}")
  endif()
  set(stdout "${stdout}" PARENT_SCOPE)
endfunction()

# npy(<file> <descr> <True|False: Fortran order> <shape> <payload in octal escapes>)
function(npy file descr fortran shape payload)
  set(header "{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }")
  string(LENGTH "${header}" length)
  math(EXPR padding "117 - ${length}") # magic and length are 10 bytes, the header ends with a line end: 128 in all
  string(REPEAT " " ${padding} padding)
  execute_process(COMMAND "${PRINTF}" "\\223NUMPY\\001\\000\\166\\000${header}${padding}\\n${payload}"
                  OUTPUT_FILE "${WORK_DIR}/${file}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
