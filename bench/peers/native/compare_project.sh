#!/bin/sh
# Sign hashing without flags against Eigen's product built with -march=native: separate executables, run in turn.
#
#   compare_project.sh <folder of the executables> [shape] [rounds]
set -eu
folder=$1 shape=${2:-128to256} rounds=${3:-15}

# The median time of a row, in nanoseconds, of the benchmark "$2" of the executable "$1".
row_time() {
  "$folder/$1" --benchmark_filter="^$2/" --benchmark_format=json 2>/dev/null |
    sed -n 's/.*"ns_a_row": *\([0-9.e+-]*\).*/\1/p'
}

ours="" theirs="" i=0
while [ "$i" -lt "$rounds" ]; do
  ours="$ours $(row_time bench_project "sign_lsh/$shape")"
  theirs="$theirs $(row_time bench_peer_eigen_product "eigen_product/$shape")"
  i=$((i + 1))
done
median() { printf '%s\n' "$@" | sort -g | sed -n "$((($# + 1) / 2))p"; }
# shellcheck disable=SC2086
awk -v ours="$(median $ours)" -v theirs="$(median $theirs)" -v shape="$shape" 'BEGIN {
  printf "%s: sign_lsh %.0f ns a row, Eigen with -march=native %.0f ns a row, speedup %.2f\n",
         shape, ours, theirs, theirs / ours }'
