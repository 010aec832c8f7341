// SPDX-License-Identifier: MIT
#include <embit/core/concepts.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/detail/lsh/probe_order.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/retrieve/float_rerank.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lists.hpp"

namespace {

using embit::detail::flips_by_margin, embit::detail::flips_by_weight;

using embit::row_id;
using support::code_kind;
using support::normal_rows;
using support::refusal;
using support::same;

static_assert(embit::RangeIndex<embit::lsh_table<>>);
static_assert(embit::MutableIndex<embit::lsh_table<>>);
static_assert(embit::Index<embit::lsh_table<embit::matrix<float>, embit::inner_product, embit::thread_pool>>);

embit::code_store<> make(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

/// The definition of an lsh_table's search: the rows of which some key is at most `flips` bits from the query's.
std::vector<embit::neighbor<std::uint32_t>> by_definition(embit::code_view<> codes, std::span<const embit::word> query,
                                                          std::size_t tables, std::size_t bits, int flips) {
  const auto keys = embit::lsh_keys(codes, tables, bits);
  const auto own = embit::lsh_keys(embit::code_view<>(query.data(), 1, codes.bits()), tables, bits);
  return support::sort_by_hamming(codes, query, [&](row_id row) {
    for (std::size_t t = 0; t < tables; ++t)
      if (std::popcount(keys[row][t] ^ own[0][t]) <= flips) return true;
    return false;
  });
}

}  // namespace

TEST_CASE("probes come with fewer flips first, each once") {
  for (const std::size_t bits : {1u, 2u, 5u, 11u}) {
    flips_by_weight flips(bits);
    std::set<std::uint32_t> seen;
    std::pair<int, std::uint32_t> last{-1, 0};
    do {
      const std::pair now{std::popcount(flips.mask()), flips.mask()};
      REQUIRE(now > last);
      REQUIRE(seen.insert(now.second).second);
      last = now;
    } while (flips.next());
    REQUIRE(seen.size() == std::size_t{1} << bits);
  }
  flips_by_weight wide(32);
  for (int i = 0; i < 33; ++i) wide.next();
  REQUIRE(wide.mask() == 3);
}

TEST_CASE("probes with margins come in the order of their cost, each once") {
  for (const auto& [tables, bits] : {std::pair<std::size_t, std::size_t>{1, 1}, {1, 9}, {3, 1}, {3, 7}, {5, 4}}) {
    auto margins = normal_rows(1, tables * bits, tables * bits);
    margins[0][0] = 0;
    margins[0][margins.cols() - 1] = margins[0][margins.cols() / 2];
    flips_by_margin flips;
    flips.reset(margins[0], tables, bits);
    std::set<std::pair<std::size_t, std::uint32_t>> seen;
    double last = 0;
    flips_by_margin::probe p;
    while (flips.next(p)) {
      double cost = 0;
      for (std::size_t b = 0; b < bits; ++b)
        if ((p.mask >> b & 1) != 0) cost += std::pow(double{margins[0][p.table * bits + b]}, 2);
      if (seen.size() < tables) {
        REQUIRE(p.mask == 0);
        REQUIRE(p.table == seen.size());
      }
      REQUIRE(cost >= last - 1e-9);
      last = cost;
      REQUIRE(seen.insert({p.table, p.mask}).second);
    }
    REQUIRE(seen.size() == tables << bits);
  }
}

TEST_CASE("lsh_table finds the rows whose keys are near, whatever the codes") {
  for (const std::size_t n : {0u, 1u, 7u, 513u})
    for (const code_kind kind : {code_kind::uniform, code_kind::clustered, code_kind::two_valued, code_kind::all_equal})
      for (const auto& [width, tables, bits] : {std::array<std::size_t, 3>{1, 1, 1},
                                                {63, 1, 32},
                                                {63, 9, 7},
                                                {64, 2, 32},
                                                {65, 5, 13},
                                                {127, 30, 4},
                                                {127, 11, 5},
                                                {1000, 31, 31}}) {
        CAPTURE(n, width, tables, bits);
        const auto codes = make(n, width, kind, 1), queries = make(5, width, kind, 1);
        const embit::lsh_table table{codes, {.tables = tables, .bits = bits}};
        REQUIRE(table.size() == n);
        std::size_t probes = 1, level = 1;
        for (int flips = 0; flips <= static_cast<int>(std::min<std::size_t>(bits, 2)); ++flips) {
          for (const std::size_t k : {std::size_t{1}, std::size_t{10}, n + 5}) {
            const auto found = table.search({queries, probes}, k);
            REQUIRE(found.queries() == 5);
            for (std::size_t q = 0; q < 5; ++q)
              REQUIRE(support::is_prefix(found[q], by_definition(codes, queries[q], tables, bits, flips), k));
          }
          level = level * (bits - static_cast<std::size_t>(flips)) / static_cast<std::size_t>(flips + 1);
          probes += level;
        }
      }
}

TEST_CASE("lsh_table with all buckets probed answers as flat_index does") {
  for (const code_kind kind : {code_kind::uniform, code_kind::clustered, code_kind::all_equal}) {
    const auto codes = make(2000, 65, kind, 1), queries = make(20, 65, kind, 2);
    const embit::flat_index flat{codes};
    const auto margins = normal_rows(20, 60, 3);
    for (const std::size_t bits : {1u, 4u, 10u}) {
      const std::size_t tables = bits == 10 ? 6 : 1;
      const embit::lsh_table table{codes, {.tables = tables, .bits = bits, .probes = std::size_t{1} << bits}};
      const auto third = [](row_id row) { return row % 3 == 1; };
      embit::row_bitset members(codes.size());
      for (std::size_t row = 0; row < codes.size(); row += 7) members.set(row);
      for (const std::size_t k : {1u, 10u, 3000u}) {
        REQUIRE(same(table.search(queries, k), flat.search(queries, k)));
        REQUIRE(same(table.search(queries, k, third), flat.search(queries, k, third)));
        REQUIRE(same(table.search(queries, k, members), flat.search(queries, k, members)));
        const embit::matrix_view<const float> some(margins.data(), 20, tables * bits, margins.cols());
        REQUIRE(same(table.search({queries, some}, k), flat.search(queries, k)));
      }
      REQUIRE(table.search(queries, 10, [](row_id) { return false; })[3].empty());
    }
  }
}

TEST_CASE("lsh_table stays equal to one built at once while rows come and go") {
  const auto codes = make(3000, 96, code_kind::clustered, 1), queries = make(30, 96, code_kind::clustered, 1);
  for (const std::size_t bits : {8u, 24u}) {
    const embit::lsh_table_options options{.tables = 4, .bits = bits, .probes = 9};
    embit::lsh_table grown{codes.view().middle_rows(0, 500), options};
    std::size_t rows = 500;
    for (const std::size_t count : {1u, 1u, 1u, 0u, 7u, 90u, 1400u, 1000u}) {
      REQUIRE(grown.add(codes.view().middle_rows(rows, count)) == rows);
      rows += count;
      const embit::lsh_table whole{codes.view().middle_rows(0, rows), options};
      REQUIRE(same(grown.search(queries, 20), whole.search(queries, 20)));
    }
    REQUIRE(grown.rows() == 3000);

    const embit::lsh_table before = grown;
    for (row_id row = 0; row < 3000; row += 3) {
      REQUIRE(grown.remove(row));
      REQUIRE_FALSE(grown.remove(row));
      REQUIRE_FALSE(grown.contains(row));
    }
    REQUIRE(grown.size() == 2000);
    REQUIRE(same(grown.search(queries, 20), before.search(queries, 20, [](row_id row) { return row % 3 != 0; })));
    const auto removed = grown.search(queries, 20);
    const auto renumbered = grown.compact();
    REQUIRE(grown.rows() == 2000);
    REQUIRE(renumbered[0] == embit::no_row);
    const auto compacted = grown.search(queries, 20);
    for (std::size_t q = 0; q < 30; ++q) {
      REQUIRE(compacted[q].size() == removed[q].size());
      for (std::size_t i = 0; i < removed[q].size(); ++i) {
        REQUIRE(compacted[q][i].id == renumbered[removed[q][i].id]);
        REQUIRE(compacted[q][i].distance == removed[q][i].distance);
      }
    }
    REQUIRE(grown.add(codes.view().middle_rows(0, 3)) == 2000);
    REQUIRE(grown.search(codes.view().middle_rows(0, 1), 1)[0][0].id == 2000);
  }
}

TEST_CASE("lsh_table may start empty and may lose all rows") {
  embit::lsh_table table{embit::code_store<>(0, 64), {.tables = 2, .bits = 20}};
  const auto codes = make(40, 64, code_kind::uniform, 1);
  REQUIRE(table.search(codes, 3)[39].empty());
  for (std::size_t i = 0; i < 40; ++i) table.add(codes.view().middle_rows(i, 1));
  REQUIRE(table.search(codes, 1)[7][0] == embit::neighbor<std::uint32_t>{7, 0});
  for (row_id row = 0; row < 40; ++row) table.remove(row);
  REQUIRE(table.search(codes, 3)[7].empty());
  table.compact();
  REQUIRE(table.rows() == 0);
  REQUIRE(table.search(codes, 3)[7].empty());
  REQUIRE(table.search(embit::code_view<>(), 3).queries() == 0);
}

TEST_CASE("lsh_table with threads answers as without, and counts the same", "[threads]") {
  const auto codes = make(5000, 128, code_kind::clustered, 1), queries = make(200, 128, code_kind::clustered, 1);
  const embit::lsh_table_options options{.tables = 8, .bits = 16, .probes = 20};
  const embit::lsh_table alone{codes, options};
  const embit::lsh_table together{codes, options, embit::hamming{}, embit::thread_pool{2}};
  embit::lsh_statistics a, b;
  REQUIRE(
      same(alone.search(queries, 10, embit::accept_all{}, &a), together.search(queries, 10, embit::accept_all{}, &b)));
  REQUIRE(a.probes == 200 * 8 * 20);
  REQUIRE(a.probes == b.probes);
  REQUIRE(a.candidates == b.candidates);
  REQUIRE(a.found == b.found);
  REQUIRE(a.candidates <= a.found);
  REQUIRE(a.candidates >= 200);
  embit::lsh_table other = alone;
  other.set_probes(3);
  REQUIRE(same(other.search(queries, 10), alone.search({queries, 3}, 10)));
}

TEST_CASE("margins find more neighbours with as many probes") {
  const std::size_t n = 3000, nq = 200;
  const auto rows = normal_rows(n, 32, 1), noise = normal_rows(nq, 32, 2);
  embit::matrix<float> queries(nq, 32);
  for (std::size_t q = 0; q < nq; ++q)
    for (std::size_t j = 0; j < 32; ++j) queries[q][j] = rows[q][j] + 0.5f * noise[q][j];
  embit::rng rng{3};
  const auto lsh = embit::sign_lsh({.dim = 32, .bits = 64}, rng);
  const embit::lsh_table table{lsh.encode(rows), {.tables = 4, .bits = 16, .probes = 12}};
  const auto own = [&](const auto& found) {
    std::size_t count = 0;
    for (std::size_t q = 0; q < nq; ++q)
      count += std::any_of(found[q].begin(), found[q].end(), [&](const auto& f) { return f.id == q; });
    return count;
  };
  const auto by_weight = own(table.search(lsh.encode(queries), 100));
  const auto by_margin = own(table.search({lsh.encode(queries), lsh.margins(queries)}, 100));
  CAPTURE(by_weight, by_margin);
  REQUIRE(by_margin > by_weight + nq / 10);
}

TEST_CASE("lsh_table takes keys, and scores rows by a kernel or a reranker") {
  const auto rows = normal_rows(600, 20, 1);
  embit::rng rng{2};
  const auto lsh = embit::sign_lsh({.dim = 20, .bits = 40}, rng);
  const auto codes = lsh.encode(rows);
  const auto keys = embit::lsh_keys(codes, 4, 10);
  const embit::lsh_table_options options{.tables = 4, .bits = 10, .probes = 5};
  const auto queries = rows.view().middle_rows(0, 30);
  const embit::matrix_view<const std::uint32_t> query_keys(keys.data(), 30, 4);

  // The same candidates as the table over the codes has, by the product with all rows.
  const embit::lsh_table by_code{codes, options};
  const embit::lsh_table by_key{rows, keys, options, embit::inner_product{}};
  const embit::flat_index flat{rows, embit::inner_product{}};
  const auto candidates = by_code.search(codes.view().middle_rows(0, 30), 600);
  const auto found = by_key.search({queries, query_keys}, 600);
  const auto margins = lsh.margins(queries);
  const auto directed = by_key.search({queries, query_keys, margins}, 600);
  REQUIRE(same(directed, by_key.search({queries, query_keys, margins, 5}, 600)));
  for (std::size_t q = 0; q < 30; ++q) {
    std::set<row_id> expected;
    for (const auto& c : candidates[q]) expected.insert(c.id);
    REQUIRE(found[q].size() == expected.size());
    for (const auto& f : found[q]) REQUIRE(expected.count(f.id) == 1);
    REQUIRE(std::is_sorted(found[q].begin(), found[q].end(), embit::neighbor_order<std::greater<>>{}));
    const std::vector<row_id> first{found[q][0].id};
    REQUIRE(found[q][0].distance == flat.distances_to(queries.middle_rows(q, 1), first)[0]);
  }

  // Several keys a table are looked up and no others.
  embit::matrix<std::uint32_t> two(30, 8);
  for (std::size_t q = 0; q < 30; ++q)
    for (std::size_t t = 0; t < 4; ++t) {
      two[q][t] = keys[q][t];
      two[q][t + 4] = keys[q][t] ^ 1;
    }
  embit::lsh_statistics did;
  (void)by_key.search({queries, two}, 5, embit::accept_all{}, &did);
  REQUIRE(did.probes == 30 * 8);

  const embit::lsh_table reranked{codes, options, embit::float_rerank{rows}};
  const auto by_l2 = reranked.search({queries, query_keys}, 600);
  for (std::size_t q = 0; q < 30; ++q) {
    REQUIRE(by_l2[q].size() == candidates[q].size());
    REQUIRE(by_l2[q][0].id == q);
  }

  embit::lsh_table keyed_codes{codes, keys, options};
  REQUIRE(same(keyed_codes.search({codes, keys}, 9), by_code.search(codes, 9)));
  keyed_codes.add(codes, keys);
  REQUIRE(keyed_codes.search({codes, keys}, 2)[5][1] == embit::neighbor<std::uint32_t>{605, 0});
}

TEST_CASE("lsh_table finds near rows by cross-polytope keys") {
  const auto rows = normal_rows(2000, 40, 1), noise = normal_rows(100, 40, 2);
  embit::matrix<float> queries(100, 40);
  for (std::size_t q = 0; q < 100; ++q)
    for (std::size_t j = 0; j < 40; ++j) queries[q][j] = rows[q][j] + 0.4f * noise[q][j];
  embit::rng rng{3};
  const embit::cross_polytope hash({.dim = 40, .tables = 8}, rng);
  const embit::lsh_table table{rows, hash.encode(rows), {.tables = 8, .bits = hash.bits()}, embit::l2{}};
  const auto hits = [&](const auto& found) {
    std::size_t count = 0;
    for (std::size_t q = 0; q < 100; ++q) count += !found[q].empty() && found[q][0].id == q;
    return count;
  };
  embit::lsh_statistics did;
  const auto one = hits(table.search({queries, hash.encode(queries)}, 1, embit::accept_all{}, &did));
  const auto four = hits(table.search({queries, hash.probes(queries, 4)}, 1));
  CAPTURE(one, four, did.candidates);
  REQUIRE(one >= 80);
  REQUIRE(four >= 97);
  REQUIRE(did.candidates < 100 * 2000 / 8);
}

TEST_CASE("lsh_table refuses what it cannot do, and is unchanged") {
  const auto codes = make(50, 63, code_kind::uniform, 1);
  const auto build = [&](embit::lsh_table_options options) {
    return refusal([&] { embit::lsh_table{codes, options}; });
  };
  CHECK(build({.tables = 0, .bits = 8}) == "argument: tables: 0, not 1 to 65536");
  CHECK(build({.tables = 1, .bits = 0}) == "argument: bits: 0 a key, not 1 to 32");
  CHECK(build({.tables = 1, .bits = 33}) == "argument: bits: 33 a key, not 1 to 32");
  CHECK(build({.tables = 8, .bits = 8}) == "argument: tables: 8 of 8 bits, but codes of 63 bits");
  CHECK(support::contains(build({.tables = 7, .bits = 8, .probes = 0}), "argument: probes: 0"));
  CHECK(build({.tables = 7, .bits = 9}) == "accepted");

  embit::lsh_table table{codes, {.tables = 4, .bits = 8, .probes = 4}};
  const auto before = table.search(codes, 7);
  embit::knn_result<std::uint32_t> kept = before;
  const auto wide = make(3, 64, code_kind::uniform, 2);
  CHECK(support::contains(refusal([&] { table.search_into(wide, 3, kept); }), "shape: queries: width 64"));
  CHECK(support::contains(refusal([&] { table.search_into(codes, 0, kept); }), "argument: k: 0"));
  CHECK(support::contains(refusal([&] { table.search_into(codes, 3, kept, embit::row_bitset(49)); }), "shape: filter"));
  const auto margins = [&](std::size_t rows, std::size_t cols, float value) {
    const embit::matrix<float> m(rows, cols, value);
    return refusal([&] { table.search_into({codes, m}, 3, kept); });
  };
  CHECK(support::contains(margins(49, 32, 1), "shape: margins: 49 x 32, for 50 queries"));
  CHECK(support::contains(margins(50, 63, 1), "shape: margins: 50 x 63"));
  CHECK(support::contains(margins(50, 32, NAN), "not_finite: margins"));
  CHECK(margins(50, 32, 1) == "accepted");
  CHECK(support::contains(refusal([&] { table.set_probes(0); }), "argument: probes: 0"));
  kept = before;
  const auto keys = [&](std::size_t rows, std::size_t cols, std::uint32_t value) {
    const embit::matrix<std::uint32_t> m(rows, cols, value);
    return refusal([&] { table.search_into({codes, m}, 3, kept); });
  };
  CHECK(support::contains(keys(49, 4, 1), "shape: keys: 49 x 4"));
  CHECK(support::contains(keys(50, 5, 1), "shape: keys: 50 x 5"));
  CHECK(support::contains(keys(50, 4, 256), "argument: keys: row 0 has 256"));
  REQUIRE(same(kept, before));

  CHECK(support::contains(refusal([&] { table.add(wide); }), "shape: codes: width 64"));
  const embit::word beyond[] = {embit::word{1} << 63};
  CHECK(support::contains(refusal([&] { table.add(embit::code_view<>(beyond, 1, 63)); }), "argument"));
  CHECK(support::contains(refusal([&] { table.add(codes, embit::matrix<std::uint32_t>(50, 4, 0)); }), "argument: add"));
  CHECK(support::contains(refusal([&] { table.remove(50); }), "out_of_range: row: 50"));
  REQUIRE(table.rows() == 50);
  REQUIRE(same(table.search(codes, 7), before));

  const embit::matrix<std::uint32_t> given(50, 4, 3u), few(49, 4, 3u);
  CHECK(support::contains(refusal([&] { embit::lsh_table{codes, few, {.tables = 4, .bits = 8}}; }), "shape: keys"));
  CHECK(support::contains(refusal([&] { embit::lsh_table{codes, given, {.tables = 3, .bits = 8}}; }), "shape: keys"));
  CHECK(support::contains(refusal([&] {
                            embit::lsh_table{codes, given, {.tables = 4, .bits = 1}};
                          }),
                          "argument: keys"));
  embit::lsh_table keyed{codes, given, {.tables = 4, .bits = 2}};
  CHECK(support::contains(refusal([&] { (void)keyed.search(codes, 1); }), "argument: keys: none"));
  CHECK(support::contains(refusal([&] { keyed.add(codes); }), "argument: add"));
  CHECK(support::contains(refusal([&] { keyed.add(codes, few); }), "shape: keys"));
}

TEST_CASE("bands of any width are keys: rows that agree in one are found") {
  const auto codes = make(300, 192, code_kind::uniform, 9);
  for (const embit::band_plan plan : {embit::band_plan{24, 1}, {6, 4}, {4, 6}, {2, 12}, {1, 24}, {3, 5}}) {
    const std::size_t width = 8 * plan.hashes;
    auto queries = codes;
    for (std::size_t i = 0; i < queries.size(); ++i)  // all bands differ, but for one
      for (std::size_t band = 0; band < plan.bands; ++band)
        if (band != i % plan.bands)
          queries.row(i)[(band * width + width - 1) / 64] ^= embit::word{1} << (band * width + width - 1) % 64;
    const embit::lsh_table table{codes, embit::band_keys(codes, plan, 8), {.tables = plan.bands, .bits = 32}};
    const auto found = table.search({queries, embit::band_keys(queries, plan, 8)}, 1);
    for (std::size_t i = 0; i < codes.size(); ++i) {
      REQUIRE(found[i].size() == 1);
      CHECK(found[i][0].id == i);
      CHECK(found[i][0].distance == plan.bands - 1);
    }
  }
  CHECK(refusal([&] {
          embit::band_keys(codes, {5, 5}, 8);
        }) == "argument: bands: 5 of 5 hashes of 8 bits, a signature has 192");
  CHECK(support::contains(refusal([&] { embit::band_keys(codes, {1, 1}, 0); }), "argument: bands"));
}
