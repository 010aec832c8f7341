# For bash scripts to source: installs what a build needs and lacks, and builds quietly.
#
#   need <what>...                   installs with the system's package manager what of these is missing: compiler
#                                    cmake eigen xsimd catch2 cli11 benchmark clang clang_rt
#                                    (its sanitizers) aarch64 riscv64
#   build <folder> <CMake option>... [-- <target>...]   configures and builds; says how far it is, and
#                                    the first error if it fails
#
# Where packages cannot be installed (no rights, no network, EMBIT_NO_INSTALL=1) the build goes on: CMake then fetches
# the libraries itself, or says what is missing.

embit_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

jobs_here() { nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2; }

have_command() { command -v "$1" >/dev/null 2>&1; }

have_header() {
  local folder prefix prefixes=${CMAKE_PREFIX_PATH:-}
  for prefix in ${prefixes//[;:]/ } ${CONDA_PREFIX:-} /usr/local /usr /opt/homebrew /opt/local; do
    for folder in include include/eigen3; do
      [ -e "$prefix/$folder/$1" ] && return 0
    done
  done
  return 1
}

# Whether a compiler has the libraries of its sanitizers.
have_sanitizers() {
  have_command "$1" && echo 'int main() {}' | "$1" -x c++ -fsanitize=address,undefined -o /dev/null - >/dev/null 2>&1
}

have() {
  case $1 in
    compiler) [ -n "${CXX:-}" ] || have_command c++ || have_command g++ || have_command clang++ ;;
    cmake) have_command cmake && { have_command make || have_command ninja; } ;;
    eigen) have_header Eigen/Core ;;
    xsimd) have_header xsimd/xsimd.hpp ;;
    catch2) have_header catch2/catch.hpp || have_header catch2/catch_all.hpp ;;
    cli11) have_header CLI/CLI.hpp ;;
    benchmark) have_header benchmark/benchmark.h ;;
    clang) have_command clang++ ;;
    clang_rt) have_sanitizers clang++ ;;
    aarch64) have_command aarch64-linux-gnu-g++ && have_command qemu-aarch64 ;;
    riscv64) have_command riscv64-linux-gnu-g++ && have_command qemu-riscv64 ;;
    *) say "setup.sh: nothing is known about '$1'"; return 1 ;;
  esac
}

# The packages that bring one need, by package manager.
packages_for() {
  case $1.$2 in
    apt.compiler) echo g++ ;;
    apt.cmake) echo cmake make ;;
    apt.eigen) echo libeigen3-dev ;;
    apt.xsimd) echo libxsimd-dev ;;
    apt.catch2) echo catch2 ;;
    apt.cli11) echo libcli11-dev ;;
    apt.benchmark) echo libbenchmark-dev ;;
    apt.clang) echo clang ;;
    apt.clang_rt) echo libclang-rt-dev ;;
    dnf.clang_rt) echo compiler-rt ;;
    apt.aarch64) echo g++-aarch64-linux-gnu qemu-user ;;
    apt.riscv64) echo g++-riscv64-linux-gnu qemu-user ;;
    dnf.compiler) echo gcc-c++ ;;
    dnf.cmake) echo cmake make ;;
    dnf.eigen) echo eigen3-devel ;;
    dnf.xsimd) echo xsimd-devel ;;
    dnf.catch2) echo catch-devel ;;
    dnf.cli11) echo cli11-devel ;;
    dnf.benchmark) echo google-benchmark-devel ;;
    pacman.compiler) echo gcc ;;
    pacman.cmake) echo cmake make ;;
    brew.benchmark) echo google-benchmark ;;
    *.clang | pacman.* | brew.eigen | brew.xsimd | brew.catch2 | brew.cli11 | brew.cmake) echo "$2" ;;
  esac
}

# Installs packages, as root or through a sudo that needs no password (or has a terminal to ask for it).
install_packages() {
  local manager=$1 sudo=
  shift
  if [ "$manager" != brew ] && [ "$(id -u)" -ne 0 ]; then
    have_command sudo && { sudo -n true 2>/dev/null || [ -t 0 ]; } || return 1
    sudo=sudo
  fi
  say "installing $*"
  case $manager in
    apt)
      local apt="$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120"
      $apt install -y --no-install-recommends "$@" </dev/null >/dev/null 2>&1 ||
        { $apt update && $apt install -y --no-install-recommends "$@"; } </dev/null >/dev/null
      ;;
    dnf) $sudo dnf -q -y install "$@" </dev/null >/dev/null ;;
    pacman) $sudo pacman -S --noconfirm --needed "$@" </dev/null >/dev/null ;;
    brew) brew install -q "$@" </dev/null >/dev/null ;;
  esac
}

need() {
  local what manager missing=() wanted=()
  for what in "$@"; do have "$what" || missing+=("$what"); done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ -z "${EMBIT_NO_INSTALL:-}" ]; then
    for manager in apt dnf pacman brew; do
      have_command "${manager/#apt/apt-get}" || continue
      for what in "${missing[@]}"; do wanted+=($(packages_for $manager "$what")); done
      [ ${#wanted[@]} -eq 0 ] || install_packages $manager "${wanted[@]}" || say "could not install ${wanted[*]}"
      break
    done
  fi
  for what in "${missing[@]}"; do have "$what" || return 1; done
}

# Says every ten seconds how far it is with what writes its progress, as Ninja, make and ctest do, to a log.
say_progress() {
  local what=$1 log=$2 since=$SECONDS next=10 at
  while sleep 1 && kill -0 $$ 2>/dev/null; do
    [ $((SECONDS - since)) -ge $next ] || continue
    next=$((next + 10))
    at=$(tail -c 20000 "$log" 2>/dev/null | sed -nE 's/^ *\[? *([0-9]+\/[0-9]+|[0-9]+%).*/\1/p' | tail -n 1)
    say "  $what${at:+ $at}, $((SECONDS - since)) s"
  done
}

# The first error of a log with what the compiler says around it; the rest is only named.
first_error() {
  local log=$1 line
  line=$(grep -nE -m 1 'error: |error:$|undefined reference|multiple definition|CMake Error' "$log" | cut -d: -f1)
  [ -n "$line" ] || line=$(grep -nE -m 1 'FAILED|\*\*\*' "$log" | cut -d: -f1)
  if [ -z "$line" ]; then
    tail -n 20 "$log"
  else
    # Ninja names what failed, and then the whole command; both compilers say after an error where it is.
    awk -v at="$line" 'NR > at + 12 || NR > at && (/^\[[0-9]+\// || /error: / || /^ninja: /) { exit }
                       NR == at || NR >= at - 12 { text[++n] = substr($0, 1, 300) }
                       /^FAILED: / { n = 0; text[++n] = substr($0, 1, 300); getline }
                       /^\[[0-9]+\// { n = 0 }
                       END { for (i = 1; i <= n; ++i) print text[i] }' "$log"
  fi
  say "(all of it: $log)"
}

# Runs a command: quietly <what it does> <log> <command>... Shows its output on a terminal; elsewhere how far it is,
# and its first error when it fails.
quietly() {
  local what=$1 log=$2 status watcher
  shift 2
  if [ -t 2 ]; then
    "$@" </dev/null >&2
    return
  fi
  say_progress "$what" "$log" >&2 </dev/null &
  watcher=$!
  "$@" </dev/null >"$log" 2>&1
  status=$?
  kill $watcher 2>/dev/null
  wait $watcher 2>/dev/null
  [ $status -eq 0 ] || { first_error "$log"; say "failed: $*"; } >&2
  return $status
}

build() {
  local folder=$1 options=() targets=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1"); shift; done
  [ $# -gt 0 ] && shift && targets=(--target "$@")
  # A folder keeps the generator that it was first configured with.
  [ -e "$folder/CMakeCache.txt" ] || { have_command ninja && options+=(-G Ninja); }
  mkdir -p "$folder" &&
    quietly configuring "$folder/configure.log" cmake -S "$embit_root" -B "$folder" ${options[@]+"${options[@]}"} &&
    quietly building "$folder/build.log" cmake --build "$folder" --parallel "$(jobs_here)" ${targets[@]+"${targets[@]}"}
}
