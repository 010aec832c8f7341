// Versions of rows, held against a vector, and as filters of searches.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/store/version_column.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

constexpr std::uint32_t newest = std::numeric_limits<std::uint32_t>::max();

}  // namespace

TEST_CASE("a column holds what rows were added and set with") {
  embit::rng rng{1};
  embit::version_column column;
  std::vector<std::uint32_t> expected;
  CHECK(column.empty());
  for (int step = 0; step < 500; ++step) {
    const auto version = static_cast<std::uint32_t>(embit::uniform_index(rng, 4));
    if (embit::uniform_index(rng, 2) == 0 || expected.empty()) {
      const auto rows = static_cast<std::size_t>(embit::uniform_index(rng, 9));
      column.append(rows, version);
      expected.insert(expected.end(), rows, version);
    } else {
      const auto row = static_cast<std::size_t>(embit::uniform_index(rng, expected.size()));
      column.set(row, version);
      expected[row] = version;
    }
  }
  CHECK(std::ranges::equal(column.versions(), expected));
  for (const std::uint32_t v : {0u, 1u, 3u, 7u})
    CHECK(column.count(v) == static_cast<std::size_t>(std::ranges::count(expected, v)));
  CHECK(embit::version_column(3, 5) == [] {
    embit::version_column c;
    c.append(3, 5);
    return c;
  }());
}

TEST_CASE("what a column cannot do is refused, and it stays as it is") {
  embit::version_column column(4, 2);
  const auto same = column;
  using support::contains;
  using support::refusal;
  CHECK(contains(refusal([&] { column.set(4, 1); }), "out_of_range: version_column: row 4 of 4"));
  CHECK(
      contains(refusal([&] { column.append(std::size_t{1} << 32, 1); }), "argument: version_column: 4294967296 rows"));
  CHECK(contains(refusal([&] { column.append(~std::size_t{0}, 1); }), "argument: version_column: "));
  CHECK(contains(refusal([&] {
                   column.renumber(std::vector<embit::row_id>{0, 1, 2});
                 }),
                 "shape: renumber: 3 numbers for 4 rows"));
  CHECK(contains(refusal([&] {
                   column.renumber(std::vector<embit::row_id>{0, embit::no_row, 3, 1});
                 }),
                 "out_of_range: renumber: row 2 becomes 3 of 3"));
  CHECK(column == same);
}

TEST_CASE("filters let the rows of their versions through, in searches before and after rows go") {
  embit::rng rng{2};
  const auto codes = support::make_codes(513, 65, support::code_kind::uniform, rng);
  embit::flat_index index{codes};
  embit::version_column column(200, 1);
  column.append(300, 2);
  column.append(13, newest);
  const auto queries = codes.view().middle_rows(0, 7);
  const auto check = [&](const auto& filter, auto&& belongs) {
    const auto found = index.search(queries, 600, filter);
    std::size_t members = 0;
    for (embit::row_id row = 0; row < index.rows(); ++row) members += index.contains(row) && belongs(column[row]);
    for (std::size_t q = 0; q < 7; ++q) {
      CHECK(found[q].size() == members);
      CHECK(std::ranges::all_of(found[q], [&](const auto& hit) { return belongs(column[hit.id]); }));
    }
    return members;
  };
  const auto all_of_them = [&] {
    std::size_t sum = 0;
    for (const std::uint32_t v : {1u, 2u, newest})
      sum += check(embit::only_version(column, v), [v](std::uint32_t x) { return x == v; });
    CHECK(sum == index.size());
    check(embit::only_version(column, 3), [](std::uint32_t x) { return x == 3; });
    check(embit::from_version(column, 0), [](std::uint32_t) { return true; });
    check(embit::from_version(column, 2), [](std::uint32_t x) { return x >= 2; });
    check(embit::version_filter(column, 0, 2), [](std::uint32_t x) { return x <= 2; });
  };
  all_of_them();
  for (embit::row_id row = 0; row < 513; row += 3) index.remove(row);
  all_of_them();
  column.renumber(index.compact());
  REQUIRE(column.size() == index.rows());
  CHECK(column.count(1) == 133);
  CHECK(column.count(newest) == 9);
  all_of_them();
  // Rows that were not entered in the column yet.
  const auto first = index.add(queries);
  const auto found = index.search(queries, 600, embit::from_version(column, 0));
  CHECK(std::ranges::all_of(found[0], [&](const auto& hit) { return hit.id < first; }));
}

TEST_CASE("a column is a file") {
  const support::temp_dir dir;
  for (const std::size_t rows : {0u, 1u, 7u, 513u}) {
    embit::version_column column(rows, 9);
    column.append(rows, newest);
    embit::save(dir / "versions", column);
    CHECK(embit::load<embit::version_column>(dir / "versions") == column);
  }
}
