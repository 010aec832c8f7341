// Planned funnels find the recall that was asked for, of queries that the plan has not seen.
// SPDX-License-Identifier: MIT
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/index/plan_funnel.hpp>
#include <embit/index/prefix_index.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

using embit::code_store, embit::funnel_plan, embit::prefix_index, embit::row_id;
using support::code_kind, support::refusal;

code_store<> some_codes(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

double recall_of(const prefix_index<>& index, embit::code_view<> queries, std::size_t k, const funnel_plan& plan) {
  return embit::detail::recall_by_distance(index.search(queries, k, plan.steps), index.search(queries, k));
}

}  // namespace

TEST_CASE("a planned funnel finds the recall asked for, within .02, and says so", "[prefix][plan]") {
  const auto all = some_codes(8'000 + 2400, 192, code_kind::clustered, 1);
  const prefix_index index{all.view().middle_rows(0, 8'000), {32, 64, 128}};
  const auto known = all.view().middle_rows(8'000, 1600), fresh = all.view().middle_rows(9'600, 800);
  double cost = 0;
  for (const double target : {.8, .9, .98}) {
    embit::rng rng{5}, same_rng{5};
    const funnel_plan plan = embit::plan_funnel(index, known, {.target_recall = target, .k = 10}, rng);
    CAPTURE(target, plan.recall, plan.cost);
    REQUIRE(!plan.steps.empty());
    CHECK(std::abs(plan.recall - target) <= .03);  // of 400 queries
    CHECK(std::abs(recall_of(index, fresh, 10, plan) - target) <= .02);
    CHECK(plan.cost < 1);
    CHECK(plan.cost > cost);  // more is dearer
    cost = plan.cost;
    CHECK(embit::plan_funnel(index, known, {.target_recall = target, .k = 10}, same_rng).steps == plan.steps);
  }
  embit::rng rng{5};
  CHECK(embit::plan_funnel(index, known, {.most_steps = 1}, rng).steps.size() <= 1);
  const funnel_plan whole = embit::plan_funnel(index, known, {.target_recall = 1}, rng);
  CHECK(recall_of(index, known, 10, whole) > .99);
}

TEST_CASE("plans of few rows, many neighbours and equal codes can be searched by", "[prefix][plan]") {
  for (const auto kind : {code_kind::uniform, code_kind::two_valued, code_kind::all_equal})
    for (const std::size_t n : {1u, 7u, 600u})
      for (const std::size_t k : {1u, 50u, 1000u}) {
        CAPTURE(static_cast<int>(kind), n, k);
        prefix_index index{some_codes(n, 96, kind, 1), {32, 64}};
        const auto queries = some_codes(40, 96, kind, 2);
        embit::rng rng{3};
        if (n > 1) index.remove(0);
        const funnel_plan plan = embit::plan_funnel(index, queries, {.k = k}, rng);
        CHECK(recall_of(index, queries, k, plan) > .7);
        CHECK(plan.recall <= 1);
      }
}

TEST_CASE("planning can be stopped, and refuses what cannot be", "[prefix][plan]") {
  const auto codes = some_codes(400, 128, code_kind::clustered, 1);
  const prefix_index index{codes, {16, 32, 64}};
  embit::rng rng{3};
  std::size_t told = 0;
  const auto stopped = embit::plan_funnel(
      index, codes,
      {.k = 3, .progress = [&](const embit::progress_report& p) { return told = p.done, p.total == 3 && p.done < 1; }},
      rng);
  CHECK(told == 1);
  for (const auto& step : stopped.steps) CHECK(step.width == 16);
  const auto planned = [&](embit::code_view<> queries, const embit::plan_funnel_options& options) {
    return refusal([&] { embit::plan_funnel(index, queries, options, rng); });
  };
  CHECK(planned(codes.view().middle_rows(0, 3), {}) ==
        "argument: plan_funnel: 3 queries and 400 rows, where 4 and 1 at least are needed");
  CHECK(planned(codes, {.target_recall = 0}) == "argument: target_recall: 0, not above 0 and at most 1");
  CHECK(planned(codes, {.target_recall = 1.5}) == "argument: target_recall: 1.5, not above 0 and at most 1");
  CHECK(planned(codes, {.k = 0}) == "argument: k: 0, but at least 1 neighbour must be asked for");
  CHECK(planned(codes, {.most_steps = 0}) == "argument: most_steps: 0, but a funnel has at least 1 step");
  CHECK(planned(some_codes(9, 64, code_kind::uniform, 1), {}) ==
        "shape: queries: width 64, the index holds rows of width 128");
  const prefix_index<> empty;
  CHECK(refusal([&] { embit::plan_funnel(empty, codes, {}, rng); }) ==
        "argument: plan_funnel: 400 queries and 0 rows, where 4 and 1 at least are needed");
}
