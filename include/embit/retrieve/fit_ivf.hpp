// Inverted lists of RaBitQ codes over float rows, with probes chosen for a recall.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/linalg/k_means.hpp>
#include <embit/retrieve/detail/ivf_plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct fit_ivf_options {
  std::size_t bits_per_dim = 1;  ///< of the codes, 1 to 8; 1 or 2 where candidates are scored again
  embit::metric metric = embit::metric::l2;
  std::size_t lists = 0;           ///< 0: about rows^¾ / 18
  double target_recall = .95;      ///< of 10 neighbours with candidates scored again, for which probes are planned
  std::size_t probes = 0;          ///< 0: planned
  std::size_t candidates = 0;      ///< for 10 neighbours; 0: planned
  std::size_t rows_per_list = 64;  ///< rows that the lists are fitted to; 256 where rows have no clusters
  std::size_t plan_queries = 0;    ///< rows that stand for queries while it is planned; 0: 2000, of many rows fewer
  std::size_t query_bits = 6;      ///< to which queries are rounded, 4 to 14
};

namespace detail {

/// Recall that is measured by 1000 queries is off by about .01; more of them take long where rows are many.
inline std::size_t planned_queries(std::size_t rows) noexcept {
  return rows <= 100'000 ? 2000 : rows <= 250'000 ? 1000 : 500;
}

inline fit_ivf_options decided(matrix_view<const float> rows, fit_ivf_options o) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "fit_ivf: ", rows.rows(), " x ", rows.cols(), " rows");
  require_finite(rows, "rows");
  require_recall(o.target_recall);
  if (o.plan_queries == 0) o.plan_queries = planned_queries(rows.rows());
  if (o.lists > rows.rows()) raise(errc::argument, "fit_ivf: ", o.lists, " lists of ", rows.rows(), " rows");
  if (o.lists == 0) o.lists = static_cast<std::size_t>(std::pow(static_cast<double>(rows.rows()), .75) / 18) + 1;
  o.lists = (std::min)(o.lists, rows.rows());
  return o;
}

template <class Index>
void require_plan(const Index& index, matrix_view<const float> rows, double target_recall, std::size_t queries) {
  require_recall(target_recall);
  if (queries == 0) raise(errc::argument, "plan_probes: 0 queries to plan with");
  if (rows.rows() != index.rows() || index.size() != index.rows())
    raise(errc::argument, "plan_probes: ", rows.rows(), " rows, the index has ", index.size(), " of ", index.rows());
}

/// @throws error errc::argument naming a zero row.
inline matrix<float> unit_rows(matrix_view<const float> rows) {
  matrix<float> unit(rows);
  for (std::size_t i = 0; i < unit.rows(); ++i)
    if (!make_unit(unit[i])) raise(errc::argument, "rows: row ", i, " is zero and has no direction");
  return unit;
}

/// Some of the rows less their centroids: what the coder is fitted to.
inline matrix<float> residuals_of(matrix_view<const float> rows, const k_means& cells, rng& draws) {
  constexpr std::size_t enough = 20'000;
  const auto drawn = draw_rows(rows.rows(), (std::min)(enough, rows.rows()), draws);
  matrix<float> out(rows, drawn);
  const auto lists = cells.assign(out);
  for (std::size_t i = 0; i < out.rows(); ++i)
    for (std::size_t j = 0; j < out.cols(); ++j) out[i][j] -= cells.centroids()[lists[i].id][j];
  return out;
}

}  // namespace detail

/// Chooses probes and candidates of an index anew, such that `target_recall` of the true 10 neighbours are found where
/// candidates are scored again, measured on some of its rows, which do not find themselves. O(queries · rows · dim).
/// @param rows     of the index, none removed
/// @param queries  how many rows stand for queries; 0: 2000, of many rows fewer
/// @throws error errc::argument for a recall that is not above 0 and at most 1, no queries or another number of rows,
///         errc::shape for another dimension, errc::not_finite.
template <ResidualCoder Coder, Executor Exec, std::uniform_random_bit_generator Engine>
void plan_probes(ivf_levels<Coder, Exec>& index, matrix_view<const float> rows, double target_recall, Engine& engine,
                 std::size_t queries = 0) {
  if (queries == 0) queries = detail::planned_queries(rows.rows());
  detail::require_plan(index, rows, target_recall, queries);
  rng draws(random_bits(engine));
  const auto asked = detail::plan_queries::drawn(rows, queries, index.metric(), draws, index.executor());
  detail::choose_probes(index, asked, target_recall);
}

/// The same, measured on queries like those that will come.
/// @param queries  at least one, none of which is a row
template <ResidualCoder Coder, Executor Exec>
void plan_probes(ivf_levels<Coder, Exec>& index, matrix_view<const float> rows, matrix_view<const float> queries,
                 double target_recall) {
  detail::require_plan(index, rows, target_recall, queries.rows());
  const detail::plan_queries asked(rows, matrix<float>(queries), {}, index.metric(), index.executor());
  detail::choose_probes(index, asked, target_recall);
}

namespace detail {

/// Centroids, a coder of what rows have beside these, which is `fit_coder(residuals, metric, draws)`, lists and probes.
/// @throws error as `fit_ivf` does.
template <ResidualCoder Coder, class FitCoder, std::uniform_random_bit_generator Engine, Executor Exec>
ivf_levels<Coder, Exec> fit_lists(matrix_view<const float> rows, fit_ivf_options options, Engine& engine,
                                  const progress_callback& progress, const Exec& executor, const FitCoder& fit_coder) {
  options = decided(rows, options);
  rng draws(random_bits(engine));
  const auto build = [&](matrix_view<const float> trained) {
    const k_means cells = fit_k_means(trained, {.clusters = options.lists, .rows_per_cluster = options.rows_per_list},
                                      draws, progress, executor);
    const auto space = options.metric == metric::inner_product ? metric::inner_product : metric::l2;
    Coder coder = fit_coder(residuals_of(trained, cells, draws), space, draws);
    return ivf_levels<Coder, Exec>(
        rows, cells, std::move(coder),
        {.metric = options.metric, .probes = options.probes, .query_bits = options.query_bits}, executor);
  };
  auto index = options.metric == metric::cosine ? build(unit_rows(rows)) : build(rows);
  if (options.probes == 0 || options.candidates == 0) {
    plan_probes(index, rows, options.target_recall, draws, options.plan_queries);
  }
  if (options.probes != 0) index.set_probes(options.probes);
  if (options.candidates != 0) index.set_candidates(options.candidates);
  return index;
}

}  // namespace detail

/// An index of inverted lists over `rows`: centroids by k-means, RaBitQ codes of what rows have beside these, and as
/// many probes and candidates as it takes to find `target_recall` of the true 10 neighbours, where candidates are
/// scored again by `float_rerank`. That is measured on rows that stand for queries and do not find themselves; queries
/// that are unlike the rows may need more (`set_probes`). Every random choice comes from `engine`. Gao and Long,
/// "RaBitQ", SIGMOD 2024 (arXiv 2405.12497), section 4 (around the centroids of lists). `fit_ivf_transform` is the same
/// with other codes.
/// @param rows      n × dim; unit vectors are made of them for the cosine
/// @param progress  that of k-means, see there
/// @throws error errc::argument for no rows, more lists than rows, a recall that is not above 0 and at most 1, bits
/// outside 1 … 8, and a zero row under the cosine; errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
ivf_levels<rabitq, Exec> fit_ivf(matrix_view<const float> rows, fit_ivf_options options, Engine& engine,
                                 const progress_callback& progress = {}, const Exec& executor = {}) {
  return detail::fit_lists<rabitq>(rows, options, engine, progress, executor,
                                   [&](const matrix<float>& residuals, metric space, rng& draws) {
                                     return fit_rabitq(residuals,
                                                       {.bits_per_dim = options.bits_per_dim,
                                                        .metric = space,
                                                        .center = rabitq_center::zero,
                                                        .scales = rabitq_scales::kept,
                                                        .compress_factors = false},
                                                       draws);
                                   });
}

/// Finds centroids, codes, probes and candidates of an index anew, as if it were made of `rows`: when its `drift` says
/// so. Rows keep their numbers, removed ones stay removed.
/// @param rows     of the index, in the order of their numbers; what is in the place of a removed row is coded and not
///                 found
/// @param options  the metric and the bits are those of the index
/// @throws error as `fit_ivf` does, errc::argument for another number of rows, errc::shape for another dimension; the
///         index is unchanged then.
template <Executor Exec, std::uniform_random_bit_generator Engine>
void retrain(ivf_levels<rabitq, Exec>& index, matrix_view<const float> rows, fit_ivf_options options, Engine& engine,
             const progress_callback& progress = {}) {
  if (rows.cols() != index.dim())
    raise(errc::shape, "retrain: rows of dimension ", rows.cols(), ", the index takes ", index.dim());
  if (rows.rows() != index.rows())
    raise(errc::argument, "retrain: ", rows.rows(), " rows, the index has ", index.rows());
  options.metric = index.metric();
  options.bits_per_dim = index.coder().bits_per_dim();
  index.replace_lists(fit_ivf(rows, options, engine, progress, index.executor()));
}

}  // namespace embit::inline EMBIT_ABI
