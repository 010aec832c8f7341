// The order in which tables are probed: the cheapest way to raise the distance below which every row has been seen.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/index/detail/multi/key_split.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// What the parts of a search cost, in nanoseconds.
struct probe_costs {
  double lookup = 0;     ///< finding a bucket
  double candidate = 0;  ///< comparing a code of a bucket
};

/// One step: all buckets of one table whose keys differ from the query's in `flips` bits.
struct probe_step {
  std::uint16_t table;
  std::uint16_t flips;
};

/// After s steps every row that was not met differs from the query in at least s bits: each step raises by one the
/// least possible difference in one key, and differences of keys add up. (Norouzi, Punjani and Fleet, "Fast exact
/// search in Hamming space with multi-index hashing", TPAMI 2014, proposition 3; a radius of its own for each key
/// after Qin et al., "GPH: similarity search in Hamming space", ICDE 2018.) So steps are ordered by cost: as the
/// radii of one key grow costlier, taking the cheapest next step is best for every s.
class probe_plan {
 public:
  probe_plan() : cost_(1, 0) {}

  /// @param shares  for each key, the share of rows at each difference from 0 to its length, one after another
  probe_plan(const key_split& keys, const std::vector<std::vector<double>>& shares, std::size_t rows,
             const probe_costs& costs);

  std::size_t size() const noexcept { return steps_.size(); }
  const probe_step& operator[](std::size_t step) const noexcept { return steps_[step]; }

  /// Predicted cost of the steps [first, last); 0 where first is not below last. Steps past the end cost nothing.
  double cost(std::size_t first, std::size_t last) const noexcept {
    last = (std::min)(last, size());
    return first < last ? cost_[last] - cost_[first] : 0;
  }

  /// After `step` steps, a row that was not met and differs in no more than `step` bits differs from the query in as
  /// many bits of each key as the next step of its table flips. So any one of these steps meets all such rows: this is
  /// the cheapest.
  const probe_step& tie(std::size_t step) const noexcept { return ties_[step].step; }
  /// Predicted cost of that one, in which only rows below some row count.
  double tie_cost(std::size_t step) const noexcept { return step < size() ? ties_[step].cost : 0; }
  /// Predicted cost of being certain of all rows within a distance that has many rows at it, of which few are wanted.
  double cost_within(std::size_t distance) const noexcept { return cost(0, distance) + tie_cost(distance); }

  std::size_t memory() const noexcept {
    return steps_.capacity() * sizeof(probe_step) + cost_.capacity() * sizeof(double) +
           ties_.capacity() * sizeof(tie_step);
  }

 private:
  // The share of a bucket that holds rows below the one that the list ends with, roughly: of many rows at the same
  // distance, the first are kept.
  static constexpr double tied_share = 0.4;

  struct tie_step {
    probe_step step;
    double cost;
  };

  std::vector<probe_step> steps_;
  std::vector<double> cost_;  // of all steps before
  std::vector<tie_step> ties_;
};

#if EMBIT_KERNELS_HERE
EMBIT_KERNELS_INLINE probe_plan::probe_plan(const key_split& keys, const std::vector<std::vector<double>>& shares,
                                            std::size_t rows, const probe_costs& costs)
    : cost_(1, 0) {
  const std::size_t tables = keys.size();
  std::vector<std::vector<double>> shell_cost(tables), tie_cost(tables);
  for (std::size_t t = 0; t < tables; ++t) {
    double lookups = 1;
    for (std::size_t r = 0; r < shares[t].size(); ++r) {
      const double candidates = shares[t][r] * static_cast<double>(rows);
      shell_cost[t].push_back(lookups * costs.lookup + candidates * costs.candidate);
      tie_cost[t].push_back(lookups * costs.lookup + tied_share * candidates * costs.candidate);
      lookups = lookups * static_cast<double>(keys.length(t) - r) / static_cast<double>(r + 1);
    }
  }
  std::vector<std::size_t> next(tables, 0);
  const auto cheapest = [&](const std::vector<std::vector<double>>& cost) {
    std::size_t best = tables;
    for (std::size_t t = 0; t < tables; ++t) {
      if (next[t] == cost[t].size()) continue;
      if (best == tables || cost[t][next[t]] < cost[best][next[best]]) best = t;
    }
    return best;
  };
  const auto step_of = [&](std::size_t table) {
    return probe_step{static_cast<std::uint16_t>(table), static_cast<std::uint16_t>(next[table])};
  };
  for (std::size_t left = keys.bits() + tables; left > 0; --left) {
    const std::size_t t = cheapest(tie_cost), best = cheapest(shell_cost);
    ties_.push_back({step_of(t), tie_cost[t][next[t]]});
    steps_.push_back(step_of(best));
    cost_.push_back(cost_.back() + shell_cost[best][next[best]++]);
  }
}
#endif

}  // namespace embit::inline EMBIT_ABI::detail
