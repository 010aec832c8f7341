// The tables of a multi-index: over the first rows of a store, with what is known about searching them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/bucket_table.hpp>
#include <embit/index/detail/multi/flip_list.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/index/detail/multi/table_probe.hpp>
#include <embit/index/detail/multi/table_wishes.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

class row_sample;
class distance_forecast;

/// Neighbours of which it is known how far they are; beyond, powers of two times as many.
inline constexpr std::size_t longest_forecast = 1024;

/// The tables over the first rows of a store, with what is known about searching them. Without any where they would
/// not pay.
template <bool Inlined>
class multi_tables {
 public:
  /// Of no codes.
  multi_tables() : multi_tables(block_store<>(word_bits), {}, inline_executor{}) {}

  /// @throws error errc::argument for a number of keys that does not fit the width.
  multi_tables(const block_store<>& store, const table_wishes& wishes, const executor_ref& executor);

  bool empty() const noexcept { return tables_.empty(); }
  /// Rows that the tables hold, or would hold if they paid.
  std::size_t rows() const noexcept { return rows_; }
  const key_split& keys() const noexcept { return keys_; }
  const probe_plan& plan() const noexcept { return plan_; }

  /// About what it takes to build as many tables over so many codes, in nanoseconds.
  double build_cost(const block_store<>& store) const noexcept {
    constexpr double choice = 10e6, row = 10, each_word = 4;
    const double keys = static_cast<double>(tables_.size()), words = static_cast<double>(store.words());
    return choice + static_cast<double>(store.size()) * keys * (row + each_word * words);
  }

  table_set set(const block_store<>& store) const noexcept {
    return {store, keys_, tables_, flips_, plan_, scan_, by_line_, costs_};
  }

  /// What is expected of a search for k neighbours: how far the last one is, and what it costs to be certain of it.
  struct outlook {
    std::size_t distance;
    double cost;
  };
  outlook expect(std::size_t k) const noexcept {
    if (outlooks_.empty()) return {keys_.bits(), plan_.cost(0, plan_.size())};
    if (k <= longest_forecast) return outlooks_[std::clamp<std::size_t>(k, 1, outlooks_.size()) - 1];
    const std::size_t doublings = static_cast<std::size_t>(std::bit_width((k - 1) / longest_forecast));
    return outlooks_[(std::min)(longest_forecast - 1 + doublings, outlooks_.size() - 1)];
  }

  /// What it costs to find all rows within a radius. A row is met in several tables, and sorted out of all that were.
  double cost_within(std::size_t radius) const noexcept {
    constexpr double row = 90;  // beyond what a scan takes for it
    const auto beyond = std::partition_point(outlooks_.begin(), outlooks_.end(),
                                             [&](const outlook& o) { return o.distance <= radius; });
    const auto known = static_cast<std::size_t>(beyond - outlooks_.begin());
    const double rows = known <= longest_forecast
                            ? static_cast<double>(known)
                            : std::ldexp(double{longest_forecast}, static_cast<int>(known - longest_forecast));
    return plan_.cost(0, radius + 1) + row * rows;
  }

  std::size_t memory() const noexcept {
    std::size_t bytes = plan_.memory() + outlooks_.capacity() * sizeof(outlook) +
                        tables_.capacity() * sizeof(bucket_table) + flips_.capacity() * sizeof(flip_list) +
                        keys_.order().size() * sizeof(std::uint16_t);
    for (const auto& t : tables_) bytes += t.memory();
    for (const auto& f : flips_) bytes += f.memory();
    return bytes;
  }

 private:
  void fill(const block_store<>& store, const executor_ref& executor);
  void forecast(const row_sample& sample, const distance_forecast& distances);

  key_split keys_;
  bucket_scan scan_;
  line_scan by_line_;
  moved_value<> rows_;
  std::vector<bucket_table> tables_;
  std::vector<flip_list> flips_;
  probe_costs costs_;
  probe_plan plan_;
  std::vector<outlook> outlooks_;  // for each k that the forecast knows, then for doubles of the last
};

}  // namespace embit::inline EMBIT_ABI::detail
