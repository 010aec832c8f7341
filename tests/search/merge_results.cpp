#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/merge_results.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::merge_results;
using embit::row_id;
using embit::row_label;

namespace {

template <class Distance, class Id>
embit::knn_result<Distance, Id> one_query(std::size_t k, const std::vector<embit::neighbor<Distance, Id>>& list) {
  embit::knn_result<Distance, Id> result;
  result.reset(1, k);
  result.assign(0, list);
  return result;
}

}  // namespace

TEST_CASE("the merged results of shards are those of one index", "[merge_results]") {
  embit::rng rng{51};
  const auto codes = support::make_codes(900, 48, support::code_kind::clustered, rng),
             queries = support::make_codes(20, 48, support::code_kind::clustered, rng);
  const embit::flat_index whole{codes};
  const embit::code_view<> view(codes);
  const std::vector<std::size_t> offsets{0, 100, 700};
  const std::vector<embit::flat_index<>> shards{embit::flat_index<>(view.middle_rows(0, 100)),
                                                embit::flat_index<>(view.middle_rows(100, 600)),
                                                embit::flat_index<>(view.middle_rows(700, 200))};
  for (const std::size_t k : {std::size_t{1}, std::size_t{10}, std::size_t{150}}) {
    std::vector<embit::knn_result<std::uint32_t>> nearest;
    std::vector<embit::range_result<std::uint32_t>> within;
    for (const auto& shard : shards) {
      nearest.push_back(shard.search(queries, k));
      within.push_back(shard.range_search(queries, 20));
    }
    const auto expected = whole.search(queries, k), merged = merge_results(nearest, offsets),
               in_steps = merge_results(merge_results(nearest[0], nearest[1], 100), nearest[2], 700);
    const auto all = whole.range_search(queries, 20), merged_all = merge_results(within, offsets),
               two = merge_results(merge_results(within[0], within[1], 100), within[2], 700);
    CHECK(merged.k() == k);
    CHECK(all.total() > 0);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      REQUIRE(std::ranges::equal(merged[q], expected[q]));
      REQUIRE(std::ranges::equal(in_steps[q], expected[q]));
      REQUIRE(std::ranges::equal(merged_all[q], all[q]));
      REQUIRE(std::ranges::equal(two[q], all[q]));
    }
  }
}

TEST_CASE("similarities are merged by their order, labels once", "[merge_results]") {
  using scored = embit::neighbor<float>;
  const auto a = one_query<float, row_id>(2, {{4, 0.9f}, {1, 0.5f}}),
             b = one_query<float, row_id>(3, {{0, 0.9f}, {2, 0.7f}, {3, 0.5f}});
  const auto merged = merge_results<std::greater<>>(a, b, 10);
  CHECK(merged.k() == 3);
  CHECK(std::ranges::equal(merged[0], std::vector<scored>{{4, 0.9f}, {10, 0.9f}, {12, 0.7f}}));

  using labelled = embit::neighbor<std::uint32_t, row_label>;
  const row_label big = row_label{1} << 50;
  const auto x = one_query<std::uint32_t, row_label>(3, {{big, 1}, {7, 4}, {9, 6}}),
             y = one_query<std::uint32_t, row_label>(4, {{3, 1}, {7, 2}, {big, 5}, {9, 6}});
  const std::vector<labelled> expected{{big, 1}, {3, 1}, {7, 2}, {9, 6}};
  CHECK(std::ranges::equal(merge_results(x, y)[0], expected));
  CHECK(std::ranges::equal(merge_results(std::vector{x, y, x})[0], expected));
}

TEST_CASE("results that do not fit each other are refused", "[merge_results]") {
  const auto a = one_query<std::uint32_t, row_id>(1, {{5, 0}});
  embit::knn_result<std::uint32_t> none;
  CHECK(support::refusal([&] { merge_results(a, none, 1); }).starts_with("shape: results: shard 1 has 0 queries"));
  CHECK(support::refusal([&] { merge_results(std::vector{a}, {0, 1}); }).starts_with("shape: offsets: 2 for"));
  const std::size_t last = 0xffff'ffff - 1 - 5;
  CHECK(merge_results(a, a, last)[0][0].id == 5);
  CHECK(merge_results(std::vector{a}, {last})[0][0].id == 0xffff'fffe);
  for (const std::size_t offset : {last + 1, std::size_t{1} << 32, ~std::size_t{0}})
    CHECK(support::refusal([&] { merge_results(a, a, offset); }).starts_with("argument: offset: row 5 + "));
  CHECK(merge_results(std::vector<embit::knn_result<std::uint32_t>>{}, {}).queries() == 0);
  CHECK(merge_results(none, none, 9).queries() == 0);
}
