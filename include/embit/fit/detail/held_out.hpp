// How good codes are on rows that are held out of training.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/activation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline matrix<float> unit_copy(matrix_view<const float> rows) {
  matrix<float> out(rows.rows(), rows.cols());
  std::vector<float> norms(rows.rows());
  unit_rows::forward(rows, out.view(), norms);
  return out;
}

/// Calls f(query, similarities to all rows) for unit queries and rows, a block of queries at a time.
template <Executor Exec, class F>
void for_each_query(matrix_view<const float> queries, matrix_view<const float> rows, const Exec& executor, F&& f) {
  constexpr std::size_t block = 48;
  const row_panels packed(rows);
  run_ranges(executor, queries.rows(), block, queries.rows(), [&](std::size_t first, std::size_t last, std::size_t) {
    matrix<float> similar(last - first, rows.rows());
    gemm(queries.middle_rows(first, last - first), packed, similar);
    for (std::size_t q = first; q < last; ++q) f(q, std::span<const float>(similar[q - first]));
  });
}

/// The k most similar rows of each unit query, in no order, ties by the smaller row.
template <Executor Exec>
matrix<row_id> nearest_unit_rows(matrix_view<const float> queries, matrix_view<const float> rows, std::size_t k,
                                 const Exec& executor) {
  matrix<row_id> found(queries.rows(), (std::min)(k, rows.rows()));
  for_each_query(queries, rows, executor, [&](std::size_t q, std::span<const float> similar) {
    std::vector<row_id> order(similar.size());
    std::iota(order.begin(), order.end(), row_id{0});
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(found.cols() - 1), order.end(),
                     [&](row_id a, row_id b) { return similar[a] != similar[b] ? similar[a] > similar[b] : a < b; });
    std::copy_n(order.begin(), found.cols(), found[q].begin());
  });
  return found;
}

/// The mean share of the rows of `truth` that are in `found`.
inline double mean_overlap(const matrix<row_id>& truth, const matrix<row_id>& found) {
  std::size_t hits = 0;
  for (std::size_t q = 0; q < truth.rows(); ++q)
    for (const row_id id : found[q]) hits += static_cast<std::size_t>(std::ranges::count(truth[q], id));
  return static_cast<double>(hits) / static_cast<double>(std::max<std::size_t>(truth.values().size(), 1));
}

/// The mean average precision of unit queries among unit rows, where those of the same group are relevant; queries
/// without any are left out.
template <Executor Exec>
double group_precision(matrix_view<const float> queries, std::span<const std::uint32_t> query_groups,
                       matrix_view<const float> rows, std::span<const std::uint32_t> row_groups, const Exec& executor) {
  std::vector<double> found(queries.rows(), -1.);
  for_each_query(queries, rows, executor, [&](std::size_t q, std::span<const float> similar) {
    std::vector<row_id> order(similar.size());
    std::iota(order.begin(), order.end(), row_id{0});
    std::ranges::sort(order,
                      [&](row_id a, row_id b) { return similar[a] != similar[b] ? similar[a] > similar[b] : a < b; });
    double hits = 0, sum = 0;
    for (std::size_t i = 0; i < order.size(); ++i)
      if (row_groups[order[i]] == query_groups[q]) sum += ++hits / static_cast<double>(i + 1);
    if (hits > 0) found[q] = sum / hits;
  });
  double sum = 0, count = 0;
  for (const double p : found)
    if (p >= 0) sum += p, ++count;
  return count > 0 ? sum / count : 0.;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
