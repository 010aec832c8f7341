// Compiled once for each processor and each way to treat floats, as work_<UNIT> and refuses_<UNIT>.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/store/code_store.hpp>

#include <cstdint>
#include <cstring>
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

// In how many of four places a number is refused, as its bits come from a unit that knows NaN.
int JOIN(refuses_, UNIT)(std::uint32_t bits) {
  embit::rng engine(1);
  const embit::matrix<float> good(3, 32, 1.f);
  embit::matrix<float> bad = good;
  std::memcpy(&bad[1][5], &bits, sizeof bits);
  const embit::flat_index index{good, embit::l2{}};
  const auto hasher = embit::sign_lsh({.dim = 32, .bits = 64}, engine);
  int refused = 0;
  const auto attempt = [&](const auto& call) {
    try {
      call();
    } catch (const embit::error&) {
      ++refused;
    }
  };
  attempt([&] { const embit::flat_index of_bad{bad, embit::l2{}}; });
  attempt([&] { index.search(bad, 2); });
  attempt([&] { hasher.encode(bad); });
  attempt([&] { index.range_search(good, bad[1][5]); });
  return refused;
}
