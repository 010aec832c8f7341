// A graph of RaBitQ codes over float rows, made from inverted lists, with candidates chosen for a recall.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/graph.hpp>
#include <embit/linalg/k_means.hpp>
#include <embit/retrieve/detail/ivf_plan.hpp>
#include <embit/retrieve/fit_ivf.hpp>

#include <algorithm>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct fit_graph_options {
  embit::metric metric = embit::metric::l2;
  std::size_t degree = 32;       ///< edges of a row, 2 to 32
  double target_recall = .95;    ///< of 10 neighbours, for which ef is planned
  std::size_t ef = 0;            ///< candidates that a search for up to 10 neighbours keeps; 0: planned
  std::size_t lists = 0;         ///< that neighbours are found by; 0: about rows^¾ / 18
  std::size_t probes = 0;        ///< of these lists, for each row; 0: a 64th, at least 16
  std::size_t candidates = 80;   ///< in these lists, for each row
  std::size_t plan_queries = 0;  ///< rows that stand for queries while it is planned; 0: 2000, of many rows fewer
  std::size_t query_bits = 6;    ///< to which queries are rounded, 4 to 14
};

namespace detail {

/// Sets the fewest candidates with which an index finds `target` of the true neighbours, as far as more of them still
/// help, and what it finds with fewer.
template <class Index, class Search>
void choose_ef(Index& index, const plan_queries& asked, double target, const Search& search) {
  constexpr std::size_t most = 4096;
  std::vector<recall_at_ef> curve;
  for (std::size_t ef = planned_neighbors;; ef += (std::max<std::size_t>)(ef / 8, 2)) {
    double recall = asked.recall(search(ef));
    if (!curve.empty()) recall = (std::max)(recall, curve.back().recall);
    curve.push_back({ef, recall});
    if (recall >= target || ef >= index.rows() || ef >= most) break;
  }
  index.set_ef(curve.back().ef);
  index.set_recall_at_efs(std::move(curve));
}

}  // namespace detail

/// Chooses how many candidates searches keep anew, such that `target_recall` of the true 10 neighbours are found,
/// measured on some of the rows, each of which is searched for as if it were not in the graph. O(queries · rows · dim).
/// @param rows     of the index, none removed
/// @param queries  how many rows stand for queries; 0: 2000, of many rows fewer
/// @throws error errc::argument for a recall that is not above 0 and at most 1, no queries or another number of rows,
///         errc::shape for another dimension, errc::not_finite.
template <ResidualCoder Coder, Executor Exec, std::uniform_random_bit_generator Engine>
void plan_ef(graph_index<Coder, Exec>& index, matrix_view<const float> rows, double target_recall, Engine& engine,
             std::size_t queries = 0) {
  if (queries == 0) queries = detail::planned_queries(rows.rows());
  detail::require_plan(index, rows, target_recall, queries);
  rng draws(random_bits(engine));
  const auto asked = detail::plan_queries::drawn(rows, queries, index.metric(), draws, index.executor());
  detail::choose_ef(index, asked, target_recall,
                    [&](std::size_t ef) { return index.search_others(asked.own, detail::planned_neighbors, ef); });
}

/// The same, measured on queries like those that will come.
/// @param queries  at least one, none of which is a row
template <ResidualCoder Coder, Executor Exec>
void plan_ef(graph_index<Coder, Exec>& index, matrix_view<const float> rows, matrix_view<const float> queries,
             double target_recall) {
  detail::require_plan(index, rows, target_recall, queries.rows());
  const detail::plan_queries asked(rows, matrix<float>(queries), {}, index.metric(), index.executor());
  detail::choose_ef(index, asked, target_recall, [&](std::size_t ef) {
    return index.search({queries, ef}, (std::min)(detail::planned_neighbors, index.rows()));
  });
}

/// A graph over `rows`: lists by k-means, in which the neighbours of each row are looked for, edges to some of these,
/// RaBitQ codes of what they have beside the row, and as many candidates as it takes to find `target_recall` of the
/// true 10 neighbours. That is measured on rows that stand for queries; queries that are unlike the rows may need more
/// (`set_ef`). Every random choice comes from `engine`; the graph is the same on any number of threads.
/// @param rows      n × dim; unit vectors are made of them for the cosine
/// @param progress  that of k-means and of `graph_index`, see there
/// @throws error errc::argument for no rows, more lists than rows, a recall that is not above 0 and at most 1, a degree
///         outside 2 to 32, and a zero row under the cosine; errc::not_finite naming the row; errc::stopped.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
graph_index<rabitq, Exec> fit_graph(matrix_view<const float> rows, fit_graph_options options, Engine& engine,
                                    const progress_callback& progress = {}, const Exec& executor = {}) {
  const fit_ivf_options lists = detail::decided(
      rows, {.lists = options.lists, .target_recall = options.target_recall, .plan_queries = options.plan_queries});
  using index_type = graph_index<rabitq, Exec>;
  rng draws(random_bits(engine));
  const graph_options how{.metric = options.metric,
                          .degree = options.degree,
                          .ef = options.ef == 0 ? 64 : options.ef,
                          .query_bits = options.query_bits,
                          .probes = options.probes,
                          .candidates = options.candidates};
  const auto build = [&](matrix_view<const float> points) {
    const k_means cells = fit_k_means(points, {.clusters = lists.lists}, draws, progress, executor);
    const matrix<float> residuals = detail::residuals_of(points, cells, draws);
    const auto coder = [&](std::size_t bits) {
      return fit_rabitq(residuals,
                        {.bits_per_dim = bits,
                         .metric = metric::l2,
                         .center = rabitq_center::zero,
                         .scales = rabitq_scales::kept,
                         .compress_factors = false},
                        draws);
    };
    rabitq list_coder = coder(2), edge_coder = coder(1);
    return index_type(rows, cells, std::move(list_coder), std::move(edge_coder), how, executor, progress);
  };
  if (options.metric == metric::cosine)
    for (std::size_t i = 0; i < rows.rows(); ++i)
      if (!(detail::dot_of(rows[i], rows[i]) > 0))
        raise(errc::argument, "rows: row ", i, " is zero and has no direction");
  auto index = options.metric == metric::l2 ? build(rows) : build(index_type::points_of(rows, options.metric));
  if (options.ef == 0) plan_ef(index, rows, options.target_recall, draws, lists.plan_queries);
  return index;
}

}  // namespace embit::inline EMBIT_ABI
