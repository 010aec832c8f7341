// An lsh_table in a file, what it allocates, and all candidates within a radius.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/inner_product.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <support/counting_new.hpp>
#include "lists.hpp"

namespace {

using embit::row_id;
using support::code_kind;
using support::normal_rows;
using support::refusal;
using support::same;

embit::code_store<> make(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

/// Saves, loads, saves again: the same bytes, and a copy that finds the same.
template <class Table, class Queries>
void require_kept(const Table& table, const Queries& queries, const support::temp_dir& dir) {
  embit::save(dir / "a", table);
  const auto loaded = embit::load<Table>(dir / "a");
  embit::save(dir / "b", loaded);
  REQUIRE(support::slurp(dir / "a") == support::slurp(dir / "b"));
  REQUIRE(loaded.size() == table.size());
  REQUIRE(same(loaded.search(queries, 20), table.search(queries, 20)));
}

}  // namespace

TEST_CASE("range_search finds the candidates within the radius, and all rows where all buckets are probed") {
  for (const std::size_t width : {1u, 63u, 64u, 65u, 127u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 513u}) {
      const std::size_t bits = std::min<std::size_t>(width, 6), tables = std::min<std::size_t>(width / bits, 8);
      CAPTURE(width, n);
      const auto codes = make(n, width, code_kind::clustered, 1), queries = make(5, width, code_kind::clustered, 1);
      embit::lsh_table table{codes, {.tables = tables, .bits = bits, .probes = 3}};
      embit::flat_index flat{codes};
      const std::size_t all = std::size_t{1} << bits;
      const auto third = [](row_id row) { return row % 3 == 1; };
      for (const std::uint32_t radius : {0u, static_cast<unsigned>(width / 5), ~0u}) {
        REQUIRE(same(table.range_search({queries, all}, radius), flat.range_search(queries, radius)));
        REQUIRE(same(table.range_search({queries, all}, radius, third), flat.range_search(queries, radius, third)));
        const auto candidates = table.search(queries, n + 1);
        const auto found = table.range_search(queries, radius);
        for (std::size_t q = 0; q < 5; ++q) {
          const auto beyond = std::find_if(candidates[q].begin(), candidates[q].end(),
                                           [&](const auto& c) { return c.distance > radius; });
          REQUIRE(std::equal(candidates[q].begin(), beyond, found[q].begin(), found[q].end()));
        }
      }
      for (row_id row = 0; row < n; row += 2) REQUIRE(table.remove(row) == flat.remove(row));
      embit::row_bitset members(n);
      for (std::size_t row = 0; row < n; row += 5) members.set(row);
      REQUIRE(same(table.range_search({queries, all}, 30, members), flat.range_search(queries, 30, members)));
    }
}

TEST_CASE("range_search keeps to the order of the scorer, and counts what it scores") {
  const auto rows = normal_rows(300, 16, 1);
  embit::rng rng{2};
  const embit::cross_polytope hash({.dim = 16, .tables = 5}, rng);
  const embit::lsh_table table{rows, hash.encode(rows), {.tables = 5, .bits = hash.bits()}, embit::inner_product{}};
  const auto queries = rows.view().middle_rows(0, 40);
  embit::lsh_statistics by_k, by_radius;
  const auto keys = hash.probes(queries, 4);
  const auto candidates = table.search({queries, keys}, 300, embit::accept_all{}, &by_k);
  const auto found = table.range_search({queries, keys}, 4.f, embit::accept_all{}, &by_radius);
  for (std::size_t q = 0; q < 40; ++q) {
    const auto below =
        std::find_if(candidates[q].begin(), candidates[q].end(), [](const auto& c) { return c.distance < 4.f; });
    REQUIRE(below != candidates[q].begin());
    REQUIRE(std::equal(candidates[q].begin(), below, found[q].begin(), found[q].end()));
  }
  REQUIRE(by_k.candidates == by_radius.candidates);
  REQUIRE(by_k.probes == by_radius.probes);
  REQUIRE(by_k.found == by_radius.found);

  const auto refused = [&](const embit::matrix<float>& q) { return refusal([&] { (void)table.range_search(q, 1); }); };
  CHECK(support::contains(refused(normal_rows(2, 15, 3)), "shape: queries: width 15"));
  CHECK(support::contains(refused(normal_rows(2, 16, 3)), "argument: keys: none"));
  CHECK(support::contains(refusal([&] {
                            (void)table.range_search({queries, keys}, 1, embit::row_bitset(299));
                          }),
                          "shape: filter"));
}

TEST_CASE("an lsh_table survives a file with its options, without its removed rows") {
  const support::temp_dir dir;
  for (const std::size_t n : {0u, 1u, 7u, 513u, 3000u}) {
    CAPTURE(n);
    const auto codes = make(n, 127, code_kind::clustered, 1), queries = make(20, 127, code_kind::clustered, 1);
    for (const std::size_t bits : {9u, 31u}) {
      embit::lsh_table table{codes, {.tables = 4, .bits = bits, .probes = 5}};
      require_kept(table, queries, dir);
      for (std::size_t row = 0; row < n; row += 5) table.remove(static_cast<row_id>(row));
      table.add(codes.view().middle_rows(0, std::min<std::size_t>(n, 100)));
      require_kept(table, queries, dir);
      REQUIRE(
          same(table.range_search(queries, 40), embit::load<embit::lsh_table<>>(dir / "b").range_search(queries, 40)));
      table.compact();
      require_kept(table, queries, dir);
    }
  }
  CHECK(support::contains(refusal([&] { (void)embit::load<embit::flat_index<>>(dir / "a"); }), "kind: "));
}

TEST_CASE("given keys survive a file, over codes and over floats") {
  const support::temp_dir dir;
  const auto rows = normal_rows(700, 20, 1), queries = normal_rows(30, 20, 2);
  embit::rng rng{3};
  const embit::cross_polytope hash({.dim = 20, .tables = 3}, rng);
  const auto keys = hash.encode(rows), query_keys = hash.encode(queries);
  const embit::lsh_table_options options{.tables = 3, .bits = hash.bits(), .probes = 3};

  embit::lsh_table floats{rows, keys, options};
  floats.remove(5);
  require_kept(floats, embit::lsh_queries<embit::matrix_view<const float>>(queries, query_keys), dir);
  const auto loaded = embit::load<decltype(floats)>(dir / "a");
  REQUIRE(loaded.rows() == 700);
  REQUIRE(loaded.options().probes == 3);
  REQUIRE(loaded.store() == rows);
  CHECK(support::contains(refusal([&] { (void)loaded.search(queries, 1); }), "argument: keys: none"));

  const auto codes = make(700, 65, code_kind::uniform, 4), query_codes = make(30, 65, code_kind::uniform, 4);
  embit::lsh_table table{codes, keys, options};
  table.add(codes.view().middle_rows(0, 200), keys.view().middle_rows(100, 200));
  table.remove(700);
  const embit::lsh_queries<embit::code_view<>> asked(query_codes, query_keys);
  require_kept(table, asked, dir);
  table.compact();
  require_kept(table, asked, dir);
  table.add(codes.view().middle_rows(0, 1), keys.view().middle_rows(0, 1));
  require_kept(table, asked, dir);

  // As a part of something else.
  std::vector<embit::row_label> labels(700);
  for (std::size_t i = 0; i < 700; ++i) labels[i] = 7000 - i;
  require_kept(embit::labelled_index{embit::lsh_table{codes, keys, options}, labels}, asked, dir);

  embit::matrix<float> bad = rows;
  bad[3][7] = NAN;
  CHECK(support::contains(refusal([&] { (void)embit::lsh_table{bad, keys, options}; }), "not_finite: rows: row 3"));
}

TEST_CASE("files that no lsh_table can be are refused") {
  const support::temp_dir dir;
  const std::string bad = dir / "bad";
  const auto codes = make(6, 40, code_kind::uniform, 1);
  using numbers = std::vector<std::uint64_t>;
  const auto outcome = [&](const numbers& options, std::uint8_t keyed, std::vector<std::uint32_t> keys = {}) {
    embit::container_writer writer(bad, {"lsh_table", 1});
    embit::metadata_writer values;
    for (const auto o : options) values.u64(o);
    values.u8(keyed);
    writer.sections().add("options", std::move(values));
    embit::detail::write_part(writer.sections(), "store", codes);
    if (keyed != 0) writer.sections().add("keys", std::span<const std::uint32_t>(keys));
    writer.finish();
    return refusal([&] { (void)embit::load<embit::lsh_table<>>(bad); });
  };
  CHECK(outcome({4, 10, 1}, 0) == "accepted");
  for (const numbers& options :
       {numbers{0, 10, 1}, {5, 10, 1}, {~0ull, 1, 1}, {1, 0, 1}, {1, 33, 1}, {1, ~0ull, 1}, {1, 8, 0}}) {
    const std::string found = outcome(options, 0);
    CAPTURE(found);
    CHECK(support::contains(found, "format: " + bad + ": section 'options'"));
  }
  CHECK(support::contains(outcome({1, 8, 1}, 2), "keys given: 2"));
  CHECK(outcome({2, 2, 1}, 1, std::vector<std::uint32_t>(12, 3)) == "accepted");
  CHECK(support::contains(outcome({2, 2, 1}, 1, std::vector<std::uint32_t>(12, 4)), "key 4, beyond 2 bits"));
  CHECK(support::contains(outcome({2, 2, 1}, 1, std::vector<std::uint32_t>(11, 3)), "11 keys of 6 rows in 2 tables"));
  CHECK(support::contains(outcome({1ull << 63, 2, 1}, 1, std::vector<std::uint32_t>(12, 3)), "tables of 2 bits"));
}

TEST_CASE("an lsh_table reports the memory that it allocates") {
  const std::size_t n = 20'000;
  const auto codes = make(n, 64, code_kind::uniform, 1);
  for (const auto& [tables, bits] : {std::pair{4u, 12u}, std::pair{2u, 32u}}) {
    const std::size_t without = support::allocated_bytes();
    embit::lsh_table table{codes, {.tables = tables, .bits = bits}};
    const auto fresh = table.memory();
    const std::size_t allocated = support::allocated_bytes() - without;
    CHECK(fresh.total() <= allocated);
    CHECK(fresh.total() + 2000 >= allocated);
    CHECK(fresh.codes == n * 8);
    CHECK(fresh.rows == 0);
    CHECK(fresh.tables >= tables * (bits == 12 ? n * 4 + (1u << 12) * 4 : n * 8 + (1u << 15) * 4));
    CHECK(fresh.tables <= tables * n * 16 + 2000);
    for (const bool changed : {false, true}) {
      CAPTURE(bits, changed);
      if (changed) {
        table.add(codes.view().middle_rows(0, 700));
        table.remove(3);
        CHECK(table.memory().rows >= (n + 700) / 8);
      }
      // A copy asks for codes of its own, and shares the tables.
      const std::size_t before = support::allocated_bytes();
      const auto copy = table;
      CHECK(support::allocated_bytes() - before <= copy.memory().codes + copy.memory().rows + 200);
      CHECK(copy.memory().tables <= table.memory().tables);
    }
  }
  const auto rows = normal_rows(100, 8, 1);
  const embit::matrix<std::uint32_t> keys(100, 1, 0u);
  CHECK(embit::lsh_table{rows, keys, {.tables = 1, .bits = 4}}.memory().codes == 100 * 8 * sizeof(float));
  CHECK(embit::lsh_table{rows.view(), keys, {.tables = 1, .bits = 4}}.memory().codes == 0);
}
