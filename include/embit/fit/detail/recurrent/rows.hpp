// The rows of a training: which are learned from, which are held out, and what the held-out ones say of a network.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/fit/detail/held_out.hpp>
#include <embit/fit/detail/recurrent/net.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/fit/recurrent_options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

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
    auto out = matrix<float>::uninitialized(ids.size(), rows.cols());
    for (std::size_t i = 0; i < ids.size(); ++i) std::ranges::copy(rows[ids[i]], out[i].begin());
    return unit_copy(out);
  }

  /// At most `most` of the rows that are learned from, evenly spaced.
  std::vector<row_id> sample(std::size_t most) const {
    const std::size_t count = (std::min)(most, learned.rows());
    std::vector<row_id> ids(count);
    for (std::size_t i = 0; i < count; ++i) ids[i] = static_cast<row_id>(i * learned.rows() / count);
    return ids;
  }
};

/// Recall at 10 of the symmetric distance, held-out rows asking for those that are learned from.
template <Executor Exec>
class neighbour_score {
 public:
  neighbour_score(const split_rows& rows, const Exec& executor)
      : executor_(&executor),
        queries_(rows.held),
        base_(split_rows::gather(rows.learned, rows.sample(10000))),
        truth_(nearest_unit_rows(queries_, base_, 10, executor)) {}

  double operator()(const trained_net& net) const {
    const recurrent encoder(codes_of(net));
    const auto queries = unit_copy(encoder.values(queries_, *executor_));
    const auto base = unit_copy(encoder.values(base_, *executor_));
    return mean_overlap(truth_, nearest_unit_rows(queries, base, 10, *executor_));
  }

 private:
  const Exec* executor_;
  matrix<float> queries_, base_;
  matrix<row_id> truth_;
};

/// Mean average precision, held-out rows asking for those of their group.
template <Executor Exec>
class group_score {
 public:
  group_score(const split_rows& rows, std::span<const std::uint32_t> groups, const Exec& executor)
      : executor_(&executor), queries_(rows.held) {
    const auto ids = rows.sample(5000);
    base_ = split_rows::gather(rows.learned, ids);
    for (const row_id id : ids) base_groups_.push_back(groups[rows.learned_ids[id]]);
    for (const row_id id : rows.held_ids) query_groups_.push_back(groups[id]);
  }

  double operator()(const trained_net& net) const {
    const recurrent encoder(codes_of(net));
    const auto queries = unit_copy(encoder.values(queries_, *executor_));
    const auto base = unit_copy(encoder.values(base_, *executor_));
    return group_precision(queries, query_groups_, base, base_groups_, *executor_);
  }

 private:
  const Exec* executor_;
  matrix<float> queries_, base_;
  std::vector<std::uint32_t> query_groups_, base_groups_;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
