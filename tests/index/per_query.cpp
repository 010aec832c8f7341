// A filter, a number of neighbours and a radius for each query of a batch: a batch gives what single searches give.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/scoped_executor.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/any_index.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/row_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/normal_rows.hpp>
#include <support/numbers.hpp>
#include <support/refusal.hpp>

using embit::row_id, embit::row_label;
using support::refusal;

namespace {

template <class A, class B>
void check_list(const A& found, const B& expected) {
  REQUIRE(found.size() == expected.size());
  REQUIRE(std::equal(found.begin(), found.end(), expected.begin()));
}

// Each query sees another share of the rows, the first none, and asks for another k and radius.
bool sees(std::size_t query, row_id row) { return row * 2654435761u % 16 < query % 17; }

/// @param radii  one a query
template <bool Exact = true, class Index, class Queries, class Distance>
void check_batch(const Index& index, const Queries& queries, const std::vector<Distance>& radii) {
  const std::size_t nq = queries.size();
  std::vector<std::size_t> k(nq);
  for (std::size_t q = 0; q < nq; ++q) k[q] = 1 + q * 7 % 40;
  const std::size_t most =
      *std::ranges::max_element(k);  // an index that looks further for more neighbours does for all
  const auto filter = [](std::size_t query, row_id row) { return sees(query, row); };
  const auto nearest = index.search(queries, std::span<const std::size_t>(k), filter);
  const auto same_k = index.search(queries, 9, filter);
  const auto within = index.range_search(queries, std::span<const Distance>(radii), filter);
  const auto all = index.range_search(queries, std::span<const Distance>(radii));
  REQUIRE(nearest.queries() == nq);
  REQUIRE(within.queries() == nq);
  for (std::size_t q = 0; q < nq; ++q) {
    const auto mine = [q](row_id row) { return sees(q, row); };
    const auto one = queries.middle_rows(q, 1);
    const auto longest = index.search(one, Exact ? k[q] : most, mine);
    check_list(nearest[q], longest[0].first(std::min(k[q], longest[0].size())));
    check_list(same_k[q], index.search(one, 9, mine)[0]);
    check_list(within[q], index.range_search(one, radii[q], mine)[0]);
    check_list(all[q], index.range_search(one, radii[q])[0]);
  }
}

template <bool Exact = true, class Index>
void check_codes(Index index, const embit::code_store<>& queries) {
  for (row_id row = 0; row < index.rows(); row += 5) index.remove(row);
  std::vector<typename Index::distance_type> radii(queries.size());
  for (std::size_t q = 0; q < radii.size(); ++q)
    radii[q] = static_cast<typename Index::distance_type>(
        std::is_integral_v<typename Index::distance_type> ? static_cast<double>(q % 30) : .1 + .02 * double(q % 30));
  check_batch<Exact>(index, queries.view(), radii);
}

}  // namespace

TEST_CASE("a batch with a filter, a k and a radius for each query finds what single searches find", "[threads]") {
  embit::rng rng{11};
  for (const std::size_t rows : {0u, 1u, 7u, 513u, 3000u}) {
    const auto codes = support::make_codes(rows, 100, support::code_kind::clustered, rng);
    auto queries = support::make_codes(40, 100, support::code_kind::uniform, rng);
    for (std::size_t q = 0; q < queries.size() && rows != 0; q += 2) codes.copy_row(q % rows, queries.row(q));
    check_codes(embit::flat_index{codes}, queries);
    check_codes(embit::flat_index{codes, embit::hamming{}, embit::thread_pool{3}}, queries);
    check_codes(embit::flat_index{codes, embit::jaccard{}}, queries);
    check_codes(embit::multi_index{codes}, queries);
    check_codes(embit::multi_index{codes, {.substrings = 7, .bail_out = false}}, queries);
    if (rows != 0) {
      const std::size_t lists = std::min<std::size_t>(rows, 20);
      check_codes<false>(embit::ivf_index{codes, {.lists = lists, .probes = std::min<std::size_t>(lists, 3)}, rng},
                         queries);
    }
    check_codes(embit::lsh_table{codes, {.tables = 5, .bits = 8, .probes = 9}}, queries);
  }
}

TEST_CASE("rows of floats are filtered for each query as codes are") {
  const auto x = support::normal_rows(600, 8, 1), y = support::normal_rows(33, 8, 2);
  std::vector<float> radii(33);
  for (std::size_t q = 0; q < radii.size(); ++q) radii[q] = .5f * static_cast<float>(q);
  check_batch(embit::flat_index{x, embit::l2{}}, y.view(), radii);
}

TEST_CASE("queries that give up their tables keep their own filters") {
  embit::rng rng{5};
  const auto codes = support::make_codes(20000, 64, support::code_kind::uniform, rng);
  const auto queries = support::make_codes(24, 64, support::code_kind::uniform, rng);
  const embit::multi_index index{codes, {.substrings = 4}};
  embit::multi_index_statistics did;
  const auto filter = [](std::size_t query, row_id row) { return sees(query + 3, row); };
  const auto found = index.search(queries, 5, filter, &did);
  CHECK(did.bailed_out + did.probed + did.scanned == queries.size());
  const auto expected = embit::flat_index{codes}.search(queries, 5, filter);
  for (std::size_t q = 0; q < queries.size(); ++q) check_list(found[q], expected[q]);
}

TEST_CASE("labels are filtered for each query, and through an index of any type") {
  embit::rng rng{7};
  const auto codes = support::make_codes(300, 64, support::code_kind::clustered, rng);
  const auto queries = codes.view().middle_rows(0, 20);
  std::vector<row_label> labels(300);
  std::iota(labels.begin(), labels.end(), row_label{1} << 40);
  const embit::flat_index flat{codes};
  const embit::labelled_index index{flat, labels};
  const embit::any_index any{flat};
  const auto by_label = [](std::size_t query, row_label label) { return label % 20 == query; };
  const auto by_rows = [](std::size_t query, row_id row) { return ((row_label{1} << 40) + row) % 20 == query; };
  const auto found = index.search(queries, 4, by_label);
  const auto within = index.range_search(queries, 30, by_label);
  const auto rows = flat.search(queries, 4, by_rows), erased = any.search(queries, 4, by_rows);
  const auto given = index.search(queries, 4, embit::by_row{by_rows});
  for (std::size_t q = 0; q < queries.size(); ++q) {
    REQUIRE(found[q].size() == 4);
    check_list(erased[q], rows[q]);
    check_list(given[q], found[q]);
    check_list(within[q],
               index.range_search(queries.middle_rows(q, 1), 30, [q](row_label label) { return label % 20 == q; })[0]);
    for (std::size_t i = 0; i < 4; ++i) CHECK(found[q][i].id == labels[rows[q][i].id]);
  }
  // A label has 64 bits: a filter that takes fewer is none.
  const auto narrow = [](std::size_t, std::uint32_t) { return true; };
  STATIC_REQUIRE_FALSE(embit::LabelFilter<decltype(narrow)>);
  const auto narrow_row = [](std::size_t, std::uint16_t) { return true; };
  STATIC_REQUIRE_FALSE(embit::SearchFilter<decltype(narrow_row)>);
}

TEST_CASE("a list of rows is a filter, scored alone where it is short") {
  embit::rng rng{3};
  for (const std::size_t rows : {1u, 64u, 513u, 5000u}) {
    const auto codes = support::make_codes(rows, 127, support::code_kind::clustered, rng);
    const auto queries = support::make_codes(9, 127, support::code_kind::uniform, rng);
    for (const std::size_t members : {0u, 1u, 40u, 4000u}) {
      std::vector<row_id> chosen(members);
      for (row_id& row : chosen) row = static_cast<row_id>(embit::uniform_index(rng, rows));
      const embit::row_list list(chosen);
      const auto bits = list.bitset(rows);
      CHECK(bits.count() == list.size());
      const auto check = [&](auto index) {
        for (row_id row = 0; row < rows; row += 3) index.remove(row);
        const auto found = index.search(queries, 20, list), expected = index.search(queries, 20, bits);
        const auto near = index.range_search(queries, 64, list), expected_near = index.range_search(queries, 64, bits);
        for (std::size_t q = 0; q < queries.size(); ++q) {
          check_list(found[q], expected[q]);
          check_list(near[q], expected_near[q]);
        }
      };
      check(embit::flat_index{codes});
      check(embit::multi_index{codes, {.substrings = 8}});
      check(embit::lsh_table{codes, {.tables = 4, .bits = 8, .probes = 30}});
      const embit::flat_index sets{codes, embit::jaccard{}};
      const auto found = sets.search(queries, 20, list), expected = sets.search(queries, 20, bits);
      for (std::size_t q = 0; q < queries.size(); ++q) check_list(found[q], expected[q]);
    }
    embit::search_statistics did;
    (void)embit::flat_index{codes}.search(queries, 3, embit::row_list(std::vector<row_id>{0}), &did);
    if (rows > 64) CHECK(did.rows_scanned == queries.size());
  }
}

TEST_CASE("labels that are allowed become rows once, those that nobody has left out") {
  embit::rng rng{3};
  const auto codes = support::make_codes(500, 64, support::code_kind::uniform, rng);
  std::vector<row_label> labels(500);
  std::iota(labels.begin(), labels.end(), row_label{1} << 50);
  embit::labelled_index index{embit::flat_index{codes}, labels};
  index.remove(labels[7]);
  const std::vector<row_label> allowed{labels[400], labels[3], labels[7], 12, labels[3]};
  const auto rows = index.labels_to_rows(allowed);
  CHECK(std::ranges::equal(rows.rows(), std::vector<row_id>{3, 400}));
  const auto found = index.search(codes, 5, embit::by_row{rows});
  REQUIRE(found[3].size() == 2);
  CHECK(found[3][0].id == labels[3]);
  CHECK(found[3][1].id == labels[400]);
}

TEST_CASE("a stored row is a query that does not find itself") {
  embit::rng rng{9};
  const auto codes = support::make_codes(400, 70, support::code_kind::clustered, rng);
  std::vector<row_label> labels(400);
  std::iota(labels.begin(), labels.end(), row_label{5000});
  const std::vector<row_id> asked{7, 399, 7, 0};
  const auto even = [](row_id row) { return row % 2 == 0; };
  const auto check = [&](const auto& index, const auto& rows) {
    const auto found = index.search_rows(asked, 6), filtered = index.search_rows(asked, 6, even);
    for (std::size_t q = 0; q < asked.size(); ++q) {
      const auto query = rows.middle_rows(asked[q], 1);
      check_list(found[q], index.search(query, 6, [&](row_id row) { return row != asked[q]; })[0]);
      check_list(filtered[q], index.search(query, 6, [&](row_id row) { return row != asked[q] && even(row); })[0]);
    }
  };
  check(embit::flat_index{codes}, codes.view());
  check(embit::flat_index{codes, embit::jaccard{}}, codes.view());
  check(embit::multi_index{codes}, codes.view());
  check(embit::lsh_table{codes, {.tables = 4, .bits = 8, .probes = 30}}, codes.view());
  const auto x = support::normal_rows(400, 8, 1);
  check(embit::flat_index{x, embit::l2{}}, x.view());

  embit::labelled_index index{embit::flat_index{codes}, labels};
  const std::vector<row_label> named{5007, 5000};
  const auto found = index.search_labels(named, 3);
  const auto rows = index.index().search_rows(std::vector<row_id>{7, 0}, 3);
  for (std::size_t q = 0; q < 2; ++q)
    for (std::size_t i = 0; i < 3; ++i) CHECK(found[q][i].id == labels[rows[q][i].id]);
  CHECK(index.search_labels(named, 3, [](row_label l) { return l == 5001; })[1].size() == 1);
  CHECK(refusal([&] { index.search_labels(std::vector<row_label>{4999}, 3); }) ==
        "out_of_range: label: no row has 4999");
  index.remove(5007);
  CHECK(refusal([&] { index.search_labels(named, 3); }) == "out_of_range: label: no row has 5007");
  CHECK(refusal([&] { index.index().search_rows(asked, 3); }) == "out_of_range: row: 7 was removed");
  CHECK(refusal([&] { index.index().search_rows(std::vector<row_id>{400}, 3); }).starts_with("out_of_range: row: 400"));
}

TEST_CASE("one for each query is one for each query") {
  const embit::code_store<> codes(3, 64);
  const embit::flat_index index{codes};
  const std::vector<std::size_t> two(2, 1), zero{1, 0, 1};
  const std::vector<std::uint32_t> radii(4, 1);
  CHECK(refusal([&] { index.search(codes, two); }) == "shape: k: 2 for a batch of 3 queries");
  CHECK(refusal([&] { index.search(codes, zero); }).starts_with("argument: k: 0"));
  CHECK(refusal([&] { index.range_search(codes, radii); }) == "shape: radii: 4 for a batch of 3 queries");
  CHECK(refusal([&] {
          index.search(codes, 1, embit::row_list(std::vector<row_id>{1, 3}));
        }) == "out_of_range: filter: row 3, the index has 3 rows");
  const auto x = support::normal_rows(3, 4, 1);
  const std::vector<float> bad{1, -support::infinity(), 1};
  CHECK(refusal([&] { embit::flat_index{x}.range_search(x, bad); }).starts_with("not_finite: threshold"));
  const auto throwing = [](std::size_t, row_id) -> bool { throw std::runtime_error("no"); };
  CHECK_THROWS_AS(index.search(codes, 1, throwing), std::runtime_error);
}

TEST_CASE("wrappers pass a number of neighbours and a radius for each query on") {
  embit::rng rng{31};
  const auto codes = support::make_codes(300, 64, support::code_kind::clustered, rng);
  const embit::flat_index flat{codes};
  const auto queries = codes.view().middle_rows(0, 20);
  std::vector<std::size_t> k(20);
  std::vector<std::uint32_t> radii(20);
  std::iota(k.begin(), k.end(), std::size_t{1});
  for (std::size_t q = 0; q < radii.size(); ++q) radii[q] = static_cast<std::uint32_t>(2 * q);
  const std::span<const std::size_t> each_k(k);
  const std::span<const std::uint32_t> each_radius(radii);
  const auto nearest = flat.search(queries, each_k);
  const auto within = flat.range_search(queries, each_radius);
  const auto check = [&](const auto& index, std::uint64_t first) {
    const auto found = index.search(queries, each_k);
    const auto near_ones = index.range_search(queries, each_radius);
    for (std::size_t q = 0; q < queries.size(); ++q) {
      REQUIRE(found[q].size() == nearest[q].size());
      for (std::size_t i = 0; i < found[q].size(); ++i) CHECK(found[q][i].id == nearest[q][i].id + first);
      REQUIRE(near_ones[q].size() == within[q].size());
      for (std::size_t i = 0; i < within[q].size(); ++i) CHECK(near_ones[q][i].id == within[q][i].id + first);
    }
    CHECK(support::contains(refusal([&] { index.search(queries, each_k.first(3)); }), "shape: k: 3"));
    CHECK(support::contains(refusal([&] { index.range_search(queries, each_radius.first(3)); }), "shape: radii: 3"));
  };
  check(flat, 0);
  check(embit::versioned_index{flat, 1}, 0);
  check(embit::concurrent_index{flat}, 0);
  const embit::any_index any{flat};
  check(any, 0);
  std::vector<row_label> labels(300);
  std::iota(labels.begin(), labels.end(), row_label{1000});
  check(embit::labelled_index{flat, labels}, 1000);

  std::size_t pairs = 0, expected = 0;
  const auto count = [](std::size_t& counted) { return [&counted](row_id, row_id, std::uint32_t) { ++counted; }; };
  any.pairs_within(12, count(pairs));
  flat.pairs_within(12, count(expected));
  CHECK(expected > 0);
  CHECK(pairs == expected);
  std::size_t told = 0;
  any.pairs_within(12, [&](row_id, row_id, std::uint32_t) { return ++told < 3; });
  CHECK(told == 3);
}

TEST_CASE("threads are given for a search, through all that is around an index", "[threads]") {
  embit::rng rng{21};
  const auto codes = support::make_codes(3000, 64, support::code_kind::clustered, rng);
  std::vector<row_label> labels(codes.size());
  std::iota(labels.begin(), labels.end(), row_label{1} << 40);
  const embit::labelled_index index{embit::flat_index{codes, embit::scoped_executor{}}, labels};
  const auto alone = index.search(codes, 5);
  const embit::thread_pool pool{3};
  const embit::executor_scope threads(pool);
  const auto together = index.search(codes, 5);
  for (std::size_t q = 0; q < codes.size(); ++q)
    REQUIRE(std::equal(alone[q].begin(), alone[q].end(), together[q].begin(), together[q].end()));
}
