// Searches for hundreds and thousands of neighbours begin with a bound from a sample of the rows: the order of the rows
// decides how well it holds, and must not decide what is found.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace {

using hit = embit::neighbor<std::uint32_t>;
constexpr std::size_t rows = 20'000, bits = 64;

/// Random codes; `order` puts them where a sample of whole superblocks says little of the others, or the wrong thing.
embit::code_store<> codes_in(int order, embit::rng& rng) {
  std::vector<embit::word> words(rows);
  for (auto& w : words) w = rng();
  const auto nearer = [](embit::word a, embit::word b) { return std::popcount(a) < std::popcount(b); };
  if (order == 1) std::sort(words.begin(), words.end(), nearer);          // nearest to 0 first
  if (order == 2) std::sort(words.rbegin(), words.rend(), nearer);        // and last
  if (order == 3) std::fill_n(words.begin(), 300, 0);                     // all in the first superblock
  if (order == 4) std::fill(words.begin(), words.end(), embit::word{5});  // all equal
  if (order == 5)                                                         // nearest beside the sample
    for (std::size_t i = 600; i < 1400; ++i) words[i] = embit::word{1} << i % 64;
  embit::code_store<> codes(rows, bits);
  for (std::size_t i = 0; i < rows; ++i) codes.row(i)[0] = words[i];
  return codes;
}

}  // namespace

TEST_CASE("many neighbours are those of a sort, however the rows are ordered", "[threads]") {
  const int order = GENERATE(0, 1, 2, 3, 4, 5);
  const std::size_t k = GENERATE(as<std::size_t>{}, 100, 1000, 4999, 20'001);
  embit::rng rng{static_cast<std::uint64_t>(order)};
  const auto codes = codes_in(order, rng);
  embit::code_store<> queries(3, bits);
  queries.row(1)[0] = rng();
  queries.row(2)[0] = ~embit::word{0};
  embit::flat_index alone{codes};
  embit::flat_index shared{codes, embit::hamming{}, embit::thread_pool(3)};
  for (const bool some_removed : {false, true}) {
    if (some_removed)
      for (embit::row_id row = 0; row < 700; ++row) {
        alone.remove(row * 2);
        shared.remove(row * 2);
      }
    const auto found = alone.search(queries, k), found_shared = shared.search(queries, k);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::vector<hit> all;
      for (embit::row_id row = 0; row < rows; ++row)
        if (alone.contains(row))
          all.push_back({row, static_cast<std::uint32_t>(std::popcount(codes[row][0] ^ queries[q][0]))});
      std::sort(all.begin(), all.end(), embit::neighbor_order<std::less<>>{});
      all.resize(std::min(all.size(), k));
      REQUIRE(std::ranges::equal(found[q], all));
      REQUIRE(std::ranges::equal(found_shared[q], all));
    }
  }
}
