#include <cstdint>
#include <cstdio>
#include <vector>

std::vector<std::uint32_t> work_baseline(std::uint64_t seed);
std::vector<std::uint32_t> work_middle(std::uint64_t seed);
std::vector<std::uint32_t> work_native(std::uint64_t seed);

int main() {
  unsigned long sum = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto answer = work_baseline(seed);
    if (answer.size() != 500 * 5 * 2 || work_middle(seed) != answer || work_native(seed) != answer) return 1;
    for (const std::uint32_t x : answer) sum = sum * 31 + x;
  }
  std::printf("mixed_units %lu\n", sum);
  return 0;
}
