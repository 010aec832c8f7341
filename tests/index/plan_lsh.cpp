// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/plan_lsh.hpp>

#include <support/catch.hpp>
#include <support/real_data.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

namespace {

using support::refusal;

constexpr std::size_t dim = 64, rows_in_all = 20'000, planted = 2000;

embit::matrix<float> random_units(std::size_t rows, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, dim);
  for (float& x : m.values()) x = embit::normal(rng);
  return support::unit_rows(std::move(m));
}

/// Random unit rows of which row q < planted is at the angle from query q.
embit::matrix<float> rows_near(const embit::matrix<float>& queries, double angle) {
  auto rows = random_units(rows_in_all, 2);
  for (std::size_t q = 0; q < planted; ++q) {
    double along = 0, square = 0;
    for (std::size_t j = 0; j < dim; ++j) along += double{rows[q][j]} * double{queries[q][j]};
    std::vector<double> across(dim);
    for (std::size_t j = 0; j < dim; ++j) {
      across[j] = double{rows[q][j]} - along * double{queries[q][j]};
      square += across[j] * across[j];
    }
    for (std::size_t j = 0; j < dim; ++j)
      rows[q][j] =
          static_cast<float>(std::cos(angle) * double{queries[q][j]} + std::sin(angle) * across[j] / std::sqrt(square));
  }
  return rows;
}

struct measured {
  double recall, candidates;
};

measured measure(const embit::lsh_plan& plan, double angle, std::uint64_t seed, bool margins = false) {
  const auto queries = random_units(planted, 1), rows = rows_near(queries, angle);
  embit::rng rng{seed};
  const auto lsh = embit::sign_lsh({.dim = dim, .bits = plan.tables * plan.bits}, rng);
  const embit::lsh_table table{lsh.encode(rows), {.tables = plan.tables, .bits = plan.bits, .probes = plan.probes}};
  const auto codes = lsh.encode(queries);
  embit::lsh_statistics statistics;
  const auto is_planted = [](embit::row_id row) { return row < planted; };
  const auto found = margins ? table.search({codes, lsh.margins(queries)}, planted, is_planted)
                             : table.search(codes, planted, is_planted);
  (void)table.search(codes.view().middle_rows(0, 200), 1, embit::accept_all{}, &statistics);
  std::size_t hits = 0;
  for (std::size_t q = 0; q < planted; ++q)
    hits += std::any_of(found[q].begin(), found[q].end(), [q](const auto& f) { return f.id == q; });
  return {static_cast<double>(hits) / planted, static_cast<double>(statistics.candidates) / 200};
}

}  // namespace

TEST_CASE("the law of flips is that of counting all keys") {
  for (const std::size_t bits : {1u, 2u, 7u, 12u})
    for (const double flip : {0.0, 0.1, 0.3, 0.5}) {
      const embit::detail::flip_law law(bits, flip);
      std::vector<double> by_order;  // the probability of every mask, fewer flips first
      for (std::size_t flips = 0; flips <= bits; ++flips)
        for (std::uint32_t mask = 0; mask < (1u << bits); ++mask)
          if (static_cast<std::size_t>(std::popcount(mask)) == flips) {
            double p = 1;
            for (std::size_t b = 0; b < bits; ++b) p *= (mask >> b & 1) != 0 ? flip : 1 - flip;
            by_order.push_back(p);
          }
      double sum = 0;
      for (std::size_t probes = 1; probes <= by_order.size(); ++probes) {
        sum += by_order[probes - 1];
        REQUIRE(std::abs(law.within(static_cast<double>(probes)) - sum) < 1e-12);
        const double share = sum * 0.999, needed = law.probes_for(share);
        REQUIRE(needed <= static_cast<double>(probes));
        REQUIRE(law.within(needed) >= share - 1e-12);
        if (needed > 1) REQUIRE(law.within(needed - 1) < share + 1e-12);
      }
    }
  REQUIRE(embit::lsh_recall(7, 12, 3, 0) == 1);
  REQUIRE(std::abs(embit::lsh_recall(3, 10, 1, std::numbers::pi / 2) - (1 - std::pow(1 - 1.0 / 1024, 3))) < 1e-12);
}

TEST_CASE("an lsh_table has the recall and the candidates that it was planned for") {
  for (const auto& [angle, tables] : {std::pair{0.45, 64u}, std::pair{0.7, 8u}})
    for (const double target : {0.5, 0.7, 0.8, 0.9, 0.95}) {
      const auto plan = embit::plan_lsh(
          {.rows = rows_in_all, .target_recall = target, .angle = angle, .spread = 0.125, .max_tables = tables});
      const measured seen = measure(plan, angle, 5);
      CAPTURE(angle, target, plan.tables, plan.bits, plan.probes, plan.expected_recall, seen.recall,
              plan.expected_candidates, seen.candidates);
      INFO("planned and measured");
      REQUIRE(plan.expected_recall >= target - 1e-12);
      REQUIRE(std::abs(seen.recall - target) < 0.03);
      REQUIRE(std::abs(seen.recall - plan.expected_recall) < 0.03);
      REQUIRE(std::abs(seen.candidates / plan.expected_candidates - 1) < 0.25);
    }
}

TEST_CASE("multiprobe needs at most a third of the tables of plain lookups") {
  const double angle = 0.6;
  for (const std::size_t bits : {10u, 13u}) {
    embit::plan_lsh_options asked{.rows = rows_in_all, .angle = angle, .spread = 0.125};
    asked.bits = bits;
    asked.max_tables = 256;
    asked.max_probes = 1;
    const auto plain = embit::plan_lsh(asked);
    asked.tables = plain.tables / 3;
    asked.bits = 0;
    asked.max_probes = 1000;
    const auto multi = embit::plan_lsh(asked);
    const measured of_plain = measure(plain, angle, 6), of_multi = measure(multi, angle, 6);
    CAPTURE(plain.bits, plain.tables, of_plain.recall, of_plain.candidates);
    CAPTURE(multi.bits, multi.tables, multi.probes, of_multi.recall, of_multi.candidates);
    INFO("few tables and many");
    REQUIRE(plain.probes == 1);
    REQUIRE(3 * multi.tables <= plain.tables);
    REQUIRE(std::abs(of_multi.recall - 0.9) < 0.03);
    REQUIRE(std::abs(of_plain.recall - 0.9) < 0.03);
    REQUIRE(of_multi.candidates < 2 * of_plain.candidates);
    REQUIRE(measure(multi, angle, 6, true).recall > of_multi.recall);
  }
}

TEST_CASE("a plan is within what was asked for, and the cheaper the more it may choose") {
  const embit::plan_lsh_options asked{.rows = 1'000'000, .cosine = 0.9};
  const auto free = embit::plan_lsh(asked);
  REQUIRE(free.expected_recall >= 0.9);
  REQUIRE(free.expected_cost < 1'000'000);
  for (const std::size_t bits : {8u, 16u, 24u}) {
    auto fixed = asked;
    fixed.bits = bits;
    const auto plan = embit::plan_lsh(fixed);
    REQUIRE(plan.bits == bits);
    REQUIRE(plan.expected_cost >= free.expected_cost);
  }
  auto narrow = asked;
  narrow.width = 64;
  const auto cut = embit::plan_lsh(narrow);
  REQUIRE(cut.tables * cut.bits <= 64);
  REQUIRE(cut.expected_recall >= 0.9);
  auto one = asked;
  one.tables = 1;
  REQUIRE(embit::plan_lsh(one).tables == 1);
  // Equal rows are in the query's own bucket.
  const auto equal = embit::plan_lsh({.rows = 1000, .angle = 0});
  REQUIRE(equal.tables == 1);
  REQUIRE(equal.probes == 1);
  REQUIRE(equal.expected_recall == 1);
}

TEST_CASE("plan_lsh refuses what cannot be") {
  const auto plan = [](embit::plan_lsh_options options) { return refusal([&] { (void)embit::plan_lsh(options); }); };
  CHECK(support::contains(plan({.rows = 0, .angle = 1}), "argument: rows: 0"));
  CHECK(support::contains(plan({.rows = 9}), "argument: plan_lsh: one of angle and cosine"));
  CHECK(support::contains(plan({.rows = 9, .angle = 1, .cosine = 0.5}), "argument: plan_lsh: one of"));
  CHECK(support::contains(plan({.rows = 9, .angle = -0.1}), "argument: angle: -0.1"));
  CHECK(support::contains(plan({.rows = 9, .angle = NAN}), "argument: angle"));
  CHECK(support::contains(plan({.rows = 9, .cosine = 1.5}), "argument: cosine: 1.5"));
  CHECK(support::contains(plan({.rows = 9, .target_recall = 1, .angle = 1}), "argument: target_recall: 1"));
  CHECK(support::contains(plan({.rows = 9, .angle = 1, .spread = -1}), "argument: spread: -1"));
  CHECK(support::contains(plan({.rows = 9, .angle = 1, .bits = 33}), "argument: bits: 33"));
  CHECK(support::contains(plan({.rows = 9, .angle = 1, .max_tables = 0}), "argument: plan_lsh: max_tables 0"));
  CHECK(support::contains(plan({.rows = 9, .angle = 1, .bits = 30, .max_probes = 1}), "out of reach of 16 tables"));
  CHECK(refusal([] { (void)embit::lsh_recall(1, 33, 1, 1); }) == "argument: bits: 33 a key, not 1 to 32");
}
