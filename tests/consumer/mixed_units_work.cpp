// Compiled once for each processor, as work_<UNIT>.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/store/code_store.hpp>

#include <cstdint>
#include <vector>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)

std::vector<std::uint32_t> JOIN(work_, UNIT)(std::uint64_t seed) {
  embit::rng engine(seed);
  embit::code_store<> codes(500, 130);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    for (embit::word& w : codes.row(i)) w = embit::random_bits(engine);
    codes.row(i).back() &= embit::tail_mask(codes.bits());
  }
  const embit::flat_index index{codes, embit::hamming{}, embit::thread_pool(2)};
  const auto found = index.search(codes, 5);
  std::vector<std::uint32_t> answer;
  for (std::size_t q = 0; q < found.queries(); ++q)
    for (const auto& n : found[q]) {
      answer.push_back(n.id);
      answer.push_back(n.distance);
    }
  return answer;
}
