// What works without exceptions: a program of checks that end the process, for builds that Catch2 cannot join.
#include <embit/core/executor.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <vector>

#define CHECK(condition) \
  ((condition) ? void(0) : (std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition), std::exit(1)))

namespace {

embit::code_store<> random_codes(std::size_t size, std::size_t bits, embit::rng& engine) {
  embit::code_store<> codes(size, bits);
  for (std::size_t i = 0; i < size; ++i) {
    for (embit::word& w : codes.row(i)) w = embit::random_bits(engine);
    codes.row(i).back() &= embit::tail_mask(bits);
  }
  return codes;
}

std::uint32_t distance(const embit::code_store<>& codes, std::size_t a, std::size_t b) {
  int count = 0;
  for (std::size_t w = 0; w < codes.words(); ++w) count += std::popcount(codes[a][w] ^ codes[b][w]);
  return static_cast<std::uint32_t>(count);
}

void check_search(std::size_t size, std::size_t bits) {
  embit::rng engine(bits);
  const auto codes = random_codes(size, bits, engine);
  const embit::flat_index index{codes, embit::hamming{}, embit::thread_pool(2)};
  const auto found = index.search(codes, 7);
  CHECK(found.queries() == size);
  for (std::size_t q = 0; q < size; ++q) {
    std::vector<embit::neighbor<std::uint32_t>> all;
    for (std::size_t i = 0; i < size; ++i) all.push_back({static_cast<embit::row_id>(i), distance(codes, q, i)});
    std::sort(all.begin(), all.end(), embit::neighbor_order<std::less<>>());
    all.resize(std::min<std::size_t>(7, size));
    CHECK(std::ranges::equal(found[q], all));
  }
}

void check_executors() {
  std::vector<int> runs(513);
  embit::run_bulk(embit::thread_pool(3), runs.size(), [&](std::size_t item, std::size_t) { ++runs[item]; });
  CHECK(std::ranges::count(runs, 1) == 513);
}

}  // namespace

int main() {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 256u, 1000u})
    for (const std::size_t size : {1u, 7u, 100u}) check_search(size, bits);
  check_executors();
  std::puts("ok");
}
