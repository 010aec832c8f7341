// What models find of the exact neighbours of queries that none was fitted to, and the choice between models by it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// How a model scores rows for queries, the larger the nearer: ⟨queries[q], rows[i]⟩ · scales[i] + added[i], where
/// queries and rows are what the model makes of them.
struct product_scores {
  matrix<float> queries, rows;
  std::vector<float> scales = {};  ///< one a row, or none for ones
  std::vector<float> added = {};   ///< one a row, or none for zeros
};

/// The k rows of the best scores of each query, ties by the smaller row. O(rows · queries · dim).
/// @param exclude_self  query i is row i, and not found by itself
/// @throws error errc::shape when the sizes do not fit each other.
template <Executor Exec = inline_executor>
knn_result<float> best_by_products(const product_scores& model, std::size_t k, const Exec& executor = {},
                                   bool exclude_self = false) {
  const std::size_t rows = model.rows.rows();
  for (const auto* one_a_row : {&model.scales, &model.added})
    if (!one_a_row->empty() && one_a_row->size() != rows)
      raise(errc::shape, "best_by_products: ", one_a_row->size(), " numbers for ", rows, " rows");
  knn_result<float> found;
  found.reset(model.queries.rows(), (std::min)(k, rows));
  if (found.k() == 0) return found;
  constexpr std::size_t queries_at_once = 16;
  const row_panels packed(model.rows.view());
  const auto search = [&](std::size_t first, std::size_t last, std::size_t) {
    matrix<float> scores(last - first, rows);
    gemm(model.queries.view().middle_rows(first, last - first), packed, scores);
    std::vector<neighbor<float>> kept;
    best_top_k<float, std::greater<>> best;
    for (std::size_t q = first; q < last; ++q) {
      float* const score = scores[q - first].data();
      for (std::size_t i = 0; i < model.scales.size(); ++i) score[i] *= model.scales[i];
      for (std::size_t i = 0; i < model.added.size(); ++i) score[i] += model.added[i];
      best.reset(found.k());
      for (std::size_t i = 0; i < rows; ++i)
        if (!exclude_self || i != q) best.offer(static_cast<row_id>(i), score[i]);
      kept.assign(best.kept().begin(), best.kept().end());
      found.assign(q, select_top_k<std::greater<>>(kept, found.k()));
    }
  };
  run_ranges(executor, model.queries.rows(), queries_at_once, model.queries.rows(), search);
  return found;
}

/// One of the variants that `held_out::choose` has judged.
struct judged_variant {
  std::size_t number;  ///< from 1, of those that were judged
  double worth;        ///< its own
  double best;         ///< of all up to this one
};

/// Rows and queries that nothing is fitted to, with the exact k nearest rows of each query. An immutable value.
class held_out {
 public:
  /// @param rows n × dim, @param queries any number × dim.
  /// @throws error as `ground_truth` does.
  template <Executor Exec = inline_executor>
  held_out(matrix<float> rows, matrix<float> queries, embit::metric metric, std::size_t k, const Exec& executor = {})
      : truth_(ground_truth(rows, queries, k, {.metric = metric}, executor)),
        rows_(std::move(rows)),
        queries_(std::move(queries)) {}

  /// The first `asking` of the rows ask for their neighbours among the others: for models that are fitted to all rows.
  /// @throws error errc::argument for more than there are.
  template <Executor Exec = inline_executor>
  held_out(matrix<float> rows, std::size_t asking, embit::metric metric, std::size_t k, const Exec& executor = {})
      : rows_(std::move(rows)), exclude_self_(true) {
    if (asking > rows_.rows()) raise(errc::argument, "held_out: ", asking, " queries of ", rows_.rows(), " rows");
    queries_ = matrix<float>(rows_.view().middle_rows(0, asking));
    truth_ = ground_truth(rows_, queries_, k, {.metric = metric, .exclude_self = true}, executor);
  }

  matrix_view<const float> rows() const& noexcept { return rows_.view(); }
  matrix_view<const float> rows() const&& = delete;
  matrix_view<const float> queries() const& noexcept { return queries_.view(); }
  matrix_view<const float> queries() const&& = delete;
  const knn_result<float>& truth() const& noexcept { return truth_; }
  const knn_result<float>& truth() const&& = delete;

  /// The share of the true neighbours among the first k that a search for the queries found; 0 without queries.
  /// @throws error errc::shape for a result of other queries.
  template <class Distance>
  double recall(const knn_result<Distance>& found) const {
    if (truth_.queries() == 0 || truth_.k() == 0) return 0;
    return mean_recall(truth_, found, truth_.k(), truth_.k());
  }

  /// The same of a model's scores.
  /// @param model  (rows, queries) → product_scores.
  template <class Model, Executor Exec = inline_executor>
    requires std::convertible_to<std::invoke_result_t<const Model&, matrix_view<const float>, matrix_view<const float>>,
                                 product_scores>
  double recall(const Model& model, const Exec& executor = {}) const {
    return recall(best_by_products(model(rows(), queries()), truth_.k(), executor, exclude_self_));
  }

  /// What variants make, of which `choose` tells more.
  template <class Variants>
  using model_of = typename std::remove_cvref_t<decltype(std::declval<Variants&>().make(std::size_t{0}))>::value_type;

  /// The cheapest of the variants whose worth is within `tolerance` of the best, of equally cheap ones the best, or the
  /// first of equally good ones; nothing where there are no variants.
  ///
  /// Variants are an object that makes its models one after another, so that only those in question are kept:
  ///   size()                        how many there may be
  ///   make(i) → optional<Model>     the i-th, or nothing where it is none of the possible ones
  ///   scores(model, rows, queries)  → product_scores
  ///   worth(model, recall)          what the choice is made by: the recall, perhaps less what the model costs
  ///   cost(model)                   comparable, such as bytes
  /// @param told  judged_variant → bool, called after each; false chooses among those judged so far.
  template <class Variants, class Told, Executor Exec = inline_executor>
  std::optional<model_of<Variants>> choose(Variants&& variants, double tolerance, Told&& told,
                                           const Exec& executor = {}) const {
    using model_type = model_of<Variants>;
    struct candidate {
      model_type model;
      double worth;
    };
    std::vector<candidate> kept;
    double best = 0;
    std::size_t judged = 0;
    for (std::size_t i = 0; i < variants.size(); ++i) {
      std::optional<model_type> model = variants.make(i);
      if (!model) continue;
      const auto of_model = [&](auto from, auto asked) { return variants.scores(*model, from, asked); };
      const double worth = variants.worth(*model, recall(of_model, executor));
      best = judged == 0 ? worth : (std::max)(best, worth);
      ++judged;
      std::erase_if(kept, [&](const candidate& c) { return c.worth < best - tolerance; });
      if (worth >= best - tolerance) kept.push_back({std::move(*model), worth});
      if (!told(judged_variant{judged, worth, best})) break;
    }
    const auto preferred = [&](const candidate& a, const candidate& b) {
      const auto cost_of_a = variants.cost(a.model), cost_of_b = variants.cost(b.model);
      return cost_of_a < cost_of_b || (!(cost_of_b < cost_of_a) && a.worth > b.worth);
    };
    const auto chosen = std::ranges::min_element(kept, preferred);
    return chosen == kept.end() ? std::optional<model_type>() : std::optional<model_type>(std::move(chosen->model));
  }

 private:
  knn_result<float> truth_;
  matrix<float> rows_, queries_;
  bool exclude_self_ = false;  // query i is row i
};

}  // namespace embit::inline EMBIT_ABI
