// k-means of two levels: clusters of rows, clusters of those, and rounds over all of the latter by way of the former.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/centroid_panels.hpp>
#include <embit/linalg/detail/k_means/lloyd.hpp>
#include <embit/linalg/detail/k_means/rounds.hpp>
#include <embit/linalg/k_means_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The groups whose centroids are nearest to that of each group, itself first.
inline std::vector<std::vector<row_id>> near_groups(const matrix<float>& tops, std::size_t count) {
  std::vector<std::vector<row_id>> nearest(tops.rows());
  std::vector<float> distance(tops.rows());
  std::vector<row_id> order(tops.rows());
  for (std::size_t t = 0; t < tops.rows(); ++t) {
    for (std::size_t u = 0; u < tops.rows(); ++u)
      distance[u] = t == u ? -1.f : squared_distance(tops[t].data(), tops[u].data(), tops.cols());
    std::iota(order.begin(), order.end(), row_id{0});
    std::ranges::stable_sort(order, {}, [&](row_id u) { return distance[u]; });
    nearest[t].assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>((std::min)(count, order.size())));
  }
  return nearest;
}

/// Assigns the rows of every group to the centroids of the groups about it: not always to the nearest of all, in a
/// fraction of the time.
class grouped_assignment {
 public:
  /// Groups about one that are looked at. @param members  the rows of each group
  static constexpr std::size_t groups_near = 12;

  grouped_assignment(const chosen_rows& rows, const matrix<float>& tops, const grouped_rows& members)
      : rows_(rows), tops_(tops), members_(members), near_(near_groups(tops, groups_near)) {}

  void operator()(const matrix<float>& centroids, bool spherical, std::span<assigned_row> out,
                  const executor_ref& executor) const {
    std::vector<row_id> all(centroids.rows());
    std::iota(all.begin(), all.end(), row_id{0});
    std::vector<assigned_row> top_of(centroids.rows());
    assign_rows(centroid_panels(tops_, spherical), {centroids.view(), all}, top_of, executor);
    const grouped_rows leaves = members_of(top_of, tops_.rows());
    run_bulk(executor, tops_.rows(), [&](std::size_t group, std::size_t) {
      std::vector<row_id> candidates;
      for (const row_id near_one : near_[group])
        candidates.insert(candidates.end(), leaves.of(near_one).begin(), leaves.of(near_one).end());
      if (candidates.empty()) candidates = all;
      std::ranges::sort(candidates);  // ties go to the smaller number
      assign(group, centroids, candidates, spherical, out);
    });
  }

 private:
  void assign(std::size_t group, const matrix<float>& centroids, const std::vector<row_id>& candidates, bool spherical,
              std::span<assigned_row> out) const {
    matrix<float> chosen(candidates.size(), centroids.cols());
    for (std::size_t c = 0; c < candidates.size(); ++c) std::ranges::copy(centroids[candidates[c]], chosen[c].begin());
    const centroid_panels panels(chosen, spherical);
    std::vector<row_id> which;
    for (const row_id position : members_.of(group)) which.push_back(rows_.which[position]);
    std::vector<assigned_row> found(which.size());
    centroid_panels::scratch scratch;
    panels.assign(rows_.all, which, found, scratch);
    for (std::size_t i = 0; i < found.size(); ++i)
      out[members_.of(group)[i]] = {candidates[found[i].centroid], found[i].score};
  }

  const chosen_rows& rows_;
  const matrix<float>& tops_;
  const grouped_rows& members_;
  std::vector<std::vector<row_id>> near_;
};

/// `clusters` centroids of two levels. @param watch  told the mean distance in each round of the upper level, and
/// in each refinement
inline matrix<float> train_tree(const chosen_rows& rows, std::size_t clusters, std::size_t rounds,
                                const k_means_options& options, const executor_ref& executor, rng& draws,
                                const k_means_watch& watch) {
  const auto groups = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(clusters))));
  bool stopped = false;
  const k_means_watch watched = [&](double distance) { return !(stopped = stopped || (watch && !watch(distance))); };
  const lloyd_rounds upper{rows, options, executor};
  matrix<float> tops = start_of(rows, groups, options.start, draws);
  upper.run(tops, rounds, draws, watched);
  std::vector<assigned_row> assigned(rows.size());
  assign_rows(centroid_panels(tops, options.spherical), rows, assigned, executor);
  const grouped_rows members = members_of(assigned, groups);
  const auto share = shares_of(members, groups, clusters);
  std::vector<std::size_t> first(groups);
  std::exclusive_scan(share.begin(), share.end(), first.begin(), std::size_t{0});

  auto centroids = matrix<float>::uninitialized(clusters, rows.all.cols());
  const std::size_t lower_rounds = stopped ? 0 : rounds;
  const inline_executor here;
  const executor_ref alone(here);
  run_bulk(executor, groups, [&](std::size_t group, std::size_t) {
    if (share[group] == 0) return;
    std::vector<row_id> which;
    for (const row_id position : members.of(group)) which.push_back(rows.which[position]);
    const chosen_rows own{rows.all, which};
    rng own_draws = draws.split(group);
    matrix<float> leaves = start_of(own, share[group], options.start, own_draws);
    lloyd_rounds{own, options, alone}.run(leaves, lower_rounds, own_draws, {});
    std::ranges::copy(leaves.values(), centroids[first[group]].begin());
  });

  const grouped_assignment assign(rows, tops, members);
  for (std::size_t round = 0; round < options.refinements && !stopped; ++round) {
    assign(centroids, options.spherical, assigned, executor);
    const bool more = !watch || watched(mean_distance(rows, assigned, centroids));
    upper.move(assigned, more && round + 1 < options.refinements, centroids, draws);
  }
  return centroids;
}

}  // namespace embit::inline EMBIT_ABI::detail
