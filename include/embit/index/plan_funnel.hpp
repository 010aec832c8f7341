// Which widths a funnel looks at, and how many rows it keeps at each, for a recall: measured on queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/prefix/funnel_search.hpp>
#include <embit/index/funnel_queries.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/recall_by_distance.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct plan_funnel_options {
  double target_recall = .95;       ///< of the k nearest by all bits, above 0, at most 1
  std::size_t k = 10;               ///< neighbours that the recall is of
  std::size_t most_steps = 3;       ///< of the funnel
  progress_callback progress = {};  ///< stopping it gives the best plan there is
};

/// What to give to `search`, and what to expect of it.
struct funnel_plan {
  std::vector<funnel_step> steps;  ///< none where looking at all bits is cheaper
  double recall = 1;               ///< share of the k nearest that it found of queries that it was not chosen by
  double cost = 1;                 ///< of a query as a share of that of looking at all bits, by a model
};

/// Chooses the cheapest funnel of an index that finds `target_recall` of the k nearest rows by all bits, rows that are
/// as near as the last of them counted. Queries are drawn at random: by a quarter of them, from the ranks of their true
/// neighbours at each width, the widths are chosen, by half of them how many rows are kept, and by the last quarter is
/// measured what the plan finds. A funnel that came out lucky in the choice is thereby not believed.
///
/// Give it 500 queries or more like those that will come, not rows of the index, which find themselves: recall varies
/// from query to query, and of 100 queries the mean is known to .02 at best. The plan is that of the index as it is.
/// The same seed gives the same plan. O(queries · rows · words · widths).
/// @throws error errc::argument for fewer than 4 queries, no rows, a recall that is not above 0 and at most 1, k or
/// most_steps of 0; errc::shape for queries of another width.
template <class Store, class Exec, std::uniform_random_bit_generator Rng>
funnel_plan plan_funnel(const prefix_index<Store, Exec>& index, code_view<> queries, const plan_funnel_options& options,
                        Rng& rng) {
  if (queries.size() < 4 || index.size() == 0)
    raise(errc::argument, "plan_funnel: ", queries.size(), " queries and ", index.size(),
          " rows, where 4 and 1 at least are needed");
  detail::require_width(queries, index.width());
  detail::require_neighbors(options.k);
  detail::require_recall(options.target_recall);
  if (options.most_steps == 0) raise(errc::argument, "most_steps: 0, but a funnel has at least 1 step");

  const std::vector<row_id> order = detail::draw_rows(queries.size(), queries.size(), rng);
  const std::size_t quarter = order.size() / 4;
  const std::span<const row_id> drawn(order);
  const code_store<> choosing(queries, drawn.first(quarter)), judging(queries, drawn.last(quarter)),
      scaling(queries, drawn.subspan(quarter, order.size() - 2 * quarter));
  funnel_plan plan;
  plan.steps = detail::funnel_search(index, code_view<>(choosing), options.k, options.target_recall)
                   .choose(options.most_steps, options.progress);
  if (plan.steps.empty()) return plan;
  plan.steps = detail::scaled_funnel(index, scaling, options.k, options.target_recall, plan.steps);
  plan.recall =
      detail::recall_by_distance(index.search(judging, options.k, plan.steps), index.search(judging, options.k));
  const detail::funnel_costs costs{static_cast<double>(index.rows()), index.store().steps()};
  plan.cost = costs.of(plan.steps) / costs.scan(index.widths().size());
  return plan;
}

}  // namespace embit::inline EMBIT_ABI
