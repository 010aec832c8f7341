#!/usr/bin/env bash
# Builds and runs the tests: bash tests/run.sh [--all] [<CMake option>...]
#
#          the tests of every room at the best SIMD level of this machine, the examples and the README's example;
#          compiled with -O1, the kernels with -O3
#   --all  also at every level, and every public header alone, projects that use embit by each route, and the same
#          results from other compilers and flags: what .ci/run asks for
set -u
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

all=OFF
options=()
for option in "$@"; do
  [ "$option" = --all ] && all=ON || options+=("$option")
done

# Prints the ten test programs that cost most, from what Ninja and ctest keep of their last build and run.
say_dearest() {
  local built=$1/.ninja_log ran=$1/Testing/Temporary/CTestCostData.txt
  [ -e "$built" ] && [ -e "$ran" ] || return 0
  say "the dearest test programs (seconds by the clock of compiling, one unit after the other, and of running, each level):"
  awk -v levels='[.](portable|avx2|avx512|vpopcnt|neon)$' '
    function program(name) { sub(/^test_/, "", name); sub(levels, "", name); sub(/^(fuzz|smoke|peer|examples)[._]/, "", name); return name }
    FNR == NR && match($4, /CMakeFiles\/[^\/]*\.dir\//) { took[$4] = $2 - $1; next }
    FNR == NR { next }
    $1 == "---" { exit }
    NF == 3 { run[program($1)] += $3; seen[program($1)] = 1 }
    END {
      for (unit in took) {
        name = unit; sub(/.*CMakeFiles\//, "", name); sub(/\.dir\/.*/, "", name); name = program(name)
        if (!(name in seen)) continue
        compiled[name] += took[unit] / 1000
        if (took[unit] > most[name]) { most[name] = took[unit]; file = unit; sub(/.*\//, "", file); sub(/\.o$/, "", file); worst[name] = file }
      }
      for (name in seen)
        if (compiled[name] > 0)
          printf "%7.0f %7.0f  %s (most of it %s, %.0f)\n", compiled[name], run[name], name, worst[name], most[name] / 1000
    }' "$built" "$ran" | awk '{ print $1 + $2, $0 }' | sort -rn | head -n 10 | cut -d' ' -f2- >&2
}

need compiler cmake eigen xsimd catch2 cli11
[ $all = ON ] && folder=$embit_root/build/tests-all || folder=$embit_root/build/tests
say "building the tests in $folder"
build "$folder" -DCMAKE_BUILD_TYPE=Release "-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DNDEBUG" -DEMBIT_BUILD_BENCH=OFF \
  -DEMBIT_CHECK_HEADERS=$all -DEMBIT_TEST_EVERY_LEVEL=$all -DEMBIT_TEST_PROJECTS=$all ${options[@]+"${options[@]}"} || exit
ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$(jobs_here)"
status=$?
say_dearest "$folder"
sed -n 's/^-- embit: \(.*is left out\)$/not tested: \1/p' "$folder/configure.log" 2>/dev/null >&2
[ -n "${EMBIT_DATA_DIR:-}" ] || say "not tested: real data, whose folder EMBIT_DATA_DIR names"
[ $all = ON ] || say "not tested: headers alone, other SIMD levels, projects that use embit, other compilers and flags: tests/run.sh --all"
exit $status
