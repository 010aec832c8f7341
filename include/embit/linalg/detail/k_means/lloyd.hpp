// k-means of one level: where it starts, and its rounds over all rows or over batches.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/centroid_panels.hpp>
#include <embit/linalg/detail/k_means/rounds.hpp>
#include <embit/linalg/k_means_options.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Told the mean squared distance after each round; false ends the rounds.
using k_means_watch = std::function<bool(double)>;

/// Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2.2. Where all rows are
/// drawn already, or copies of those, the rest are drawn alike.
inline std::vector<row_id> draw_plus_plus(const chosen_rows& rows, std::size_t count, rng& draws) {
  std::vector<row_id> drawn{static_cast<row_id>(uniform_index(draws, rows.size()))};
  std::vector<double> nearest(rows.size(), infinity<double>());
  while (drawn.size() < count) {
    double total = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      nearest[i] = (std::min)(nearest[i], double{squared_distance(rows[i], rows[drawn.back()], rows.all.cols())});
      total += nearest[i];
    }
    double left = static_cast<double>(random_bits(draws) >> 11) * 0x1p-53 * total;
    std::size_t at = static_cast<std::size_t>(uniform_index(draws, rows.size()));
    for (std::size_t i = 0; i < rows.size() && total > 0; ++i) {
      if (nearest[i] == 0) continue;
      at = i;
      if ((left -= nearest[i]) < 0) break;
    }
    drawn.push_back(static_cast<row_id>(at));
  }
  return drawn;
}

/// Rows to begin with, as many as there are clusters; where there are fewer rows, again from the first.
inline matrix<float> start_of(const chosen_rows& rows, std::size_t clusters, k_means_start start, rng& draws) {
  const std::size_t count = (std::min)(clusters, rows.size());
  const auto drawn =
      start == k_means_start::sampled ? draw_rows(rows.size(), count, draws) : draw_plus_plus(rows, count, draws);
  auto centroids = matrix<float>::uninitialized(clusters, rows.all.cols());
  for (std::size_t c = 0; c < clusters; ++c) std::copy_n(rows[drawn[c % count]], rows.all.cols(), centroids[c].begin());
  return centroids;
}

/// Rounds over some rows.
struct lloyd_rounds {
  const chosen_rows& rows;
  const k_means_options& options;
  const executor_ref& executor;

  double most() const noexcept { return options.balanced ? 2 : 8; }

  /// Moves the centroids to where their rows are. @param more  whether other rounds follow
  void move(std::span<const assigned_row> assigned, bool more, matrix<float>& centroids, rng& draws) const {
    const grouped_rows members = members_of(assigned, centroids.rows());
    move_to_means(rows, members, options.spherical, centroids, executor);
    cluster_repair repair(rows, members, assigned, centroids, draws);
    repair.fill_empty();
    if (more) repair.split_huge(most());
  }

  /// Rounds over all rows, until none changes its cluster.
  void run(matrix<float>& centroids, std::size_t rounds, rng& draws, const k_means_watch& watch) const {
    std::vector<assigned_row> assigned(rows.size()), before;
    for (std::size_t round = 0; round < rounds; ++round) {
      const centroid_panels panels(centroids, options.spherical);
      assign_rows(panels, rows, assigned, executor);
      if (watch && !watch(mean_distance(rows, assigned, centroids))) return;
      if (assigned == before) return;
      move(assigned, round + 1 < rounds, centroids, draws);
      before = assigned;
    }
  }

  /// Rounds over batches of rows, each centroid moving the less the more rows it has seen.
  /// Sculley, "Web-scale k-means clustering", WWW 2010, algorithm 1.
  void run_batches(matrix<float>& centroids, std::size_t rounds, rng& draws, const k_means_watch& watch) const {
    const std::size_t dim = centroids.cols(), batch = (std::min)(options.batch_rows, rows.size());
    std::vector<std::size_t> seen(centroids.rows());
    std::vector<assigned_row> assigned(batch);
    for (std::size_t round = 0; round < rounds; ++round) {
      auto which = draw_rows(rows.size(), batch, draws);
      for (row_id& i : which) i = rows.which[i];
      const chosen_rows part{rows.all, which};
      const centroid_panels panels(centroids, options.spherical);
      assign_rows(panels, part, assigned, executor);
      if (watch && !watch(mean_distance(part, assigned, centroids))) return;
      const grouped_rows members = members_of(assigned, centroids.rows());
      matrix<float> means = centroids;
      move_to_means(part, members, false, means, executor);
      for (std::size_t c = 0; c < centroids.rows(); ++c) {
        if (members.size(c) == 0) continue;
        seen[c] += members.size(c);
        const double share = static_cast<double>(members.size(c)) / static_cast<double>(seen[c]);
        for (std::size_t j = 0; j < dim; ++j)
          centroids[c][j] += static_cast<float>(share * (double{means[c][j]} - double{centroids[c][j]}));
        if (options.spherical && !make_unit(centroids[c]))
          std::copy_n(part[members.of(c)[0]], dim, centroids[c].begin());
      }
    }
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
