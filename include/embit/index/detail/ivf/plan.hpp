// How many lists an index has, and how many a search looks at for the recall that is wanted.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_choice.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What share of the nearest neighbours searches found that looked at so many lists.
struct recall_at_probe {
  std::size_t probes = 0;
  double recall = 0;
  friend bool operator==(const recall_at_probe&, const recall_at_probe&) = default;
};

namespace detail {

/// Lists for n codes. A scan of the centroids costs as much as one of as many rows. The more lists, the fewer rows hold
/// most neighbours, but the last of them lie in ever more lists: few lists are better beyond a recall of .98. Many
/// lists are whole superblocks of centroids, which are compared with many codes at once.
inline std::size_t planned_lists(std::size_t n, double target_recall) {
  constexpr std::size_t fewest_in_list = 64;  // on average
  const double root = std::sqrt(static_cast<double>(n));
  auto lists = static_cast<std::size_t>(target_recall <= .98 ? 4 * root : root);
  if (lists > superblock_rows) lists = (lists + superblock_rows / 2) / superblock_rows * superblock_rows;
  return std::max<std::size_t>((std::min)(lists, n / fewest_in_list), 1);
}

/// Where only `members` of the rows may be found, as many lists as have as many of these as `probes` lists have rows;
/// at most all.
inline std::size_t widened_probes(std::size_t probes, std::size_t members, std::size_t rows,
                                  std::size_t lists) noexcept {
  const double share = static_cast<double>(members) / static_cast<double>(rows);
  const double wanted = std::ceil(static_cast<double>(probes) / (std::max)(share, 1e-9));
  return static_cast<std::size_t>((std::min)(wanted, static_cast<double>(lists)));
}

/// How many of `rows` rows may be found, as far as that is known without asking a predicate; `others` where it is not.
inline std::size_t known_members(const row_choice& choice, std::size_t rows, std::size_t others) noexcept {
  return choice.bitset() != nullptr || choice.list() != nullptr ? choice.at_most(0, rows) : others;
}

/// Whether so few rows may be found that to read these alone is cheaper than to look for them in lists.
inline bool is_sparse(std::size_t members, std::size_t rows) noexcept {
  constexpr std::size_t sparse = 200;
  return members < rows / sparse;
}

/// The share of the `k` nearest neighbours that are in the first lists of a query, averaged over queries.
class probe_recall {
 public:
  probe_recall(std::size_t lists, std::size_t k) : found_at_(lists), k_(k) {}

  /// @param ranks  of the lists of rows that are as near as the k nearest, where the nearest list has rank 0; there may
  ///               be more than k. They are put in order.
  void add(std::vector<std::size_t>& ranks) {
    std::sort(ranks.begin(), ranks.end());
    const std::size_t found = (std::min)(ranks.size(), k_);
    for (std::size_t i = 0; i < found; ++i) ++found_at_[ranks[i]];
    total_ += found;
  }

  /// At 1, 2, 3, 4, 6, 8, 12, … lists, and at the first number that has all. Nothing where no query had neighbours.
  std::vector<recall_at_probe> curve() const {
    std::vector<recall_at_probe> points;
    if (total_ == 0) return points;
    std::size_t found = 0, next = 1;
    for (std::size_t probes = 1; probes <= found_at_.size(); ++probes) {
      found += found_at_[probes - 1];
      if (probes != next && found != total_) continue;
      points.push_back({probes, static_cast<double>(found) / static_cast<double>(total_)});
      if (found == total_) break;
      next = following(next);
    }
    return points;
  }
  /// The fewest lists that have this share of the neighbours; all where no query had any.
  std::size_t probes_for(double recall) const {
    const double wanted = recall * static_cast<double>(total_);
    std::size_t found = 0, probes = 0;
    while (probes < found_at_.size() && (total_ == 0 || static_cast<double>(found) < wanted))
      found += found_at_[probes++];
    return std::max<std::size_t>(probes, 1);
  }

 private:
  static constexpr std::size_t following(std::size_t probes) noexcept {
    if (probes < 3) return probes + 1;
    return (probes & (probes - 1)) == 0 ? probes / 2 * 3 : probes / 3 * 4;
  }

  std::vector<std::size_t> found_at_;  // neighbours in the list of each rank
  std::size_t k_, total_ = 0;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
