#!/usr/bin/env bash
# Builds and runs the tests: bash tests/run.sh [<CMake option>...]
set -u
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

need compiler cmake eigen xsimd catch2 cli11
folder=$embit_root/build/tests
say "building the tests"
build "$folder" -DCMAKE_BUILD_TYPE=Release -DEMBIT_BUILD_BENCH=OFF "$@" || exit
ctest --test-dir "$folder" --output-on-failure --no-tests=error -j "$(jobs_here)"
