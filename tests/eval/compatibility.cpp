// Recall across two models, where it can be told beforehand.
#include <embit/core/random.hpp>
#include <embit/eval/compatibility.hpp>
#include <embit/index/flat.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"

#include <vector>

using support::contains;
using support::make_codes;
using support::refusal;

TEST_CASE("each recall is that of its queries in its index") {
  embit::rng rng{1};
  // The old codes are the new ones with noise in up to 30 bits.
  const auto clean = make_codes(500, 128, support::code_kind::uniform, rng);
  auto noisy = clean;
  for (std::size_t row = 0; row < noisy.size(); ++row)
    for (int i = 0; i < 30; ++i) {
      const auto bit = embit::uniform_index(rng, 128);
      noisy.row(row)[bit / 64] ^= embit::word{1} << bit % 64;
    }
  const embit::flat_index old_index{noisy}, new_index{clean};
  const auto old_queries = noisy.view().middle_rows(0, 50), new_queries = clean.view().middle_rows(0, 50);
  const auto truth = new_index.search(new_queries, 10);
  const auto report = embit::compatibility(truth, old_index, new_index, old_queries, new_queries, 10);
  CHECK(report.new_to_new == 1);
  const auto recall = [&](const auto& index, auto queries) {
    return embit::mean_recall(truth, index.search(queries, 10), 10, 10);
  };
  CHECK(report.old_to_old == recall(old_index, old_queries));
  CHECK(report.new_to_old == recall(old_index, new_queries));
  CHECK(report.old_to_new == recall(new_index, old_queries));
  CHECK(report.old_to_old < report.new_to_old);
  CHECK(report.old_to_old < report.old_to_new);
  CHECK(report.new_to_old < 1);

  CHECK(contains(refusal([&] {
                   embit::compatibility(truth, old_index, new_index, old_queries.middle_rows(0, 49), new_queries, 10);
                 }),
                 "shape: mean_recall: 50 true lists for 49 found ones"));
  CHECK(contains(refusal([&] { embit::compatibility(truth, old_index, new_index, old_queries, new_queries, 0); }),
                 "argument: k: 0"));
  const auto wide = make_codes(50, 129, support::code_kind::uniform, rng);
  CHECK(contains(refusal([&] { embit::compatibility(truth, old_index, new_index, old_queries, wide, 10); }),
                 "shape: queries: width 129"));
}
