// SPDX-License-Identifier: MIT
#include <embit/core/concepts.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/detail/multi/distance_forecast.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/multi_index.hpp>
#include <support/catch.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "code_index.hpp"
#include "lists.hpp"

namespace {

using embit::row_id;
using support::code_index;
using support::make_flat;
using support::make_multi;
using support::same;
using support::table_layout;

constexpr table_layout layouts[] = {table_layout::inlined, table_layout::ids};

static_assert(embit::Index<embit::multi_index<>> && embit::Index<embit::multi_index<embit::ids_only>>);
static_assert(embit::RangeIndex<embit::multi_index<>>);
static_assert(embit::MutableIndex<embit::multi_index<embit::ids_only, embit::thread_pool>>);

enum class kind { uniform, clustered, all_equal, two_valued };

/// Codes of one kind; clustered ones lie around few centres, each bit flipped with probability 1/8.
embit::code_store<> make(kind what, std::size_t n, std::size_t bits, std::uint64_t seed, std::size_t centres = 5) {
  embit::rng centre_rng{77}, rng{seed};
  const auto random_row = [bits](std::span<embit::word> row, embit::rng& engine) {
    for (auto& w : row) w = engine();
    row.back() &= embit::tail_mask(bits);
  };
  embit::code_store<> centre(centres, bits), codes(n, bits);
  for (std::size_t i = 0; i < centres; ++i) random_row(centre.row(i), centre_rng);
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = codes.row(i);
    random_row(row, rng);
    if (what == kind::uniform) continue;
    const std::size_t c = what == kind::all_equal ? 0 : rng() % (what == kind::two_valued ? 2 : centres);
    for (std::size_t w = 0; w < row.size(); ++w) {
      row[w] = centre[c][w];
      if (what == kind::clustered) row[w] ^= rng() & rng() & rng();
    }
    row.back() &= embit::tail_mask(bits);
  }
  return codes;
}

}  // namespace

std::unique_ptr<code_index> support::make_flat(embit::code_view<> codes) {
  return std::make_unique<code_index_of<embit::flat_index<>, embit::search_statistics>>(embit::flat_index<>(codes));
}

namespace {

/// Everything a multi-index answers is what a flat index answers.
void require_equal(const code_index& multi, const code_index& flat, embit::code_view<> queries) {
  REQUIRE(multi.size() == flat.size());
  REQUIRE(multi.rows() == flat.rows());
  for (const std::size_t k : {1u, 10u, 100u}) {
    CAPTURE(k);
    REQUIRE(same(multi.search(queries, k), flat.search(queries, k)));
  }
  REQUIRE(same(multi.search(queries.middle_rows(0, 1), flat.rows() + 5),
               flat.search(queries.middle_rows(0, 1), flat.rows() + 5)));
  for (const std::uint32_t radius : {0u, 3u, static_cast<unsigned>(multi.width() / 4), 1000u}) {
    CAPTURE(radius);
    REQUIRE(same(multi.range_search(queries, radius), flat.range_search(queries, radius)));
  }
  const code_index::row_filter third = [](row_id row) { return row % 3 == 1; };
  REQUIRE(same(multi.search(queries, 10, third), flat.search(queries, 10, third)));
  REQUIRE(same(multi.range_search(queries, 3, third), flat.range_search(queries, 3, third)));
  embit::row_bitset members(flat.rows());
  for (std::size_t row = 0; row < flat.rows(); row += 7) members.set(row);
  REQUIRE(same(multi.search(queries, 10, members), flat.search(queries, 10, members)));
  REQUIRE(same(multi.range_search(queries, 3, members), flat.range_search(queries, 3, members)));
  const auto none = multi.search(queries, 10, code_index::row_filter([](row_id) { return false; }));
  for (std::size_t q = 0; q < none.queries(); ++q) REQUIRE(none[q].empty());
}

void require_equal_everywhere(table_layout layout, const embit::code_store<>& codes, const embit::code_store<>& queries,
                              std::size_t substrings) {
  const auto flat = make_flat(codes);
  for (const bool bail_out : {false, true}) {
    CAPTURE(bail_out, name_of(layout));
    const auto multi = make_multi(layout, codes, {.substrings = substrings, .bail_out = bail_out});
    REQUIRE(multi->substrings() == (codes.size() == 0 ? 0 : substrings));
    require_equal(*multi, *flat, queries);
  }
}

}  // namespace

TEST_CASE("multi_index answers as flat_index does, for all widths and sizes") {
  const std::pair<std::size_t, std::size_t> shapes[] = {{32, 2},   {33, 3},   {63, 5},   {64, 4},   {65, 6},
                                                        {127, 11}, {128, 10}, {200, 15}, {256, 20}, {512, 40}};
  for (const auto& [bits, substrings] : shapes)
    for (const std::size_t n : {0u, 1u, 7u, 513u}) {
      CAPTURE(bits, n);
      for (const kind what : {kind::uniform, kind::clustered})
        for (const table_layout layout : layouts)
          require_equal_everywhere(layout, make(what, n, bits, n), make(what, 3, bits, 99), substrings);
    }
}

TEST_CASE("multi_index answers as flat_index does, whatever the codes") {
  for (const kind what : {kind::uniform, kind::clustered, kind::all_equal, kind::two_valued}) {
    CAPTURE(static_cast<int>(what));
    // More rows than a bucket is read in at once, and substrings from few rows a bucket to many.
    const auto codes = make(what, 6000, 64, 1), queries = make(what, 9, 64, 2);
    for (const table_layout layout : layouts) {
      for (const std::size_t substrings : {4u, 5u, 8u, 16u})
        require_equal_everywhere(layout, codes, queries, substrings);
      for (const bool reorder : {false, true})
        require_equal(*make_multi(layout, codes, {.reorder_bits = reorder}), *make_flat(codes), queries);
    }
  }
}

TEST_CASE("multi_index chooses tables for clustered codes, and answers as flat_index does") {
  const auto codes = make(kind::clustered, 60'000, 64, 3, 60), queries = make(kind::clustered, 20, 64, 4, 60);
  const auto flat = make_flat(codes);
  for (const bool reorder : {false, true}) {
    const auto multi = make_multi(table_layout::inlined, codes, {.reorder_bits = reorder, .bail_out = false});
    REQUIRE(multi->substrings() > 0);
    support::index_effort statistics;
    for (const std::size_t k : {1u, 10u, 100u, 1500u})
      REQUIRE(same(multi->search(queries, k, &statistics), flat->search(queries, k)));
    REQUIRE(statistics.probed == 80);
    REQUIRE(statistics.bailed_out + statistics.scanned == 0);
    REQUIRE(statistics.lookups >= 80 * multi->substrings());
    REQUIRE(statistics.candidates >= statistics.survivors);
    REQUIRE(statistics.survivors >= 20 * 1611);
    for (const std::uint32_t radius : {0u, 2u, 9u})
      REQUIRE(same(multi->range_search(queries, radius), flat->range_search(queries, radius)));
  }
}

TEST_CASE("multi_index resolves ties in large buckets, too") {
  // Only 14 of 64 bits vary: thousands of rows a bucket, and dozens at each distance.
  const auto few_bits = [](std::size_t n, std::uint64_t seed) {
    auto codes = make(kind::uniform, n, 64, seed);
    for (std::size_t i = 0; i < n; ++i) codes.row(i)[0] &= 0x0123012301230123;
    return codes;
  };
  const auto codes = few_bits(40'000, 1), queries = few_bits(20, 2);
  const auto flat = make_flat(codes);
  for (const table_layout layout : layouts)
    for (const std::size_t substrings : {4u, 5u, 8u, 16u}) {
      CAPTURE(name_of(layout), substrings);
      const auto multi = make_multi(layout, codes, {.substrings = substrings, .bail_out = false});
      for (const std::size_t k : {1u, 10u, 100u, 3000u})
        REQUIRE(same(multi->search(queries, k), flat->search(queries, k)));
      for (const std::uint32_t radius : {0u, 1u, 4u})
        REQUIRE(same(multi->range_search(queries, radius), flat->range_search(queries, radius)));
    }
}

TEST_CASE("multi_index with threads answers as without", "[threads]") {
  const auto codes = make(kind::clustered, 5000, 128, 5), queries = make(kind::clustered, 100, 128, 6);
  const auto flat = make_flat(codes);
  for (const table_layout layout : layouts)
    for (const bool bail_out : {false, true}) {
      const auto multi = make_multi(layout, codes, {.substrings = 9, .bail_out = bail_out}, 2);
      require_equal(*multi, *flat, queries);
      REQUIRE(multi->pairs_within(12) == flat->pairs_within(12));
    }
}

TEST_CASE("multi_index gives up on queries that have no near neighbours, and still answers right") {
  const auto codes = make(kind::clustered, 60'000, 128, 3, 60), far = make(kind::uniform, 30, 128, 8);
  const auto multi = make_multi(table_layout::inlined, codes, {.substrings = 8});
  support::index_effort statistics;
  const auto found = multi->search(far, 10, &statistics);
  REQUIRE(same(found, make_flat(codes)->search(far, 10)));
  REQUIRE(statistics.probed + statistics.scanned + statistics.bailed_out == 30);
}

TEST_CASE("multi_index finds the pairs that flat_index finds") {
  for (const table_layout layout : layouts) {
    for (const kind what : {kind::uniform, kind::clustered, kind::two_valued}) {
      const auto codes = make(what, 700, 64, 7);
      const auto multi = make_multi(layout, codes, {.substrings = 4, .bail_out = false}), flat = make_flat(codes);
      for (const std::uint32_t radius : {0u, 3u, 9u})
        REQUIRE(multi->pairs_within(radius) == flat->pairs_within(radius));
      const auto more = make(what, 60, 64, 8);
      multi->add(more);
      flat->add(more);
      for (row_id row = 5; row < 750; row += 31) REQUIRE(multi->remove(row) == flat->remove(row));
      REQUIRE(multi->pairs_within(5) == flat->pairs_within(5));
    }
    const auto equal = make_multi(layout, make(kind::all_equal, 300, 64, 7), {.substrings = 4, .bail_out = false});
    REQUIRE(equal->pairs_within(0, 10).size() == 10);
  }
}

TEST_CASE("multi_index stays equal to flat_index while rows come and go") {
  for (const table_layout layout : layouts)
    for (const bool bail_out : {false, true}) {
      const auto codes = make(kind::clustered, 3000, 64, 9), queries = make(kind::clustered, 12, 64, 10);
      const auto multi = make_multi(layout, codes, {.substrings = 5, .bail_out = bail_out}), flat = make_flat(codes);
      std::uint64_t seed = 100;
      for (const std::size_t count : {1u, 0u, 700u, 4000u, 20u, 5000u}) {
        const auto more = make(kind::clustered, count, 64, ++seed);
        const std::size_t before = multi->rows();
        REQUIRE(multi->add(more) == before);
        flat->add(more);
        require_equal(*multi, *flat, queries);
        for (std::size_t row = count % 13; row < multi->rows(); row += 17) {
          const auto id = static_cast<row_id>(row);
          REQUIRE(multi->remove(id) == flat->remove(id));
          REQUIRE_FALSE(multi->remove(id));
          REQUIRE_FALSE(multi->contains(id));
        }
        require_equal(*multi, *flat, queries);
      }
      REQUIRE(multi->compact() == flat->compact());
      require_equal(*multi, *flat, queries);
      REQUIRE(multi->rows() == multi->size());
    }
}

TEST_CASE("multi_index may start empty, and may lose all rows") {
  REQUIRE(embit::multi_index{embit::block_store<>(64)}.search(make(kind::uniform, 2, 64, 1), 3)[1].empty());
  const auto multi = make_multi(table_layout::inlined, embit::code_store<>(0, 64));
  const auto queries = make(kind::uniform, 2, 64, 1);
  REQUIRE(multi->search(queries, 3)[1].empty());
  REQUIRE(multi->range_search(queries, 64)[0].empty());
  const auto codes = make(kind::uniform, 10'000, 64, 2);
  multi->add(codes);
  require_equal(*multi, *make_flat(codes), queries);
  for (row_id row = 0; row < 10'000; ++row) REQUIRE(multi->remove(row));
  REQUIRE(multi->search(queries, 3)[1].empty());
  REQUIRE(multi->compact() == std::vector<row_id>(10'000, embit::no_row));
  REQUIRE(multi->rows() == 0);
  REQUIRE(multi->search(queries, 3)[1].empty());
}

TEST_CASE("multi_index deduces its type from any store of codes and any view", "[threads]") {
  const auto codes = make(kind::uniform, 50, 64, 1);
  const embit::multi_index a{codes}, b{codes.view()}, c{embit::block_store<>(codes.view())};
  const embit::multi_index d{codes, {.substrings = 4}};
  const embit::multi_index e{embit::code_store<64>(codes.size(), 64), {.substrings = 4}, embit::thread_pool{2}};
  for (const auto* index : {&a, &b, &c, &d}) REQUIRE(index->search(codes, 1)[7][0].id == 7);
  REQUIRE(e.search(codes, 3)[7].size() == 3);
  const embit::multi_index copy = d;
  REQUIRE(copy.search(codes, 1)[7][0].id == 7);
  std::size_t pairs = 0;
  copy.pairs_within(64, [&](row_id, row_id, std::uint32_t) { ++pairs; });  // every pair, nothing returned
  REQUIRE(pairs == 50 * 49 / 2);
}

TEST_CASE("multi_index refuses what it cannot do, and is unchanged") {
  const auto throws = [](embit::errc code, const std::string& word, auto&& f) {
    try {
      f();
    } catch (const embit::error& e) {
      CAPTURE(e.what());
      REQUIRE(e.code() == code);
      REQUIRE(std::string(e.what()).find(word) != std::string::npos);
      return;
    }
    FAIL("nothing was thrown");
  };
  using embit::errc;
  for (const std::size_t bits : {1u, 31u, 513u, 1000u})
    throws(errc::shape, std::to_string(bits), [&] { embit::multi_index{make(kind::uniform, 10, bits, 1)}; });
  const auto codes = make(kind::uniform, 100, 64, 1);
  for (const std::size_t substrings : {1u, 3u, 17u, 1000u})
    throws(errc::argument, std::to_string(substrings), [&] { embit::multi_index{codes, {.substrings = substrings}}; });
  throws(errc::argument, "typical_k", [&] { embit::multi_index{codes, {.typical_k = 0}}; });

  const auto multi = make_multi(table_layout::inlined, codes, {.substrings = 4, .bail_out = false});
  const auto wide = make(kind::uniform, 2, 65, 1);
  throws(errc::shape, "65", [&] { (void)multi->search(wide, 1); });
  throws(errc::shape, "65", [&] { (void)multi->range_search(wide, 1); });
  throws(errc::shape, "65", [&] { multi->add(wide); });
  throws(errc::argument, "k", [&] { (void)multi->search(codes, 0); });
  throws(errc::shape, "99", [&] { (void)multi->search(codes, 1, embit::row_bitset(99)); });
  throws(errc::shape, "99", [&] { (void)multi->range_search(codes, 1, embit::row_bitset(99)); });
  throws(errc::out_of_range, "100", [&] { multi->remove(100); });

  const auto odd =
      make_multi(table_layout::inlined, make(kind::uniform, 100, 63, 1), {.substrings = 4, .bail_out = false});
  const embit::word beyond[] = {embit::word{1} << 63};
  throws(errc::argument, "63", [&] { odd->add(embit::code_view<>(beyond, 1, 63)); });
  std::vector<embit::word> many(10'000, 1);
  many.back() = beyond[0];
  throws(errc::argument, "9999", [&] { odd->add(embit::code_view<>(many.data(), many.size(), 63)); });
  REQUIRE(odd->rows() == 100);
  require_equal(*odd, *make_flat(make(kind::uniform, 100, 63, 1)), make(kind::uniform, 5, 63, 2));
}

TEST_CASE("multi_index counts the bits of every key it may have") {
  std::size_t wrong = 0;
  for (std::uint32_t key = 0; key < std::uint32_t{1} << embit::detail::longest_key; ++key)
    wrong += embit::detail::row_sample::set_bits(key) != static_cast<std::uint32_t>(std::popcount(key));
  REQUIRE(wrong == 0);
}

TEMPLATE_TEST_CASE("multi_index answers as flat_index does where tables are built in parts", "", embit::inlined_codes,
                   embit::ids_only) {
  // More rows than are sorted at once; keys that spread over all parts, and keys that meet in one.
  for (const kind what : {kind::clustered, kind::all_equal})
    for (const std::size_t bits : {64u, 100u, 150u}) {
      CAPTURE(static_cast<int>(what), bits);
      const auto codes = make(what, 70'001, bits, 3, 60), queries = make(what, 3, bits, 4, 60);
      const embit::flat_index flat{codes};
      for (const bool reorder : {false, true}) {
        const embit::multi_index<TestType> multi{codes,
                                                 {.substrings = bits / 12, .reorder_bits = reorder, .bail_out = false}};
        for (const std::size_t k : {1u, 50u}) REQUIRE(same(multi.search(queries, k), flat.search(queries, k)));
        REQUIRE(same(multi.range_search(queries, 4), flat.range_search(queries, 4)));
      }
    }
}

TEST_CASE("multi_index chooses and searches the same way every time") {
  // Nothing that else goes on in the program may have a say: an index built before, or busy threads.
  const auto counts = [](const embit::multi_index_statistics& s) {
    return std::vector<std::size_t>{s.lookups,    s.candidates,        s.survivors,         s.probed,     s.scanned,
                                    s.bailed_out, s.scan.rows_scanned, s.scan.rows_skipped, s.scan.offers};
  };
  std::atomic<bool> done{false};
  for (const kind what : {kind::uniform, kind::clustered})
    for (const std::size_t bits : {64u, 128u}) {
      CAPTURE(static_cast<int>(what), bits);
      const auto codes = make(what, 30'000, bits, 3, 60), queries = make(what, 40, bits, 4, 60);
      std::vector<std::size_t> first;
      const auto require_same = [&] {
        const embit::multi_index index{codes, {}, embit::thread_pool{2}};
        embit::multi_index_statistics single, batch;
        for (std::size_t q = 0; q < queries.size(); ++q)
          index.search(queries.view().middle_rows(q, 1), 10, embit::accept_all{}, &single);
        index.search(queries, 10, embit::accept_all{}, &batch);
        auto now = counts(single), more = counts(batch);
        now.insert(now.end(), more.begin(), more.end());
        now.push_back(index.substrings());
        if (first.empty()) first = now;
        REQUIRE(now == first);
      };
      require_same();
      require_same();
      const embit::multi_index other{make(kind::uniform, 20'000, 256, 5)};
      require_same();
      done = false;
      std::thread busy([&] {
        while (!done) (void)other.search(make(kind::uniform, 3, 256, 6), 3);
      });
      require_same();
      done = true;
      busy.join();
    }
}

TEST_CASE("multi_index counts with the costs that it is given") {
  const auto codes = make(kind::clustered, 30'000, 64, 3, 60);
  auto costs = embit::multi_index_costs::of(embit::isa::avx2);
  costs.scan.word = costs.scan.far_word = 1000;
  REQUIRE(embit::multi_index{codes, {.costs = costs}}.substrings() > 0);
  costs.scan = {};
  REQUIRE(embit::multi_index{codes, {.costs = costs}}.substrings() == 0);
  // Tables that were asked for are there, and are not used.
  const embit::multi_index asked{codes, {.substrings = 5, .costs = costs}};
  embit::multi_index_statistics statistics;
  (void)asked.search(make(kind::clustered, 7, 64, 4, 60), 10, embit::accept_all{}, &statistics);
  REQUIRE(asked.substrings() == 5);
  REQUIRE(statistics.scanned == 7);
  REQUIRE(statistics.lookups == 0);
}

TEST_CASE("multi_index has tables for the radius that it is told, which searches within it use") {
  const auto codes = make(kind::uniform, 60'000, 64, 3), queries = make(kind::uniform, 20, 64, 4);
  const embit::flat_index flat{codes};
  const embit::multi_index wide{codes, {.typical_radius = 40}}, few{codes, {.typical_radius = 3}};
  REQUIRE(wide.substrings() == 0);  // half of all rows are as near
  REQUIRE(few.substrings() > 0);
  for (std::size_t q = 0; q < queries.size(); ++q)
    for (const std::uint32_t radius : {0u, 3u, 20u}) {
      const auto asked = q % 2 == 0 ? queries.view().middle_rows(q, 1) : codes.view().middle_rows(q, 1);
      embit::multi_index_statistics did;
      const auto found = few.range_search(asked, radius, embit::accept_all{}, &did),
                 expected = flat.range_search(asked, radius);
      REQUIRE(std::ranges::equal(found[0], expected[0]));
      if (radius <= 3) REQUIRE(did.probed == 1);
    }
}

TEST_CASE("multi_index builds its tables anew once searches have paid for it") {
  const auto codes = make(kind::clustered, 30'000, 64, 3, 60), more = make(kind::clustered, 5000, 64, 4, 60);
  auto costs = embit::multi_index_costs::of(embit::isa::avx2);
  costs.scan.row = 1000;
  embit::multi_index index{codes, {.substrings = 5, .costs = costs}};
  // Rows that the searches of a few queries scan, one query at a time.
  const auto scanned = [&](std::size_t searches) {
    embit::multi_index_statistics statistics;
    for (std::size_t q = 0; q < searches; ++q)
      (void)index.search(more.view().middle_rows(q, 1), 10, embit::accept_all{}, &statistics);
    REQUIRE(statistics.probed == searches);
    return statistics.scan.rows_scanned;
  };
  for (std::size_t i = 0; i < more.size(); ++i) index.add(more.view().middle_rows(i, 1));
  REQUIRE(scanned(1) >= more.size());  // adds alone have built nothing
  REQUIRE(scanned(9) >= 9 * more.size());
  const embit::multi_index copy = index;
  index.add(more.view().middle_rows(0, 1));
  REQUIRE(scanned(3) == 0);
  index.add(more.view().middle_rows(0, 1));
  REQUIRE(scanned(3) > 0);
  embit::flat_index flat{codes};
  flat.add(more);
  REQUIRE(same(copy.search(more, 10), flat.search(more, 10)));
  for (int again = 0; again < 2; ++again) flat.add(more.view().middle_rows(0, 1));
  REQUIRE(same(index.search(more, 10), flat.search(more, 10)));
}

TEST_CASE("multi_index reports its memory, and tables of ids are small") {
  const std::size_t n = 300'000;
  const auto codes = make(kind::clustered, n, 64, 1, 300);
  const auto small = make_multi(table_layout::ids, codes, {.bail_out = false});
  const embit::multi_index fast{codes, {.substrings = small->substrings()}};
  REQUIRE(fast.memory().codes >= n * 8);
  REQUIRE(small->table_bytes() >= n * 4 * small->substrings());
  REQUIRE(small->table_bytes() <= n * 20 + (std::size_t{1} << 21));
  // Both kinds of tables differ by the codes alone.
  REQUIRE(fast.memory().tables - small->table_bytes() >= n * 8 * small->substrings());
  REQUIRE(fast.memory().total() ==
          fast.memory().codes + fast.memory().tables + fast.memory().rows + fast.memory().lists);
}
