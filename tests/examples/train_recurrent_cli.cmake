# Runs the built train_recurrent as a user would: on generated rows, with its own files, and on what it must refuse.
#
#   cmake -DTRAIN_RECURRENT=<executable> -DWORK_DIR=<scratch directory> -P train_recurrent_cli.cmake
cmake_minimum_required(VERSION 3.24)

set(program TRAIN_RECURRENT)
include("${CMAKE_CURRENT_LIST_DIR}/cli.cmake")

# rows(<file> <rows> <columns>): rows of float32
function(rows file rows columns)
  set(payload "")
  math(EXPR last "${rows} * ${columns} - 1")
  foreach(i RANGE ${last})
    math(EXPR a "(${i} * ${i} * 37 + ${i} * 11) % 8") # numbers from 1 to 2
    math(EXPR b "(${i} * 53 + ${i} / 7 * 29) % 8")
    string(APPEND payload "\\000\\000\\2${b}${a}\\077")
  endforeach()
  npy(${file} "<f4" False "(${rows}, ${columns})" "${payload}")
endfunction()

rows(rows.npy 60 6)
rows(queries.npy 4 6)
rows(narrow.npy 4 5)
set(small --generated 400 --steps 60 --hidden 16 --threads 2)

expect(0 "--vectors" "^$" --help)
expect(0 "360 rows of dimension 64, 40 queries.* 50 +[0-9.]+ +0[.][0-9]+\n.*learned .* dimensions of .*recurrent .*RaBitQ, 64 bits"
       "^$" ${small} --codes codes.embit --model model.embit)
string(REGEX REPLACE ".*\n(query [^\n]*)\n.*" "\\1" learned "${stdout}")
foreach(written codes.embit model.embit)
  if(NOT EXISTS "${WORK_DIR}/${written}")
    message(SEND_ERROR "${written} was not written")
  endif()
endforeach()
expect(0 "360 rows.*encoded into 6[0-9] bits.*recurrent" "^$" --generated 400 --load model.embit)
string(REGEX REPLACE ".*\n(query [^\n]*)\n.*" "\\1" loaded "${stdout}")
if(NOT learned STREQUAL loaded)
  message(SEND_ERROR "the loaded model finds others:\n  ${learned}\n  ${loaded}")
endif()
expect(0 "60 rows of dimension 6, 4 queries.*learned 4 dimensions of 2 bits.*query 2, row .cosine.:  [0-9]+ " "^$"
       --vectors rows.npy --queries queries.npy --dims 4 --loops 1 --steps 5 --hidden 8 --k 3)
expect(0 "54 rows of dimension 6, 6 queries" "^$" --vectors rows.npy --steps 0)
expect(2 "^$" "^train_recurrent: narrow.npy: dimension 5, rows.npy has 6\n$" --vectors rows.npy --queries narrow.npy)
expect(2 "" "columns where the encoder takes 64|dimension" --vectors rows.npy --load model.embit)
expect(2 "^$" "absent.npy" --vectors absent.npy)
expect(2 "" "absent.embit" --generated 400 --load absent.embit)
expect(2 "^$" "--model" --load model.embit --model other.embit)
expect(2 "^$" "--loops" --loops 8)
expect(2 "^$" "--vectors" --queries queries.npy)
expect(2 "" "dims is 9 where 1 to 6" --vectors rows.npy --dims 9 --loops 0)
