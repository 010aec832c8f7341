// A multi-index in a file: what is loaded finds what was saved, and is saved again as the same bytes.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/io/save.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

TEST_CASE("a multi-index survives a file, with its options and without its removed rows") {
  embit::rng rng{1};
  const support::temp_dir dir;
  for (const std::size_t n : {0u, 7u, 5000u}) {
    const auto codes = support::make_codes(n, 64, support::code_kind::clustered, rng);
    embit::multi_index<> index(codes, {.substrings = 4, .typical_k = 3, .reorder_bits = true, .bail_out = false});
    for (std::size_t row = 0; row < n; row += 5) index.remove(static_cast<embit::row_id>(row));
    if (n > 0) index.add(codes.view().middle_rows(0, 1));
    embit::save(dir / "a", index);
    const auto loaded = embit::load<embit::multi_index<>>(dir / "a");
    embit::save(dir / "b", loaded);
    CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));
    CHECK(loaded.substrings() == (n == 0 ? index.substrings() : 4));
    CHECK(loaded.size() == index.size());
    const auto queries = codes.view().middle_rows(0, std::min<std::size_t>(n, 20));
    const auto expected = index.search(queries, 10), found = loaded.search(queries, 10);
    for (std::size_t q = 0; q < queries.size(); ++q) CHECK(std::ranges::equal(found[q], expected[q]));
  }
  CHECK(support::contains(support::refusal([&] { (void)embit::load<embit::multi_index<embit::ids_only>>(dir / "a"); }),
                          "kind: "));
}

TEST_CASE("a multi-index for a radius is one again when it is loaded") {
  embit::rng rng{3};
  const support::temp_dir dir;
  const auto codes = support::make_codes(100, 64, support::code_kind::uniform, rng);
  embit::save(dir / "radius", embit::multi_index{codes, {.typical_radius = 7}});
  embit::save(dir / "none", embit::multi_index{codes});
  CHECK(embit::load<embit::multi_index<>>(dir / "radius").options().typical_radius == 7);
  CHECK(!embit::load<embit::multi_index<>>(dir / "none").options().typical_radius.has_value());
}

TEST_CASE("what was loaded is removed from, added to and saved again, round after round") {
  using index_type = embit::labelled_index<embit::multi_index<>>;
  embit::rng rng{2};
  const support::temp_dir dir;
  const auto codes = support::make_codes(1000, 130, support::code_kind::uniform, rng);
  std::vector<embit::row_label> labels(codes.size());
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = ~embit::row_label{i};  // negative as signed numbers
  const auto added = [&](std::size_t first, std::size_t count) {
    return std::pair{codes.view().middle_rows(first, count),
                     std::span<const embit::row_label>(labels).subspan(first, count)};
  };
  const auto start = added(0, 700);
  embit::save(dir / "a", index_type{embit::multi_index{start.first}, start.second});
  for (std::size_t round = 0; round < 3; ++round) {
    auto index = embit::load<index_type>(dir / "a");
    CHECK(index.remove(labels[round]));
    const auto more = added(700 + 100 * round, 100);
    index.add(more.first, more.second);
    embit::save(dir / "a", index);
  }
  const auto index = embit::load<index_type>(dir / "a");
  REQUIRE(index.size() == 997);
  const auto found = index.search(codes, 1);
  for (std::size_t i = 0; i < codes.size(); ++i) CHECK((found[i][0].id == labels[i]) == (i >= 3));
}
