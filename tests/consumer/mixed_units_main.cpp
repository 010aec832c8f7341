#include <cstdint>
#include <cstdio>
#include <vector>

#define DECLARE(unit)                                     \
  std::vector<std::uint32_t> work_##unit(std::uint64_t); \
  int refuses_##unit(std::uint32_t);
DECLARE(baseline)
DECLARE(middle)
DECLARE(native)
DECLARE(fast)
DECLARE(regrouped)

int main() {
  unsigned long sum = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto answer = work_baseline(seed);
    if (answer.size() != 500 * 5 * 2) return 1;
    for (const auto work : {work_middle, work_native, work_fast, work_regrouped})
      if (work(seed) != answer) return 1;
    for (const std::uint32_t x : answer) sum = sum * 31 + x;
  }
  std::printf("mixed_units %lu\n", sum);

  // NaN and infinity are refused everywhere. No unit has taken the check of one that may leave it out.
  constexpr std::uint32_t quiet = 0x7fc00000, signalling = 0xff800001, infinite = 0x7f800000, one = 0x3f800000;
  for (const auto refuses : {refuses_baseline, refuses_middle, refuses_native, refuses_fast, refuses_regrouped})
    if (refuses(quiet) != 4 || refuses(signalling) != 4 || refuses(infinite) != 4 || refuses(one) != 0) return 2;
  std::puts("NaN and infinity refused by all units");
  return 0;
}
