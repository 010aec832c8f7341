// How many lists to look at, and how many candidates to score again: measured on rows that are held against the others.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/index/ivf_levels.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// What is planned for.
inline constexpr std::size_t planned_neighbors = 10;

/// Numbers of candidates that are looked at, up to the last.
inline constexpr std::array<std::size_t, 14> planned_candidates{10, 15, 20, 25,  30,  40,  50,
                                                                60, 75, 90, 130, 200, 320, 500};

/// Queries, and their nearest rows; those that are rows themselves do not count as their own neighbours.
struct plan_queries {
  matrix<float> queries;
  std::vector<row_id> own;  // the row that each query is, or none
  std::vector<std::vector<row_id>> nearest;

  template <Executor Exec>
  plan_queries(matrix_view<const float> rows, matrix<float> asked, std::vector<row_id> own_rows, embit::metric metric,
               const Exec& executor)
      : queries(std::move(asked)), own(std::move(own_rows)) {
    const auto found = ground_truth(rows, queries, planned_neighbors + !own.empty(), {.metric = metric}, executor);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
      auto& own_list = nearest.emplace_back();
      for (const auto& n : found[i])
        if (!is_own(i, n.id) && own_list.size() < planned_neighbors) own_list.push_back(n.id);
    }
  }

  /// Some of the rows.
  template <Executor Exec>
  static plan_queries drawn(matrix_view<const float> rows, std::size_t count, embit::metric metric, rng& draws,
                            const Exec& executor) {
    auto own = draw_rows(rows.rows(), (std::min)(count, rows.rows()), draws);
    matrix<float> asked(rows, own);
    return plan_queries(rows, std::move(asked), std::move(own), metric, executor);
  }

  bool is_own(std::size_t query, row_id row) const noexcept { return !own.empty() && own[query] == row; }

  bool is_near(std::size_t query, row_id row) const noexcept {
    return std::ranges::find(nearest[query], row) != nearest[query].end();
  }
  /// The share of the true neighbours that are in what was found.
  double recall(const knn_result<float>& found) const {
    std::size_t seen = 0, all = 0;
    for (std::size_t q = 0; q < queries.rows(); ++q) {
      all += nearest[q].size();
      for (const auto& n : found[q]) seen += is_near(q, n.id);
    }
    return all == 0 ? 1. : static_cast<double>(seen) / static_cast<double>(all);
  }
};

/// What share of the true neighbours is among the first candidates of so many lists, and how many rows these lists
/// have: of all numbers of probes up to `most`, by one search of as many lists. A row is among the first c candidates
/// of p lists from the number on that has its list, until c rows with smaller estimates are in these lists. (A
/// neighbour that more rows than were found are before in all lists counts as never found, though it may be among the
/// last candidates of fewer.)
class probe_curves {
 public:
  template <class Index>
  probe_curves(const Index& index, const plan_queries& asked, const knn_result<float>& found, std::size_t most)
      : rows_(most) {
    for (auto& curve : recall_) curve.resize(most + 1);
    const std::vector<row_id> list_of = index.lists_of_rows();
    std::vector<std::size_t> rank_of(index.list_count());
    std::size_t all = 0;
    for (std::size_t q = 0; q < asked.queries.rows(); ++q) {
      all += asked.nearest[q].size();
      const auto order = index.nearest_lists(asked.queries[q], most);
      double rows = 0;
      for (std::size_t rank = 0; rank < most; ++rank) {
        rank_of[order[rank]] = rank;
        rows_[rank] += rows += static_cast<double>(index.list_size(order[rank]));
      }
      before_.clear();
      for (const auto& n : found[q]) {
        if (asked.is_own(q, n.id)) continue;
        const std::size_t rank = rank_of[list_of[n.id]];
        if (asked.is_near(q, n.id)) count(rank);
        before_.insert(std::ranges::upper_bound(before_, rank), rank);
      }
    }
    for (auto& curve : recall_) {
      std::partial_sum(curve.begin(), curve.end(), curve.begin());
      for (double& r : curve) r = all == 0 ? 1. : r / static_cast<double>(all);
    }
    for (double& rows : rows_) rows /= static_cast<double>(std::max<std::size_t>(asked.queries.rows(), 1));
  }

  std::size_t most_probes() const noexcept { return rows_.size(); }
  /// Read by one query, on average.
  double rows(std::size_t probes) const noexcept { return rows_[probes - 1]; }
  /// @param candidates  which of `planned_candidates`
  double recall(std::size_t candidates, std::size_t probes) const noexcept { return recall_[candidates][probes - 1]; }

 private:
  /// A neighbour in the list of this rank, with rows of smaller estimates in the lists of the ranks `before_`.
  void count(std::size_t rank) {
    for (std::size_t c = 0; c < planned_candidates.size(); ++c) {
      const std::size_t wanted = planned_candidates[c];
      const std::size_t until = before_.size() < wanted ? rows_.size() : before_[wanted - 1];
      if (until <= rank) continue;
      recall_[c][rank] += 1;
      recall_[c][until] -= 1;
    }
  }

  std::array<std::vector<double>, planned_candidates.size()> recall_;
  std::vector<double> rows_;
  std::vector<std::size_t> before_;  // ascending
};

/// Points of a curve that rises: up to the probes that were chosen none has more than these have, beyond none less.
inline std::vector<recall_at_probe> rising_curve(const probe_curves& curves, std::size_t candidates,
                                                 std::size_t chosen) {
  std::vector<recall_at_probe> points;
  for (std::size_t probes = 1; probes <= curves.most_probes(); probes = (std::max)(probes + 1, probes * 11 / 10)) {
    if (probes > chosen && (points.empty() || points.back().probes < chosen))
      points.push_back({chosen, curves.recall(candidates, chosen)});
    if (points.empty() || points.back().probes < probes) points.push_back({probes, curves.recall(candidates, probes)});
  }
  if (points.back().probes < chosen) points.push_back({chosen, curves.recall(candidates, chosen)});
  const auto middle =
      static_cast<std::size_t>(std::ranges::find(points, chosen, &recall_at_probe::probes) - points.begin());
  for (std::size_t i = middle; i-- > 0;) points[i].recall = (std::min)(points[i].recall, points[i + 1].recall);
  for (std::size_t i = middle + 1; i < points.size(); ++i)
    points[i].recall = (std::max)(points[i].recall, points[i - 1].recall);
  return points;
}

/// Sets the probes and candidates with which an index finds `target` of the true neighbours at the least cost, and what
/// it finds with those candidates at other probes. Where all lists do not suffice, all are looked at.
template <class Index>
void choose_probes(Index& index, const plan_queries& asked, double target) {
  // A candidate is a row read from memory at a random place, which takes as long as the codes of so many rows.
  constexpr double rows_a_candidate = 50;
  constexpr double beyond_target = .005;  // what fewer candidates may cost
  constexpr std::size_t first_probes = 8;
  const std::size_t lists = index.list_count();
  std::size_t looked = (std::min)(first_probes, lists);
  auto found = index.search_in_lists(asked.queries, planned_candidates.back() + 1, looked);
  while (looked < lists && asked.recall(found) < (std::min)(target + beyond_target, 1.)) {
    looked = (std::min)(2 * looked, lists);
    found = index.search_in_lists(asked.queries, planned_candidates.back() + 1, looked);
  }
  const probe_curves curves(index, asked, found, looked);
  std::size_t probes = looked, candidates = planned_candidates.size() - 1;
  double least = infinity<double>();
  for (std::size_t p = 1; p <= looked; ++p)
    for (std::size_t c = 0; c < planned_candidates.size(); ++c) {
      const double cost = curves.rows(p) + rows_a_candidate * static_cast<double>(planned_candidates[c]);
      if (curves.recall(c, p) < target || cost >= least) continue;
      least = cost;
      probes = p;
      candidates = c;
    }
  index.set_probes(probes);
  index.set_candidates(planned_candidates[candidates]);
  index.set_recall_at_probes(rising_curve(curves, candidates, probes));
}

}  // namespace embit::inline EMBIT_ABI::detail
