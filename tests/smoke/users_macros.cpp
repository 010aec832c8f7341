// Names that well-known headers define as macros, without a prefix, before a user gets to include embit. Each is made
// one that nothing can be compiled with; the standard library and the dependencies, which are not asked about here,
// are included before.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cmath>
#include <concepts>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numbers>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <Eigen/Eigenvalues>
#include <xsimd/xsimd.hpp>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Qt
#define emit ]
#define foreach ]
#define forever ]
#define signals ]
#define slots ]
// <complex.h>
#define I ]
#define complex ]
#define imaginary ]
// Windows
#define min(a, b) ]
#define max(a, b) ]
#define near ]
#define far ]
#define small ]
#define hyper ]
#define interface ]
#define cdecl ]
#define pascal ]
#define ABSOLUTE ]
#define CONST ]
#define DELETE ]
#define DIFFERENCE ]
#define ERROR ]
#define FALSE ]
#define IN ]
#define NO_ERROR ]
#define OPTIONAL ]
#define OUT ]
#define RELATIVE ]
#define STRICT ]
#define TRUE ]
#define VOID ]
// X11
#undef Success
#define Above ]
#define Always ]
#define Below ]
#define Bool ]
#define Complex ]
#define Convex ]
#define CurrentTime ]
#define False ]
#define None ]
#define Opposite ]
#define Status ]
#define Success ]
#define True ]
#define Unsorted ]
// <sys/sysmacros.h>, <math.h>, <termios.h>, predefined without -std=c++20
#undef linux
#undef unix
#undef major
#undef minor
#undef makedev
#define major(device) ]
#define minor(device) ]
#define makedev(a, b) ]
#define DOMAIN ]
#define OVERFLOW ]
#define PI ]
#define SING ]
#define UNDERFLOW ]
#define ECHO ]
#define linux ]
#define unix ]
// Logging and test libraries
#define ASSERT(condition) ]
#define CHECK(condition) ]
#define DEBUG ]
#define FAIL(...) ]
#define FATAL ]
#define INFO ]
#define LOG(level) ]
#define REQUIRE(condition) ]
#define TEST(a, b) ]
#define WARN(...) ]
#define WARNING ]
// Kernel-like code
#define BIT(n) ]
#define likely(condition) ]
#define unlikely(condition) ]

#include <embit/adapt/bit_order.hpp>
#include <embit/adapt/faiss.hpp>
#include <embit/embit.hpp>

int main() {
  const std::vector<embit::word> rows{1, 3, 7};
  const embit::code_view<> codes(rows.data(), rows.size(), 64);
  const embit::flat_index index{embit::code_store(codes)};
  return index.search(codes, 1)[2][0].id == 2 ? 0 : 1;
}
