// The nearest groups of rows are those that a search of all rows, and then the best of each group, would give.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/search_groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

using embit::row_id;
using embit::search_groups;

namespace {

// By a list of every row that the filter lets through.
template <class Index, class Of, class Filter>
auto best_of_each(const Index& index, const typename Index::query_view& queries, std::size_t k, const Of& group_of,
                  const Filter& filter) {
  const auto all = index.search(queries, (std::max)(index.size(), std::size_t{1}), filter);
  std::vector<std::vector<typename Index::neighbor_type>> best(queries.size());
  for (std::size_t q = 0; q < queries.size(); ++q) {
    std::set<std::uint64_t> groups;
    for (const auto& row : all[q])
      if (best[q].size() < k && groups.insert(group_of(row.id)).second) best[q].push_back(row);
  }
  return best;
}

template <class Index, class Of, class Filter>
void require_groups(const Index& index, const typename Index::query_view& queries, const Of& group_of,
                    const Filter& filter) {
  for (const std::size_t k : {1u, 2u, 5u, 40u, 2000u}) {
    const auto found = search_groups(index, queries, k, group_of, filter);
    const auto expected = best_of_each(index, queries, k, group_of, filter);
    REQUIRE(found.queries() == queries.size());
    for (std::size_t q = 0; q < queries.size(); ++q)
      CHECK(std::equal(found[q].begin(), found[q].end(), expected[q].begin(), expected[q].end()));
  }
}

// Every kind of filter, with rows of a group here and there, and then a group that is nearer than all the others.
template <class Index>
void require_all(const Index& index, const typename Index::query_view& queries) {
  embit::row_bitset third(index.rows());
  for (std::size_t row = 0; row < index.rows(); row += 3) third.set(row);
  const auto spread = [](row_id row) { return row % 37; };
  const auto one_large = [](row_id row) { return row % 8 == 0 ? row / 8 : 1000000u; };
  const auto check = [&](const auto& group_of) {
    require_groups(index, queries, group_of, embit::accept_all{});
    require_groups(index, queries, group_of, third);
    require_groups(index, queries, group_of, [](row_id row) { return row % 5 != 1; });
    require_groups(index, queries, group_of, [](std::size_t query, row_id row) { return row % 5 != query; });
  };
  check(spread);
  check(one_large);
}

}  // namespace

TEST_CASE("the nearest groups are those of an exhaustive search") {
  embit::rng rng{1};
  const auto codes = support::make_codes(513, 64, support::code_kind::uniform, rng),
             queries = support::make_codes(7, 64, support::code_kind::uniform, rng);
  require_all(embit::flat_index{codes}, queries);
  require_all(embit::multi_index{codes}, queries);
  embit::flat_index some{codes};
  for (row_id row = 0; row < 400; row += 2) some.remove(row);
  require_all(some, queries);
}

TEST_CASE("one group of equal rows, no rows, and more groups than there are") {
  embit::rng rng{2};
  const embit::flat_index equal{embit::code_store<>(300, 64)};
  const auto queries = support::make_codes(3, 64, support::code_kind::uniform, rng);
  const auto same = search_groups(equal, queries, 4, [](row_id) { return 7; });
  for (const auto list : same) {
    REQUIRE(list.size() == 1);
    CHECK(list[0].id == 0);
  }
  const auto own = search_groups(equal, queries, 1000, [](row_id row) { return row; });
  CHECK(own[2].size() == 300);
  CHECK(own[2][299].id == 299);
  CHECK(search_groups(embit::flat_index{embit::code_store<>(0, 64)}, queries, 4, [](row_id) { return 7; })[0].empty());
  CHECK(search_groups(equal, queries.view().middle_rows(0, 0), 4, [](row_id) { return 7; }).queries() == 0);
}

TEST_CASE("groups of labels, and of floats") {
  embit::rng rng{3};
  embit::matrix<float> rows(200, 8), queries(5, 8);
  for (auto& x : rows.values()) x = embit::normal(rng);
  for (auto& x : queries.values()) x = embit::normal(rng);
  std::vector<embit::row_label> labels(200);
  for (std::size_t i = 0; i < 200; ++i) labels[i] = (std::uint64_t{i % 9} << 40) + i;
  const embit::labelled_index index{embit::flat_index{rows, embit::l2{}}, labels};
  const auto group_of = [](embit::row_label label) { return label >> 40; };
  require_groups(index, queries, group_of, embit::accept_all{});
  require_groups(index, queries, group_of, [](embit::row_label label) { return label % 2 == 0; });
}

TEST_CASE("an index that does not look at all rows finds the groups of those it looks at") {
  embit::rng rng{4};
  const auto codes = support::make_codes(2000, 128, support::code_kind::uniform, rng);
  const auto queries = codes.view().middle_rows(40, 6);
  const auto group_of = [](row_id row) { return row / 10; };
  const embit::ivf_index lists{codes, {.lists = 20}, rng};
  const embit::lsh_table tables{codes, {.tables = 4, .bits = 10}};
  const embit::prefix_index nested{codes, {64, 128}};
  for (std::size_t q = 0; q < 6; ++q) {
    const auto itself = static_cast<row_id>(40 + q);
    CHECK(search_groups(lists, {queries, 3}, 3, group_of)[q][0].id == itself);
    CHECK(search_groups(tables, queries, 3, group_of)[q][0].id == itself);
    CHECK(search_groups(nested, {queries, {{64, 100}, {128, 100}}}, 3, group_of)[q][0].id == itself);
  }
  const auto all = search_groups(lists, {queries, 20}, 30, group_of);
  const auto exact = search_groups(embit::flat_index{codes}, queries, 30, group_of);
  for (std::size_t q = 0; q < 6; ++q) CHECK(std::equal(all[q].begin(), all[q].end(), exact[q].begin(), exact[q].end()));
}

TEST_CASE("no groups are asked for") {
  const embit::flat_index index{embit::code_store<>(3, 64)};
  const auto refused =
      support::refusal([&] { search_groups(index, embit::code_store<>(1, 64), 0, [](row_id) { return 1; }); });
  CHECK(refused == "argument: k: 0, but at least 1 neighbour must be asked for");
}
