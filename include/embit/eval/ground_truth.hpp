// The exact nearest float rows, which approximate answers are held against.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/detail/near_rows.hpp>
#include <embit/eval/detail/pair_bounds.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct ground_truth_options {
  embit::metric metric = embit::metric::l2;
  bool exclude_self = false;  ///< query i is row i, and not a neighbour of itself
};

namespace detail {

inline std::vector<float> inverse_norms(matrix_view<const float> rows) {
  std::vector<float> inverse(rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) inverse[i] = inverse_norm(rows[i]);
  return inverse;
}

/// The given queries against all rows, pair by pair; score(query, row) is what results are sorted by.
template <class Compare, class Score>
void score_all_rows(std::size_t rows, std::size_t dim, std::span<const std::size_t> queries, bool exclude_self,
                    const Score& score, knn_result<float>& result) {
  constexpr std::size_t tile_bytes = std::size_t{1} << 18;
  const std::size_t rows_at_once = std::max<std::size_t>(tile_bytes / sizeof(float) / std::max<std::size_t>(dim, 1), 1);
  std::vector<best_top_k<float, Compare>> best(queries.size());
  for (auto& heap : best) heap.reset(result.k());
  for (std::size_t begin = 0; begin < rows; begin += rows_at_once) {
    const std::size_t end = (std::min)(begin + rows_at_once, rows);
    for (std::size_t i = 0; i < queries.size(); ++i)
      for (std::size_t row = begin; row < end; ++row)
        if (!exclude_self || row != queries[i]) best[i].offer(static_cast<row_id>(row), score(queries[i], row));
  }
  std::vector<neighbor<float>> kept;
  for (std::size_t i = 0; i < queries.size(); ++i) {
    kept.assign(best[i].kept().begin(), best[i].kept().end());
    result.assign(queries[i], select_top_k<Compare>(kept, result.k()));
  }
}

/// One query against the rows that may be near it.
template <class Compare, class Score>
void score_near_rows(std::size_t query, const std::vector<near_row>& rows, const Score& score,
                     knn_result<float>& result) {
  std::vector<neighbor<float>> scored;
  scored.reserve(rows.size());
  for (const near_row& row : rows) scored.push_back({row.id, score(query, row.id)});
  result.assign(query, select_top_k<Compare>(scored, result.k()));
}

/// Whether products of blocks are worth their while, and tell enough.
inline bool products_tell(matrix_view<const float> rows, matrix_view<const float> queries, std::size_t k) noexcept {
  constexpr std::size_t fewest_queries = 4, fewest_rows = 64;
  return queries.rows() >= fewest_queries && rows.rows() >= fewest_rows && k <= rows.rows() / 4 &&
         pair_bounds::hold(rows, queries);
}

template <class Compare, Executor Exec, class Score>
knn_result<float> exact_search(matrix_view<const float> rows, matrix_view<const float> queries, std::size_t k,
                               bool exclude_self, const pair_bounds& bounds, const Exec& executor, const Score& score) {
  constexpr std::size_t grain = 16, queries_at_once = 256;
  knn_result<float> result;
  result.reset(queries.rows(), (std::min)(k, rows.rows()));
  if (result.k() == 0) return result;
  const bool by_products = products_tell(rows, queries, result.k());
  std::vector<near_row_scan> scans(executor.concurrency());
  // A worker takes many queries at a time, so that rows are read from memory once for all of them.
  const std::size_t pieces = (std::max)(queries.rows() / queries_at_once + 1, executor.concurrency());
  run_ranges(executor, queries.rows(), grain, pieces, [&](std::size_t first, std::size_t last, std::size_t worker) {
    std::vector<std::size_t> pairwise;
    if (by_products) {
      auto& near_each = scans[worker].run(bounds, rows, queries, first, last, result.k(), exclude_self);
      for (std::size_t query = first; query < last; ++query) {
        if (near_each[query - first].given_up())
          pairwise.push_back(query);
        else
          score_near_rows<Compare>(query, near_each[query - first].rows(), score, result);
      }
    } else {
      pairwise.resize(last - first);
      std::iota(pairwise.begin(), pairwise.end(), first);
    }
    score_all_rows<Compare>(rows.rows(), rows.cols(), pairwise, exclude_self, score, result);
  });
  return result;
}

}  // namespace detail

/// The k nearest of `rows` to each query, exactly: as if every pair were scored on its own, in float, and all sorted.
/// Products of whole blocks tell which rows cannot be among them. Ties by the smaller row; the list is shorter where
/// there are fewer rows. O(n · queries · dim).
/// @param rows n × dim, @param queries any number × dim.
/// @return scores as the metric has them: squared distances for l2, similarities for the others.
/// @throws error errc::shape when the dimensions differ, or more queries than rows where self is excluded,
///         errc::not_finite naming the row.
template <Executor Exec = inline_executor>
knn_result<float> ground_truth(matrix_view<const float> rows, matrix_view<const float> queries, std::size_t k,
                               ground_truth_options options = {}, const Exec& executor = {}) {
  if (rows.cols() != queries.cols())
    raise(errc::shape, "ground_truth: queries of ", queries.cols(), " dimensions, rows of ", rows.cols());
  if (options.exclude_self && queries.rows() > rows.rows())
    raise(errc::shape, "ground_truth: ", queries.rows(), " queries cannot all be among ", rows.rows(), " rows");
  detail::require_finite(rows, "rows");
  detail::require_finite(queries, "queries");
  const std::size_t dim = rows.cols();
  const auto squared = detail::ops_at<detail::pair_ops>(active_isa()).squared_difference;
  const auto product = detail::ops_at<detail::pair_ops>(active_isa()).product;
  std::vector<float> of_rows, of_queries;
  if (options.metric == metric::cosine)
    of_rows = detail::inverse_norms(rows), of_queries = detail::inverse_norms(queries);
  const detail::pair_bounds bounds(rows, options.metric, of_rows, of_queries);
  const auto search = [&]<class Compare>(Compare, const auto& score) {
    return detail::exact_search<Compare>(rows, queries, k, options.exclude_self, bounds, executor, score);
  };
  switch (options.metric) {
    case metric::l2:
      return search(std::less<>{}, [&](std::size_t query, std::size_t row) {
        return squared(queries[query].data(), rows[row].data(), dim);
      });
    case metric::inner_product:
      return search(std::greater<>{}, [&](std::size_t query, std::size_t row) {
        return product(queries[query].data(), rows[row].data(), dim);
      });
    case metric::cosine: break;
  }
  return search(std::greater<>{}, [&](std::size_t query, std::size_t row) {
    return product(queries[query].data(), rows[row].data(), dim) * of_queries[query] * of_rows[row];
  });
}

}  // namespace embit::inline EMBIT_ABI
