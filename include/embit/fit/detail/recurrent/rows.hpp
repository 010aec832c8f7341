// The rows of a training: which are learned from, which are held out, and what the held-out ones say of a network.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/detail/recurrent/net.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/fit/recurrent_options.hpp>
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

using trained_net = recurrent_net<>;

/// Rows of unit length, some to learn from, some held out.
struct split_rows {
  std::vector<row_id> learned_ids, held_ids;  ///< in the caller's rows
  matrix<float> learned, held;

  split_rows(matrix_view<const float> rows, const recurrent_options& options, rng& engine) {
    std::vector<row_id> order(rows.rows());
    std::iota(order.begin(), order.end(), row_id{0});
    shuffle(std::span(order), engine);
    const std::size_t held_count = rows.rows() - learned_count(rows, options);
    held_ids.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(held_count));
    learned_ids.assign(order.begin() + static_cast<std::ptrdiff_t>(held_count), order.end());
    std::ranges::sort(learned_ids);
    learned = gather(rows, learned_ids);
    held = gather(rows, held_ids);
  }

  static std::size_t learned_count(matrix_view<const float> rows, const recurrent_options& options) {
    return rows.rows() - (std::min)(options.held_out, rows.rows() / 10);
  }

  static matrix<float> gather(matrix_view<const float> rows, std::span<const row_id> ids) {
    return unit_copy(matrix<float>(rows, ids));
  }

  /// At most `most` of the rows that are learned from, evenly spaced.
  std::vector<row_id> sample(std::size_t most) const {
    const std::size_t count = (std::min)(most, learned.rows());
    std::vector<row_id> ids(count);
    for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<row_id>(i * learned.rows() / count);
    return ids;
  }
};

/// What a network makes of rows and queries, compared by cosine.
template <Executor Exec>
product_scores scores_of(const trained_net& net, matrix_view<const float> rows, matrix_view<const float> queries,
                         const Exec& executor) {
  const recurrent encoder(codes_of(net));
  return {unit_copy(encoder.values(queries, executor)), unit_copy(encoder.values(rows, executor))};
}

/// Held-out rows as queries for those that are learned from, with the exact ten nearest.
template <Executor Exec>
held_out held_out_of(const split_rows& rows, const Exec& executor) {
  return held_out(split_rows::gather(rows.learned, rows.sample(10000)), rows.held, metric::inner_product, 10, executor);
}

/// Recall at 10 of the symmetric distance, held-out rows asking for those that are learned from.
template <Executor Exec>
class neighbour_score {
 public:
  neighbour_score(const split_rows& rows, const Exec& executor)
      : executor_(&executor), held_(held_out_of(rows, executor)) {}

  double operator()(const trained_net& net) const {
    return held_.recall([&](auto rows, auto queries) { return scores_of(net, rows, queries, *executor_); }, *executor_);
  }

 private:
  const Exec* executor_;
  held_out held_;
};

/// Mean average precision, held-out rows asking for those of their group; those without any ask for nothing.
template <Executor Exec>
class group_score {
 public:
  group_score(const split_rows& rows, std::span<const std::uint32_t> groups, const Exec& executor)
      : executor_(&executor) {
    const auto ids = rows.sample(5000);
    base_ = split_rows::gather(rows.learned, ids);
    for (const row_id id : ids) base_groups_.push_back(groups[rows.learned_ids[id]]);
    std::vector<row_id> asking;
    for (std::size_t i = 0; i < rows.held_ids.size(); ++i) {
      const std::uint32_t group = groups[rows.held_ids[i]];
      if (std::ranges::find(base_groups_, group) == base_groups_.end()) continue;
      asking.push_back(static_cast<row_id>(i));
      query_groups_.push_back(group);
    }
    queries_ = matrix<float>(asking.size(), rows.held.cols());
    for (std::size_t q = 0; q < asking.size(); ++q) std::ranges::copy(rows.held[asking[q]], queries_[q].begin());
  }

  double operator()(const trained_net& net) const {
    if (query_groups_.empty()) return 0;
    const auto found = best_by_products(scores_of(net, base_, queries_, *executor_), base_.rows(), *executor_);
    return mean_average_precision(found, std::span(base_groups_), std::span(query_groups_));
  }

 private:
  const Exec* executor_;
  matrix<float> queries_, base_;
  std::vector<std::uint32_t> query_groups_, base_groups_;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
