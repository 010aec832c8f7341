#include <embit/core/matrix.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>

#include <algorithm>
#include <functional>
#include <set>
#include <tuple>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/matchers.hpp>

using namespace support;

namespace {

// A user's kernel: rows, floats, no tiles.
struct weighted_hamming {
  using query_view = embit::code_view<>;
  using distance_type = float;
  using compare = std::less<>;
  float weight = 1.5f;
  std::span<const embit::word> prepare(std::span<const embit::word> query) const noexcept { return query; }
  float operator()(std::span<const embit::word> q, std::span<const embit::word> c) const noexcept {
    return weight * static_cast<float>(hamming_distance(q, c));
  }
};

// A user's executor in a few lines, which interleaves what it runs.
struct backwards {
  std::size_t concurrency() const { return 3; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    for (std::size_t i = items; i-- > 0;) f(i, i % 3);
  }
};

template <class Index>
void require_equal_to_sorting(const Index& index, embit::code_view<> codes, embit::code_view<> queries, std::size_t k) {
  const auto found = index.search(queries, k);
  REQUIRE(found.queries() == queries.size());
  for (std::size_t q = 0; q < queries.size(); ++q) REQUIRE(is_prefix(found[q], sort_by_hamming(codes, queries[q]), k));
}

}  // namespace

static_assert(embit::RangeIndex<embit::flat_index<>> && embit::MutableIndex<embit::flat_index<>>);
static_assert(std::same_as<decltype(embit::flat_index{embit::code_store<>(1, 8)}),
                           embit::flat_index<embit::block_store<>, embit::hamming>>);
static_assert(std::same_as<decltype(embit::flat_index{embit::code_view<>()}), embit::flat_index<>>);
static_assert(std::same_as<decltype(embit::flat_index{embit::code_store<>(1, 8), weighted_hamming{}}),
                           embit::flat_index<embit::code_store<>, weighted_hamming>>);

TEST_CASE("flat search is sorting by (distance, row), whatever the shape", "[flat][threads]") {
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 63, 64, 65, 127, 256, 1000);
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513, 3000);
  const auto kind = GENERATE(code_kind::uniform, code_kind::clustered, code_kind::two_valued, code_kind::all_equal);
  const auto codes = make_codes(n, bits, kind, rng);
  const auto queries = make_codes(40, bits, kind, rng);
  const embit::flat_index index{codes};
  const embit::flat_index pooled{codes, embit::hamming{}, embit::thread_pool{2}};
  const embit::flat_index odd{codes, embit::hamming{}, backwards{}};
  for (const std::size_t k : {1u, 10u, 4000u}) {
    require_equal_to_sorting(index, codes, queries, k);
    require_equal_to_sorting(pooled, codes, queries, k);
    require_equal_to_sorting(odd, codes, queries.view().middle_rows(0, 2), k);
  }
}

TEST_CASE("one query, a few and very many give the same lists", "[flat][threads]") {
  embit::rng rng{2};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 64, 256, 320);
  const auto codes = make_codes(5000, bits, code_kind::clustered, rng),
             queries = make_codes(1500, bits, code_kind::clustered, rng);
  const embit::flat_index index{codes};
  const embit::flat_index pooled{codes, embit::hamming{}, embit::thread_pool{2}};
  const auto all = index.search(queries, 10), shared = pooled.search(queries, 10);
  for (std::size_t q = 0; q < queries.size(); ++q) REQUIRE(std::ranges::equal(all[q], shared[q]));
  for (const std::size_t batch : {1u, 3u, 17u, 100u}) {
    const auto some = index.search(queries.view().middle_rows(700, batch), 10);
    for (std::size_t q = 0; q < batch; ++q) REQUIRE(std::ranges::equal(all[700 + q], some[q]));
  }
}

TEST_CASE("range search finds all within the radius, the radius included", "[flat][threads]") {
  embit::rng rng{3};
  const auto codes = make_codes(2000, 96, code_kind::clustered, rng),
             queries = make_codes(30, 96, code_kind::clustered, rng);
  const embit::flat_index pooled{codes, embit::hamming{}, embit::thread_pool{2}};
  for (const std::uint32_t radius : {0u, 11u, 30u, 96u, 4000000000u}) {
    const auto found = pooled.range_search(queries, radius);
    REQUIRE(found.queries() == 30);
    for (std::size_t q = 0; q < 30; ++q) {
      auto expected = sort_by_hamming(codes, queries[q]);
      std::erase_if(expected, [&](const auto& n) { return n.distance > radius; });
      REQUIRE(std::ranges::equal(found[q], expected));
    }
  }
}

TEST_CASE("rows within a radius are those of a range search, in the order of the rows", "[flat][threads]") {
  embit::rng rng{13};
  const auto codes = make_codes(2000, 96, code_kind::clustered, rng),
             queries = make_codes(70, 96, code_kind::clustered, rng);
  embit::flat_index alone{codes};
  embit::flat_index pooled{codes, embit::hamming{}, embit::thread_pool{3}};
  for (embit::row_id row = 0; row < 300; ++row) {
    alone.remove(row * 3);
    pooled.remove(row * 3);
  }
  const auto even = [](embit::row_id row) { return row % 2 == 0; };
  for (const std::uint32_t radius : {0u, 30u, 96u}) {
    const auto sorted = alone.range_search(queries, radius, even);
    embit::search_statistics did;
    const auto found = alone.rows_within(queries, radius, even, &did),
               shared = pooled.rows_within(queries, radius, even);
    REQUIRE(found.queries() == queries.size());
    REQUIRE(found.total() == sorted.total());
    CHECK(did.offers == found.total());
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::vector<embit::neighbor<std::uint32_t>> expected(sorted[q].begin(), sorted[q].end());
      std::ranges::sort(expected, {}, &embit::neighbor<std::uint32_t>::id);
      REQUIRE(std::ranges::equal(found[q], expected));
      REQUIRE(std::ranges::equal(shared[q], expected));
    }
  }
  const embit::flat_index by_rows{codes, weighted_hamming{}};
  const auto near = by_rows.rows_within(queries, 1.5f * 30);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    CHECK(near[q].size() == embit::flat_index{codes}.range_search(queries.view().middle_rows(q, 1), 30)[0].size());
    CHECK(std::ranges::is_sorted(near[q], {}, &embit::neighbor<float>::id));
  }
  CHECK(embit::flat_index<>().rows_within(embit::code_view<>(), 5).total() == 0);
}

TEST_CASE("filters: a predicate, a bitset, a bitset of few, and none left", "[flat]") {
  embit::rng rng{4};
  const auto codes = make_codes(6000, 128, code_kind::clustered, rng),
             queries = make_codes(20, 128, code_kind::clustered, rng);
  const embit::flat_index index{codes};
  const auto modulus = GENERATE(2u, 100u, 3000u, 100000u);
  const auto accepts = [&](embit::row_id row) { return row % modulus == 1; };
  embit::row_bitset set(codes.size());
  for (std::size_t row = 0; row < codes.size(); ++row) set.set(row, accepts(static_cast<embit::row_id>(row)));
  embit::search_statistics statistics;
  const auto by_predicate = index.search(queries, 10, accepts), by_set = index.search(queries, 10, set, &statistics);
  const auto near = index.range_search(queries, 30, set);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    auto expected = sort_by_hamming(codes, queries[q], accepts);
    REQUIRE(is_prefix(by_predicate[q], expected, 10));
    REQUIRE(is_prefix(by_set[q], expected, 10));
    std::erase_if(expected, [](const auto& n) { return n.distance > 30; });
    REQUIRE(std::ranges::equal(near[q], expected));
  }
  CHECK(statistics.rows_scanned + statistics.rows_skipped == queries.size() * codes.size());
  if (modulus >= 3000) CHECK(statistics.rows_skipped > statistics.rows_scanned);
}

TEST_CASE("rows come and go, and compact renumbers them", "[flat]") {
  embit::rng rng{5};
  const auto codes = make_codes(1500, 100, code_kind::clustered, rng);
  embit::flat_index index{embit::code_store<>(codes.view().middle_rows(0, 400))};
  CHECK(index.add(codes.view().middle_rows(400, 1100)) == 400);
  REQUIRE(index.size() == 1500);
  std::set<embit::row_id> removed;
  for (int i = 0; i < 600; ++i) {
    const auto row = static_cast<embit::row_id>(embit::uniform_index(rng, 1500));
    CHECK(index.remove(row) == removed.insert(row).second);
  }
  const auto alive = [&](embit::row_id row) { return removed.count(row) == 0; };
  CHECK(index.size() == 1500 - removed.size());
  for (embit::row_id row = 0; row < 1500; ++row) REQUIRE(index.contains(row) == alive(row));
  const auto queries = codes.view().middle_rows(0, 30);
  const auto before = index.search(queries, 12);
  for (std::size_t q = 0; q < 30; ++q) REQUIRE(is_prefix(before[q], sort_by_hamming(codes, queries[q], alive), 12));
  const auto even = index.search(queries, 12, [](embit::row_id row) { return row % 2 == 0; });
  for (std::size_t q = 0; q < 30; ++q)
    REQUIRE(is_prefix(even[q],
                      sort_by_hamming(codes, queries[q], [&](embit::row_id r) { return alive(r) && r % 2 == 0; }), 12));

  const auto renumbered = index.compact();
  REQUIRE(renumbered.size() == 1500);
  CHECK(index.rows() == index.size());
  const auto after = index.search(queries, 12);
  for (std::size_t q = 0; q < 30; ++q)
    for (std::size_t j = 0; j < 12; ++j) {
      REQUIRE(after[q][j].id == renumbered[before[q][j].id]);
      REQUIRE(after[q][j].distance == before[q][j].distance);
    }
  for (const embit::row_id row : removed) CHECK(renumbered[row] == embit::no_row);
  const std::size_t size = index.size();
  CHECK(index.add(queries) == size);
  CHECK(index.search(queries, 1)[0][0].distance == 0);
}

TEST_CASE("every pair within a radius is found once", "[flat][threads]") {
  embit::rng rng{6};
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513, 1700);
  const auto codes = make_codes(n, 64, code_kind::clustered, rng);
  embit::flat_index index{codes, embit::hamming{}, embit::thread_pool{2}};
  if (n > 7) index.remove(5);
  using pair = std::tuple<embit::row_id, embit::row_id, std::uint32_t>;
  std::set<pair> expected, found;
  for (embit::row_id a = 0; a < n; ++a)
    for (embit::row_id b = a + 1; b < n; ++b)
      if (const auto d = hamming_distance(codes[a], codes[b]); d <= 14 && index.contains(a) && index.contains(b))
        expected.insert({a, b, d});
  std::size_t calls = 0;
  index.pairs_within(14, [&](embit::row_id a, embit::row_id b, std::uint32_t d) {
    ++calls;
    found.insert({a, b, d});
  });
  CHECK(calls == expected.size());
  CHECK(found == expected);
  calls = 0;
  index.pairs_within(64, [&](embit::row_id, embit::row_id, std::uint32_t) { return ++calls < 3; });
  CHECK(calls == std::min<std::size_t>(3, index.size() * (index.size() - (index.size() > 0)) / 2));
}

TEST_CASE("a user's kernel scores rows of any store", "[flat][threads]") {
  embit::rng rng{7};
  const auto codes = make_codes(900, 200, code_kind::uniform, rng),
             queries = make_codes(9, 200, code_kind::uniform, rng);
  const embit::flat_index rows{codes, weighted_hamming{}, backwards{}};
  const embit::flat_index blocks{embit::block_store<>(codes.view()), weighted_hamming{}, embit::thread_pool{2}};
  const auto a = rows.search(queries, 20), b = blocks.search(queries, 20);
  for (std::size_t q = 0; q < 9; ++q) {
    const auto expected = sort_by_hamming(codes, queries[q]);
    REQUIRE(std::ranges::equal(a[q], b[q]));
    for (std::size_t j = 0; j < 20; ++j) {
      REQUIRE(a[q][j].id == expected[j].id);
      REQUIRE(a[q][j].distance == 1.5f * static_cast<float>(expected[j].distance));
    }
  }
  const auto near = rows.range_search(queries, 1.5f * 90);
  for (std::size_t q = 0; q < 9; ++q) CHECK(near[q].size() == blocks.range_search(queries, 135.0f)[q].size());
}

TEST_CASE("an index of rows is added to and compacted as one of blocks", "[flat]") {
  embit::rng rng{12};
  const auto codes = make_codes(50, 70, code_kind::uniform, rng);
  embit::flat_index rows{codes, weighted_hamming{}};
  CHECK(rows.add(codes.view().middle_rows(0, 10)) == 50);
  CHECK(rows.remove(3));
  const auto renumbered = rows.compact();
  CHECK(renumbered[4] == 3);
  CHECK(rows.rows() == 59);
  CHECK(rows.search(codes.view().middle_rows(3, 1), 1)[0][0].id == 52);
}

TEST_CASE("float rows are searched by inner product", "[flat]") {
  embit::rng rng{8};
  embit::matrix<float> x(500, 24);
  for (float& v : x.values()) v = embit::normal(rng);
  const embit::flat_index index{x, embit::inner_product{}};
  const auto found = index.search(x.view().middle_rows(0, 10), 5);
  for (std::size_t q = 0; q < 10; ++q) {
    CHECK(found[q].size() == 5);
    CHECK(std::ranges::is_sorted(found[q], embit::neighbor_order<std::greater<>>{}));
    double best = -1e30;
    for (std::size_t i = 0; i < 500; ++i) {
      double dot = 0;
      for (std::size_t j = 0; j < 24; ++j) dot += double(x[i][j]) * double(x[q][j]);
      best = std::max(best, dot);
    }
    CHECK(found[q][0].distance == Approx(best).epsilon(1e-5));
  }
}

TEST_CASE("distances to named rows", "[flat]") {
  embit::rng rng{9};
  const auto codes = make_codes(100, 70, code_kind::uniform, rng);
  const embit::flat_index index{codes};
  const std::vector<embit::row_id> rows{3, 99, 3, 0};
  const auto d = index.distances_to(codes.view().middle_rows(0, 2), rows);
  REQUIRE(d.size() == 8);
  for (std::size_t q = 0; q < 2; ++q)
    for (std::size_t i = 0; i < 4; ++i) CHECK(d[q * 4 + i] == hamming_distance(codes[q], codes[rows[i]]));
  CHECK_THROWS_WITH(index.distances_to(codes, std::vector<embit::row_id>{100}),
                    Catch::Matchers::ContainsSubstring("100"));
}

TEST_CASE("bad input is refused by name and number, and nothing changes", "[flat]") {
  embit::rng rng{10};
  const auto codes = make_codes(100, 256, code_kind::uniform, rng), narrow = make_codes(3, 64, code_kind::uniform, rng);
  embit::flat_index index{codes};
  CHECK_THROWS_WITH(index.search(narrow, 10),
                    Catch::Matchers::ContainsSubstring("64") && Catch::Matchers::ContainsSubstring("256"));
  CHECK_THROWS_WITH(index.range_search(narrow, 10), Catch::Matchers::ContainsSubstring("64"));
  CHECK_THROWS_WITH(index.search(codes, 0), Catch::Matchers::ContainsSubstring("k"));
  CHECK_THROWS_WITH(index.search(codes, 1, embit::row_bitset(99)),
                    Catch::Matchers::ContainsSubstring("99") && Catch::Matchers::ContainsSubstring("100"));
  CHECK_THROWS_WITH(index.add(narrow),
                    Catch::Matchers::ContainsSubstring("64") && Catch::Matchers::ContainsSubstring("256"));
  CHECK_THROWS_AS(index.remove(100), embit::error);
  embit::knn_result<std::uint32_t> kept = index.search(codes.view().middle_rows(0, 1), 3);
  CHECK_THROWS_AS(index.search_into(narrow, 5, kept), embit::error);
  CHECK(kept.queries() == 1);
  CHECK(kept.k() == 3);
  CHECK(index.size() == 100);
  require_equal_to_sorting(index, codes, codes.view().middle_rows(0, 5), 10);

  const embit::word dirty = 2;
  embit::flat_index one{make_codes(1, 1, code_kind::uniform, rng)};
  CHECK_THROWS_WITH(one.add({&dirty, 1, 1}), Catch::Matchers::ContainsSubstring("width of 1"));
  CHECK_THROWS_WITH(one.search({&dirty, 1, 1}, 1), Catch::Matchers::ContainsSubstring("queries"));
  CHECK(one.size() == 1);
}

TEST_CASE("an empty index and an empty batch give empty results", "[flat]") {
  embit::rng rng{11};
  const embit::flat_index empty{embit::block_store<>(64)};
  const auto none = empty.search(make_codes(3, 64, code_kind::uniform, rng), 5);
  CHECK(none.queries() == 3);
  CHECK(none[2].empty());
  CHECK(empty.range_search(make_codes(3, 64, code_kind::uniform, rng), 5).total() == 0);
  const embit::flat_index some{make_codes(10, 64, code_kind::uniform, rng)};
  CHECK(some.search(embit::code_view<>{}, 5).queries() == 0);
}
