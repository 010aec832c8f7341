#include <embit/core/random.hpp>
#include <embit/search/row_bitset.hpp>

#include <vector>

#include <support/catch.hpp>
#include <support/matchers.hpp>

TEST_CASE("a bitset agrees with a vector of flags", "[row_bitset]") {
  embit::rng rng{1};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 63, 64, 65, 127, 1000);
  embit::row_bitset set(n);
  std::vector<bool> flags(n);
  for (std::size_t i = 0; i < n; ++i) {
    const bool member = embit::uniform_index(rng, 3) == 0;
    set.set(i, member);
    flags[i] = member;
  }
  std::size_t count = 0;
  std::vector<std::size_t> members;
  for (std::size_t i = 0; i < n; ++i) {
    REQUIRE(set.test(i) == flags[i]);
    if (flags[i]) ++count, members.push_back(i);
  }
  CHECK(set.count() == count);
  std::vector<std::size_t> visited;
  set.for_each(0, n, [&](std::size_t row) { visited.push_back(row); });
  CHECK(visited == members);
  CHECK(set.any(0, n) == (count != 0));
}

TEST_CASE("resizing keeps old members and sets new ones as told", "[row_bitset]") {
  const std::size_t from = GENERATE(as<std::size_t>{}, 0, 1, 64, 100),
                    to = GENERATE(as<std::size_t>{}, 0, 1, 64, 65, 100, 300);
  const bool fill = GENERATE(false, true);
  embit::row_bitset set(from);
  for (std::size_t i = 0; i < from; i += 3) set.set(i);
  set.resize(to, fill);
  REQUIRE(set.size() == to);
  for (std::size_t i = 0; i < to; ++i) REQUIRE(set.test(i) == (i < from ? i % 3 == 0 : fill));
  if (!set.data().empty()) CHECK((set.data().back() & ~embit::tail_mask(to)) == 0);
}

TEST_CASE("a bitset refuses rows it does not have", "[row_bitset]") {
  embit::row_bitset set(10, true);
  CHECK(set.count() == 10);
  CHECK_THROWS_WITH(set.set(10), Catch::Matchers::ContainsSubstring("10"));
}
