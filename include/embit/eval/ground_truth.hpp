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
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/search/top_k.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct ground_truth_options {
  embit::metric metric = embit::metric::l2;
  bool exclude_self = false;  ///< query i is row i, and not a neighbour of itself
};

namespace detail {

/// 1 / |row|, 0 for a zero row.
inline std::vector<float> inverse_norms(matrix_view<const float> rows) {
  std::vector<float> inverse(rows.rows());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const float norm = std::sqrt(dot(rows[i].data(), rows[i].data(), rows.cols()));
    inverse[i] = norm > 0 ? 1 / norm : 0.f;
  }
  return inverse;
}

/// Queries [first, last) against all rows; score(query, row) is what results are sorted by.
template <class Compare, class Score>
void exact_range(std::size_t rows, std::size_t first, std::size_t last, std::size_t rows_at_once, std::size_t k,
                 bool exclude_self, const Score& score, knn_result<float>& result) {
  std::vector<heap_top_k<float, Compare>> best(last - first);
  for (auto& heap : best) heap.reset(k);
  for (std::size_t begin = 0; begin < rows; begin += rows_at_once) {
    const std::size_t end = (std::min)(begin + rows_at_once, rows);
    for (std::size_t query = first; query < last; ++query)
      for (std::size_t row = begin; row < end; ++row)
        if (!exclude_self || row != query) best[query - first].offer(static_cast<row_id>(row), score(query, row));
  }
  std::vector<neighbor<float>> kept;
  for (std::size_t query = first; query < last; ++query) {
    const auto list = best[query - first].kept();
    kept.assign(list.begin(), list.end());
    result.assign(query, select_top_k<Compare>(kept, k));
  }
}

template <class Compare, Executor Exec, class Score>
knn_result<float> exact_search(matrix_view<const float> rows, matrix_view<const float> queries, std::size_t k,
                               bool exclude_self, const Exec& executor, const Score& score) {
  constexpr std::size_t tile_bytes = std::size_t{1} << 18, queries_at_once = 16;
  const std::size_t rows_at_once =
      std::max<std::size_t>(tile_bytes / sizeof(float) / std::max<std::size_t>(rows.cols(), 1), 1);
  knn_result<float> result;
  result.reset(queries.rows(), (std::min)(k, rows.rows()));
  if (result.k() == 0) return result;
  // A worker takes 16 queries at a time, so that rows are read from memory once for all of them.
  const std::size_t pieces = queries.rows() / queries_at_once + 1;
  run_ranges(executor, queries.rows(), queries_at_once, pieces, [&](std::size_t first, std::size_t last, std::size_t) {
    exact_range<Compare>(rows.rows(), first, last, rows_at_once, result.k(), exclude_self, score, result);
  });
  return result;
}

}  // namespace detail

/// The k nearest of `rows` to each query, exactly: every pair is scored on its own, in float. Ties by the smaller row;
/// the list is shorter where there are fewer rows. O(n · queries · dim).
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
  const auto search = [&]<class Compare>(Compare, const auto& score) {
    return detail::exact_search<Compare>(rows, queries, k, options.exclude_self, executor, score);
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
  const auto of_rows = detail::inverse_norms(rows), of_queries = detail::inverse_norms(queries);
  return search(std::greater<>{}, [&](std::size_t query, std::size_t row) {
    return product(queries[query].data(), rows[row].data(), dim) * of_queries[query] * of_rows[row];
  });
}

}  // namespace embit::inline EMBIT_ABI
