// The rounds of k-means over some rows: assignment, means, and clusters that are empty or huge.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/centroid_panels.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/linalg/k_means_options.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Some of the rows: those with the numbers `which`.
struct chosen_rows {
  matrix_view<const float> all;
  std::span<const row_id> which;

  std::size_t size() const noexcept { return which.size(); }
  const float* operator[](std::size_t i) const noexcept { return all.data() + which[i] * all.stride(); }
};

inline float squared_distance(const float* a, const float* b, std::size_t dim) noexcept {
  return ops_at<pair_ops>(active_isa()).squared_difference(a, b, dim);
}

/// The nearest centroid of each row, the same whatever the executor.
inline void assign_rows(const centroid_panels& panels, const chosen_rows& rows, std::span<assigned_row> out,
                        const executor_ref& executor) {
  std::vector<centroid_panels::scratch> scratch(executor.concurrency());
  run_ranges(executor, rows.size(), centroid_panels::tile, executor.concurrency() * 4,
             [&](std::size_t first, std::size_t last, std::size_t worker) {
               panels.assign(rows.all, rows.which.subspan(first, last - first), out.subspan(first, last - first),
                             scratch[worker]);
             });
}

/// The mean of the squared distances of rows to what they are assigned to.
inline double mean_distance(const chosen_rows& rows, std::span<const assigned_row> assigned,
                            const matrix<float>& centroids) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    sum += double{squared_distance(rows[i], centroids[assigned[i].centroid].data(), rows.all.cols())};
  return sum / static_cast<double>(rows.size());
}

/// The rows of each cluster, in their own order, so that sums do not depend on the workers: positions among those
/// assigned.
inline grouped_rows members_of(std::span<const assigned_row> assigned, std::size_t clusters) {
  return grouped_rows(assigned.size(), clusters, [&](std::size_t i) { return std::size_t{assigned[i].centroid}; });
}

inline double square_of(std::span<const float> row) noexcept {
  double square = 0;
  for (const float x : row) square += double{x} * double{x};
  return square;
}

/// Makes unit length of a row; false where it has no direction.
inline bool make_unit(std::span<float> row) noexcept {
  const double square = square_of(row);
  if (!is_positive(square)) return false;
  const double inverse = 1 / std::sqrt(square);
  for (float& x : row) x = static_cast<float>(double{x} * inverse);
  return true;
}

/// Moves every centroid that has members to their mean, or its direction.
inline void move_to_means(const chosen_rows& rows, const grouped_rows& members, bool spherical,
                          matrix<float>& centroids, const executor_ref& executor) {
  const std::size_t dim = rows.all.cols();
  const auto add = ops_at<centroid_ops>(active_isa()).add;
  run_ranges(executor, centroids.rows(), 1, executor.concurrency() * 4,
             [&](std::size_t first, std::size_t last, std::size_t) {
               std::vector<double> sum(dim);
               std::vector<float> mean(dim);
               for (std::size_t c = first; c < last; ++c) {
                 if (members.size(c) == 0) continue;
                 std::ranges::fill(sum, 0.);
                 for (const row_id i : members.of(c)) add(rows[i], dim, sum.data());
                 const double inverse = 1 / static_cast<double>(members.size(c));
                 for (std::size_t j = 0; j < dim; ++j) mean[j] = static_cast<float>(sum[j] * inverse);
                 if (!spherical || make_unit(mean)) std::ranges::copy(mean, centroids[c].begin());
               }
             });
}

/// Gives clusters without members, and (`split`) small ones while there are huge ones, a row of a large cluster to
/// begin with. A cluster of equal rows, whatever its size, cannot be split and is left alone; where there are fewer
/// different rows than clusters, some centroids are therefore equal, and all but the first of them stay empty.
class cluster_repair {
 public:
  cluster_repair(const chosen_rows& rows, const grouped_rows& members, std::span<const assigned_row> assigned,
                 matrix<float>& centroids, rng& draws)
      : rows_(rows), members_(members), assigned_(assigned), centroids_(centroids), draws_(draws) {
    for (std::size_t c = 0; c < centroids.rows(); ++c) sizes_.push_back(members.size(c));
  }

  void fill_empty() {
    for (std::size_t c = 0; c < sizes_.size(); ++c)
      if (members_.size(c) == 0) take_row(c, row_of_large());
  }

  /// @param most  times the mean size
  void split_huge(double most) {
    const double mean = static_cast<double>(rows_.size()) / static_cast<double>(sizes_.size());
    std::vector<std::size_t> huge, small_ones;
    for (std::size_t c = 0; c < sizes_.size(); ++c) {
      if (static_cast<double>(members_.size(c)) > most * mean) huge.push_back(c);
      if (members_.size(c) > 0 && static_cast<double>(members_.size(c)) < mean / 2) small_ones.push_back(c);
    }
    const auto larger = [&](std::size_t a, std::size_t b) { return members_.size(a) > members_.size(b); };
    std::ranges::stable_sort(huge, larger);
    std::ranges::stable_sort(small_ones, larger);
    for (const std::size_t c : huge) {
      if (small_ones.empty()) return;
      const auto of = members_.of(c);
      for (std::size_t trial = 0; trial < trials; ++trial) {
        const row_id i = of[static_cast<std::size_t>(uniform_index(draws_, of.size()))];
        if (!differs(i)) continue;
        take_row(small_ones.back(), i);
        small_ones.pop_back();
        break;
      }
    }
  }

 private:
  static constexpr std::size_t trials = 16;

  bool differs(row_id i) const noexcept {
    return squared_distance(rows_[i], centroids_[assigned_[i].centroid].data(), rows_.all.cols()) > 0;
  }

  /// Of some rows drawn, that of the largest cluster which is not its centroid already.
  row_id row_of_large() {
    row_id best = 0;
    std::size_t size = 0;
    for (std::size_t trial = 0; trial < trials; ++trial) {
      const auto i = static_cast<row_id>(uniform_index(draws_, rows_.size()));
      const std::size_t own = sizes_[assigned_[i].centroid];
      if (trial == 0) best = i;
      if (own <= size || !differs(i)) continue;
      best = i;
      size = own;
    }
    sizes_[assigned_[best].centroid] /= 2;
    return best;
  }

  void take_row(std::size_t cluster, row_id i) { std::copy_n(rows_[i], rows_.all.cols(), centroids_[cluster].begin()); }

  const chosen_rows& rows_;
  const grouped_rows& members_;
  std::span<const assigned_row> assigned_;
  matrix<float>& centroids_;
  rng& draws_;
  std::vector<std::size_t> sizes_;
};

}  // namespace embit::inline EMBIT_ABI::detail
