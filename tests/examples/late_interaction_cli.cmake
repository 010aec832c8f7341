# Runs the built late_interaction as a user would: on generated documents, on small files, and on what it must refuse.
#
#   cmake -DLATE_INTERACTION=<executable> -DWORK_DIR=<scratch directory> -P late_interaction_cli.cmake
cmake_minimum_required(VERSION 3.24)

set(program LATE_INTERACTION)
include("${CMAKE_CURRENT_LIST_DIR}/cli.cmake")

set(one "\\000\\000\\200\\077")
set(zero "\\000\\000\\000\\000")
npy(tokens.npy "<f4" False "(3, 2)" "${one}${zero}${zero}${one}${one}${one}")
npy(offsets.npy "<i4" False "(3,)" "\\000\\000\\000\\000\\002\\000\\000\\000\\003\\000\\000\\000")
npy(wrong.npy "<i4" False "(3,)" "\\000\\000\\000\\000\\002\\000\\000\\000\\004\\000\\000\\000")
npy(ids.npy "<i4" False "(2,)" "\\007\\000\\000\\000\\011\\000\\000\\000")
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
