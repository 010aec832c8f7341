#!/usr/bin/env bash
# What including embit costs a build: seconds of the compiler and its memory for each umbrella header empty, each index
# searched once, and the README's example, and ratios to <Eigen/Dense> with an empty main in the same minute.
#   bash bench/compile_time.sh [<compiler option>...]     CXX names the compiler, g++ by default; -O2 if no option is given
set -eu
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -gt 0 ] || set -- -O2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CCACHE_PREFIX

# measure <source>: sets seconds (of the processor) and megabytes, the least of three compilations.
measure() {
  local took
  seconds= megabytes=0
  for _ in 1 2 3; do
    took=$(python3 - "${CXX:-g++}" -std=c++20 "$@" -I"$root/include" -idirafter /usr/include/eigen3 -c "$work/unit.cpp" \
      -o "$work/unit.o" <<'PY'
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"{usage.ru_utime + usage.ru_stime:.2f} {usage.ru_maxrss // 1024}")
PY
    ) || exit 1
    if [ -z "$seconds" ] || awk "BEGIN { exit !(${took% *} < $seconds) }"; then seconds=${took% *}; fi
    megabytes=${took#* }
  done
}

report() {
  local name=$1
  shift
  measure "$@"
  [ -n "${reference:-}" ] || reference=$seconds
  awk -v n="$name" -v s="$seconds" -v m="$megabytes" -v r="$reference" \
    'BEGIN { printf "%-28s %7.2f s %6d MB %6.2f\n", n, s, m, s / r }'
}

# searched <header> <how the index is made of codes> searches once and includes nothing else.
searched() {
  printf '%s\n' "#include <embit/$1>" '#include <embit/store/code_store.hpp>' 'int main() {' \
    '  embit::code_store<> codes(100, 64);' "  $2;" '  return static_cast<int>(index.search(codes, 3)[0][0].id);' '}' \
    >"$work/unit.cpp"
}

printf '%s, %s\n%-28s %9s %9s %6s\n' "$(${CXX:-g++} --version | head -n 1)" "$*" unit seconds memory ratio
printf '#include <Eigen/Dense>\nint main() {}\n' >"$work/unit.cpp"
report Eigen/Dense "$@"
for umbrella in "$root"/include/embit/*.hpp; do
  name=$(basename "$umbrella")
  case $name in version.hpp | config.hpp | fwd.hpp) continue ;; esac
  printf '#include <embit/%s>\nint main() {}\n' "$name" >"$work/unit.cpp"
  report "$name" "$@"
done
searched index/flat.hpp 'const embit::flat_index index{codes}'
report flat_index "$@"
report "  with EMBIT_COMPILED" "$@" -DEMBIT_COMPILED
searched index/multi_index.hpp 'const embit::multi_index index{codes}'
report multi_index "$@"
report "  with EMBIT_COMPILED" "$@" -DEMBIT_COMPILED
printf '%s\n' '#include <embit/index/lsh_table.hpp>' '#include <embit/store/code_store.hpp>' 'int main() {' \
  '  embit::code_store<> codes(100, 64);' '  const embit::lsh_table index{codes, {.tables = 2, .bits = 8}};' \
  '  const embit::matrix<std::uint32_t> keys(100, 2, 0u);' \
  '  const embit::lsh_queries<embit::code_view<>> queries(codes, keys, 1);' \
  '  return static_cast<int>(index.search(queries, 3).queries());' '}' >"$work/unit.cpp"
report lsh_table "$@"
report "  with EMBIT_COMPILED" "$@" -DEMBIT_COMPILED
awk '/^```cpp$/ { on = 1; next } /^```$/ { if (on) exit } on' "$root/README.md" >"$work/unit.cpp"
report "the README's example" "$@"
report "  with EMBIT_COMPILED" "$@" -DEMBIT_COMPILED
