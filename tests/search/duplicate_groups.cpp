#include <embit/codes/code_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/search/duplicate_groups.hpp>
#include <embit/search/join.hpp>
#include <embit/search/merge_results.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::duplicate_groups;
using embit::row_id;

namespace {

/// Connected components, the slow way: labels that spread until none changes.
std::vector<row_id> brute_roots(embit::code_view<> codes, std::uint32_t radius) {
  std::vector<row_id> roots(codes.size());
  for (row_id row = 0; row < roots.size(); ++row) roots[row] = row;
  for (bool changed = true; changed;) {
    changed = false;
    for (row_id a = 0; a < roots.size(); ++a)
      for (row_id b = 0; b < roots.size(); ++b)
        if (roots[b] < roots[a] && support::hamming_distance(codes[a], codes[b]) <= radius)
          roots[a] = roots[b], changed = true;
  }
  return roots;
}

void require_groups(const duplicate_groups& groups, const std::vector<row_id>& roots) {
  REQUIRE(groups.rows() == roots.size());
  std::size_t next = 0, rows = 0;
  for (row_id row = 0; row < roots.size(); ++row) {
    const auto members = groups.rows_of(groups.group_of(row));
    REQUIRE(members.front() == roots[row]);
    REQUIRE(groups.representative(groups.group_of(row)) == roots[row]);
    REQUIRE(std::find(members.begin(), members.end(), row) != members.end());
    REQUIRE(std::is_sorted(members.begin(), members.end()));
    if (roots[row] == row) REQUIRE(groups.group_of(row) == next++);
  }
  REQUIRE(groups.size() == next);
  REQUIRE(groups.duplicates() == roots.size() - next);
  for (std::size_t g = 0; g < groups.size(); ++g) rows += groups.rows_of(g).size();
  REQUIRE(rows == roots.size());
}

}  // namespace

TEST_CASE("groups are the rows that pairs connect, represented by the smallest", "[duplicate_groups]") {
  embit::rng rng{61};
  for (const auto kind : {support::code_kind::uniform, support::code_kind::clustered, support::code_kind::two_valued,
                          support::code_kind::all_equal})
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{300}}) {
      const auto codes = support::make_codes(n, 33, kind, rng);
      for (const std::uint32_t radius : {0u, 4u, 7u, 33u})
        require_groups(embit::group_duplicates(codes, {.radius = radius}), brute_roots(codes, radius));
      require_groups(embit::group_duplicates(codes, {.radius = 5}, embit::thread_pool(3)), brute_roots(codes, 5));
    }
}

TEST_CASE("groups of codes of any width, in one huge bucket and in fewer rows than buckets", "[duplicate_groups]") {
  embit::rng rng{63};
  for (const std::size_t bits : std::initializer_list<std::size_t>{16, 64, 100, 1000})
    for (const std::size_t n : {std::size_t{5}, std::size_t{150}}) {
      auto codes = support::make_codes(n, bits, support::code_kind::clustered, rng);
      for (std::size_t i = 0; i < n; ++i) {
        if (i % 3 != 0) codes.row(i)[0] &= ~embit::word{0xff};  // most rows in one bucket of the first substring
        if (i > 4 && i % 4 == 0) {
          codes.copy_row(i / 2, codes.row(i));
          codes.row(i)[0] ^= embit::word{1} << i % 16;
        }
      }
      for (const std::uint32_t radius : {0u, 1u, 6u})
        require_groups(embit::group_duplicates(codes, {.radius = radius}, embit::thread_pool(2)),
                       brute_roots(codes, radius));
    }
}

TEST_CASE("a chain of near-duplicates is cut where it leads too far from the representative", "[duplicate_groups]") {
  constexpr std::size_t n = 60;
  embit::code_store<> chain(n + 2, 64);
  for (std::size_t i = 0; i < n; ++i)
    chain.row(i)[0] = (embit::word{1} << i) - 1;  // row i differs from row j in |i - j|
  chain.row(n)[0] = chain.row(3)[0];
  chain.row(n + 1)[0] = chain.row(7)[0];
  CHECK(embit::group_duplicates(chain, {.radius = 1}).size() == 1);
  const auto cut = embit::group_duplicates(chain, {.radius = 1, .largest_distance = 5});
  CHECK(cut.size() == 10);
  for (row_id row = 0; row < n; ++row) {
    const row_id representative = cut.representative(cut.group_of(row));
    CHECK(representative == row / 6 * 6);
  }
  CHECK(cut.group_of(n) == cut.group_of(3));
  CHECK(cut.group_of(n + 1) == cut.group_of(7));
  CHECK(embit::group_duplicates(chain, {.radius = 1, .largest_distance = 0}).duplicates() == 2);
}

TEST_CASE("a million equal codes are one group, at the cost of reading them", "[duplicate_groups]") {
  const embit::code_store<> codes(1'000'000, 64);  // 5e11 pairs
  const auto groups = embit::group_duplicates(codes, {.radius = 3, .largest_distance = 3});
  CHECK(groups.size() == 1);
  CHECK(groups.rows_of(0).size() == codes.size());
}

TEST_CASE("groups made of representatives that are not are refused", "[duplicate_groups]") {
  using list = std::vector<row_id>;
  CHECK(support::refusal([] {
          duplicate_groups(list{0, 0, 3});
        }).starts_with("argument: representatives: row 2 has 3"));
  CHECK(support::refusal([] {
          duplicate_groups(list{0, 0, 1});
        }).starts_with("argument: representatives: row 2 has 1"));
  CHECK(duplicate_groups(list{0, 1, 0}).duplicates() == 1);
  CHECK(duplicate_groups().size() == 0);
}

TEST_CASE("joins, groups and merged results, as users write them", "[duplicate_groups]") {
  embit::rng rng{62};
  auto codes = support::make_codes(900, 128, support::code_kind::uniform, rng);
  for (std::size_t i = 0; i < 100; ++i) codes.copy_row(i, codes.row(500 + 3 * i));
  const embit::code_store<> asked(embit::code_view<>(codes).middle_rows(0, 50));
  const embit::flat_index scan{codes};
  std::size_t pairs = 0, between = 0, brute = 0;
  embit::pairs_within(codes, 10, [&](row_id, row_id, std::uint32_t) { ++pairs; });
  embit::pairs_between(asked, codes, 0, [&](row_id a, row_id b, std::uint32_t) { between += a == b; });
  const embit::duplicate_groups groups = embit::group_duplicates(codes, {.radius = 10});
  scan.pairs_within(10, [&](row_id, row_id, std::uint32_t) { ++brute; });
  CHECK(pairs == brute);
  CHECK(between == 50);
  CHECK(groups.group_of(7) < groups.size());
  CHECK(groups.rows_of(groups.group_of(7)).size() == 2);
  const auto merged = embit::merge_results(scan.search(asked, 5), scan.search(asked, 5), 4000);
  CHECK(merged[0].size() == 5);
  CHECK(merged[0][1].distance == 0);
}
