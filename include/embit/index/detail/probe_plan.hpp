// The order in which tables are probed: the cheapest way to raise the distance below which every row has been seen.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/index/detail/key_split.hpp>

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
             const probe_costs& costs)
      : cost_(1, 0) {
    const std::size_t tables = keys.size();
    std::vector<std::vector<double>> shell_cost(tables);
    for (std::size_t t = 0; t < tables; ++t) {
      double lookups = 1;
      for (std::size_t r = 0; r < shares[t].size(); ++r) {
        shell_cost[t].push_back(lookups * costs.lookup + shares[t][r] * static_cast<double>(rows) * costs.candidate);
        lookups = lookups * static_cast<double>(keys.length(t) - r) / static_cast<double>(r + 1);
      }
    }
    std::vector<std::size_t> next(tables, 0);
    for (std::size_t left = keys.bits() + tables; left > 0; --left) {
      std::size_t best = tables;
      for (std::size_t t = 0; t < tables; ++t) {
        if (next[t] == shell_cost[t].size()) continue;
        if (best == tables || shell_cost[t][next[t]] < shell_cost[best][next[best]]) best = t;
      }
      steps_.push_back({static_cast<std::uint16_t>(best), static_cast<std::uint16_t>(next[best])});
      cost_.push_back(cost_.back() + shell_cost[best][next[best]++]);
    }
  }

  std::size_t size() const noexcept { return steps_.size(); }
  const probe_step& operator[](std::size_t step) const noexcept { return steps_[step]; }

  /// Predicted cost of the steps [first, last); 0 where first is not below last. Steps past the end cost nothing.
  double cost(std::size_t first, std::size_t last) const noexcept {
    last = std::min(last, size());
    return first < last ? cost_[last] - cost_[first] : 0;
  }

  /// Multiplies all costs, once it is known how long real searches take.
  void scale(double factor) noexcept {
    for (double& c : cost_) c *= factor;
  }

  std::size_t memory() const noexcept {
    return steps_.capacity() * sizeof(probe_step) + cost_.capacity() * sizeof(double);
  }

 private:
  std::vector<probe_step> steps_;
  std::vector<double> cost_;  // of all steps before
};

}  // namespace embit::inline EMBIT_ABI::detail
