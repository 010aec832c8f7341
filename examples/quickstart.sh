#!/usr/bin/env bash
# Builds the quickstart example and runs it with the arguments given: bash examples/quickstart.sh [--help]
set -u
source "$(dirname "${BASH_SOURCE[0]}")/../cmake/setup.sh"

need compiler cmake eigen xsimd cli11
folder=$embit_root/build/quickstart
[ -x "$folder/examples/quickstart" ] || say "building the quickstart example"
build "$folder" -DCMAKE_BUILD_TYPE=Release -DEMBIT_BUILD_TESTS=OFF -DEMBIT_BUILD_BENCH=OFF -- quickstart || exit
exec "$folder/examples/quickstart" "$@"
