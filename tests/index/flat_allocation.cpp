// What searches allocate, which is nothing when they are repeated: counted through the global operator new of this test
// program.
#include <embit/index/flat.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>

#include <concepts>

#include <support/catch.hpp>
#include <support/codes.hpp>

#include <support/counting_new.hpp>

TEST_CASE("search_into allocates nothing once it is warm", "[flat]") {
  embit::rng rng{1};
  const std::size_t queries = GENERATE(as<std::size_t>{}, 1, 16, 300);
  const auto codes = support::make_codes(4000, 256, support::code_kind::clustered, rng);
  const embit::flat_index index{codes};
  const auto asked = codes.view().middle_rows(0, queries);
  embit::knn_result<std::uint32_t> result;
  for (int warm = 0; warm < 3; ++warm) index.search_into(asked, 10, result);
  const std::size_t before = support::allocations();
  for (int again = 0; again < 5; ++again) index.search_into(asked, 10, result);
  CHECK(support::allocations() == before);
  CHECK(result[0][0].distance == 0);
}

namespace {

// Bytes asked for while `search` runs.
template <class Search>
std::size_t bytes_of(Search&& search) {
  const std::size_t before = support::allocated_bytes();
  search();
  return support::allocated_bytes() - before;
}

}  // namespace

TEMPLATE_TEST_CASE("memory follows what was found, not what was asked for", "[flat][multi_index][lsh_table]",
                   embit::flat_index<>, embit::multi_index<>, embit::lsh_table<>) {
  constexpr std::size_t rows = 30'000, queries = 300;
  embit::rng rng{2};
  const auto codes = support::make_codes(rows, 64, support::code_kind::uniform, rng);
  const TestType index = [&] {
    if constexpr (std::same_as<TestType, embit::lsh_table<>>)
      return TestType(codes, {.tables = 4, .bits = 4, .probes = 16});
    else
      return TestType(codes);
  }();
  const auto asked = codes.view().middle_rows(0, queries);
  const auto few = [](embit::row_id row) { return row < 5; };
  embit::knn_result<std::uint32_t> result;
  // 300 · 30,000 · 8 bytes are 72 MB, one row that is found in vain is next to nothing.
  CHECK(bytes_of([&] { index.search_into(asked, index.size(), result, few); }) < std::size_t{3} << 20);
  for (std::size_t q = 0; q < queries; ++q) REQUIRE(result[q].size() == 5);
  CHECK(result.memory() < std::size_t{1} << 20);

  index.search_into(asked.middle_rows(0, 100), index.size(), result);
  for (std::size_t q = 0; q < 100; ++q) REQUIRE(result[q].size() == rows);
  CHECK(result.memory() < 100 * (rows * 8 + 100));
  CHECK(index.memory().lists < std::size_t{2} << 20);  // they took 24 MB
  CHECK(index.memory().total() - index.memory().lists < rows * 200);
  for (int warm = 0; warm < 2; ++warm) index.search_into(asked, 100, result);
  CHECK(bytes_of([&] { index.search_into(asked, 100, result); }) == 0);
}
