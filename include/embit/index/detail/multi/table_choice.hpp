// Which tables a multi-index has: how many, and which bits tell their keys.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/index/detail/multi/bit_order.hpp>
#include <embit/index/detail/multi/distance_forecast.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/index/detail/multi/table_wishes.hpp>
#include <embit/index/multi_index_costs.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Mean predicted cost of searches whose last neighbours are that far.
inline double mean_cost(const probe_plan& plan, std::span<const std::uint32_t> distances) noexcept {
  double sum = 0;
  for (const std::uint32_t d : distances) sum += plan.cost_within(d);
  return distances.empty() ? 0 : sum / static_cast<double>(distances.size());
}

/// The number of tables that is asked for, or the cheapest; 0 where a scan is cheaper than any.
class table_choice {
 public:
  /// @param inlined  whether tables hold copies of the codes
  table_choice(const block_store<>& store, const row_sample& sample, const distance_forecast& distances,
               const table_wishes& wishes, bool inlined)
      : keys_(wishes.keys), store_(store), sample_(sample), wishes_(wishes), inlined_(inlined) {
    if (keys_ != 0) return;
    const auto neighbors = distances.distances(wishes.neighbors);
    double best = (std::numeric_limits<double>::max)();
    if (wishes.may_scan) best = worth_trying * wishes.costs.scan.for_each_of(1, 1, store.size(), store.words());
    for (std::size_t length = longest_tried, before = 0; length >= shortest_tried; --length) {
      const std::size_t count = (store.bits() + length - 1) / length;
      if (count == std::exchange(before, count) || too_large(count)) continue;
      const key_split split(store.bits(), count);
      const probe_plan plan(split, sample.shares(split), store.size(), costs_of(count));
      const double cost = wishes.radius ? plan.cost(0, std::size_t{*wishes.radius} + 1) : mean_cost(plan, neighbors);
      if (cost >= best) continue;
      best = cost;
      keys_ = count;
    }
  }

  std::size_t keys() const noexcept { return keys_; }

  /// The bits of each key.
  /// @throws error errc::argument for a number of keys that does not fit the width.
  key_split split(bool decorrelate) const {
    std::vector<std::uint16_t> order;
    if (decorrelate) {
      const std::size_t rows = std::min<std::size_t>(sample_.codes().size(), 4096);
      order = decorrelated_order({sample_.codes().data(), rows * store_.words()}, store_.bits(), keys_);
    }
    return key_split(store_.bits(), keys_, std::move(order));
  }

  /// Of searching that many tables.
  probe_costs costs() const noexcept { return costs_of(keys_); }

 private:
  // What a large cache holds, which several cores may share.
  static constexpr std::size_t table_cache_bytes = std::size_t{1} << 24;

  probe_costs costs_of(std::size_t count) const noexcept {
    const multi_index_costs& c = wishes_.costs;
    const std::size_t words = store_.words(), code_bytes = store_.size() * words * sizeof(word);
    const bool cached = (inlined_ ? count * code_bytes : code_bytes) <= table_cache_bytes;
    double each_word = cached ? c.candidate_word : c.far_candidate_word;
    if (!inlined_) each_word += code_bytes <= scan_costs::cache_bytes ? c.gathered_word : c.far_gathered_word;
    return {c.lookup, c.candidate + each_word * static_cast<double>(words)};
  }

  // Tables of row ids are chosen to be small: 20 bytes a row where the width allows it.
  bool too_large(std::size_t count) const noexcept {
    constexpr std::size_t tables_of_20_bytes = 4;
    const std::size_t fewest = (store_.bits() + longest_tried - 1) / longest_tried;
    return !inlined_ && count > (std::max)(tables_of_20_bytes, fewest);
  }

  std::size_t keys_;
  const block_store<>& store_;
  const row_sample& sample_;
  const table_wishes& wishes_;
  bool inlined_;
};

}  // namespace embit::inline EMBIT_ABI::detail
