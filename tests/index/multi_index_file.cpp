// A multi-index in a file: what is loaded finds what was saved, and is saved again as the same bytes.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/io/save.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cstddef>

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
