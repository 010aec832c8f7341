// What a sample of the rows, taken as queries, says about distances to come: of whole codes and of their keys.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/multi_tables.hpp>
#include <embit/index/detail/multi/probe_plan.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows of a store, evenly spread.
inline std::vector<row_id> spread_rows(std::size_t rows, std::size_t count) {
  count = (std::min)(rows, count);
  std::vector<row_id> picked(count);
  for (std::size_t i = 0; i < count; ++i) picked[i] = static_cast<row_id>(static_cast<std::uint64_t>(i) * rows / count);
  return picked;
}

/// Rows taken as queries, and rows to compare their keys with.
class row_sample {
 public:
  static constexpr std::size_t query_count = 16;

  explicit row_sample(const block_store<>& store)
      : query_rows_(spread_rows(store.size(), query_count)),
        queries_(store, query_rows_),
        rows_(spread_rows(store.size(), 1 << 14)),
        codes_(store, rows_) {}

  code_view<> queries() const noexcept { return queries_; }
  std::span<const row_id> query_rows() const noexcept { return query_rows_; }
  code_view<> codes() const noexcept { return codes_; }

  /// Set bits of a key, in operations that compilers make vectors of; std::popcount is a call on old processors.
  static constexpr std::uint32_t set_bits(std::uint32_t key) noexcept {
    key -= key >> 1 & 0x55555555;
    key = (key & 0x33333333) + (key >> 2 & 0x33333333);
    key = (key + (key >> 4)) & 0x0f0f0f0f;
    key += key >> 8;
    return (key + (key >> 16)) & 0x3f;
  }

  /// For each key, the share of rows at each difference from a query. Wide codes have many keys and use fewer rows.
  std::vector<std::vector<double>> shares(const key_split& keys) const {
    const std::size_t rows = std::min<std::size_t>(codes_.size(), std::max<std::size_t>((1 << 17) / keys.size(), 1024));
    std::vector<std::vector<double>> shares(keys.size());
    std::vector<std::uint32_t> row_keys(rows), differences(rows);
    for (std::size_t k = 0; k < keys.size(); ++k) {
      // Rows spread over all of the sample, whichever part of it is used.
      for (std::size_t i = 0; i < rows; ++i) row_keys[i] = keys.key(k, codes_[i * codes_.size() / rows].data(), 1);
      std::vector<std::size_t> counts(keys.length(k) + 1, 0);
      for (std::size_t q = 0; q < queries_.size(); ++q) {
        const std::uint32_t key = keys.key(k, queries_[q].data(), 1);
        for (std::size_t i = 0; i < rows; ++i) differences[i] = set_bits(key ^ row_keys[i]);
        for (const std::uint32_t d : differences) ++counts[d];
      }
      const double pairs = static_cast<double>(std::max<std::size_t>(rows * queries_.size(), 1));
      for (const std::size_t count : counts) shares[k].push_back(static_cast<double>(count) / pairs);
    }
    return shares;
  }

  /// For each distance from 0 on, the share of rows within it of a query.
  std::vector<double> shares_within() const {
    std::vector<std::size_t> counts(codes_.bits() + 1, 0);
    for (std::size_t q = 0; q < queries_.size(); ++q)
      for (std::size_t i = 0; i < codes_.size(); ++i) ++counts[hamming{}(queries_[q], codes_[i])];
    std::vector<double> shares;
    std::size_t within = 0;
    for (const std::size_t count : counts) {
      within += count;
      shares.push_back(static_cast<double>(within) / static_cast<double>(queries_.size() * codes_.size()));
    }
    return shares;
  }

 private:
  std::vector<row_id> query_rows_;
  code_store<> queries_;
  std::vector<row_id> rows_;
  code_store<> codes_;
};

/// How far the k-th neighbour of a query is, for the queries of a sample, itself left out.
class distance_forecast {
 public:
  distance_forecast() = default;
  distance_forecast(const block_store<>& store, const row_sample& sample) {
    if (store.size() < 2) return;
    const hamming kernel;
    knn_result<std::uint32_t> found;
    found.reset(sample.queries().size(), (std::min)(store.size(), longest_forecast + 1));
    knn_workspace<hamming, block_store<>> work;
    exhaustive_knn(kernel, store, inline_executor{}, sample.queries(), row_choice{}, found, work, nullptr);
    length_ = (std::min)(store.size() - 1, longest_forecast);
    queries_ = found.queries();
    distances_.resize(length_ * queries_);
    for (std::size_t q = 0; q < queries_; ++q) {
      std::size_t k = 0;
      for (const auto& n : found[q]) {
        if (k == length_) break;
        if (n.id != sample.query_rows()[q]) distances_[k++ * queries_ + q] = n.distance;
      }
      // Among more duplicates than are listed a query may not meet itself; then one more of them was listed.
    }
    for (std::size_t at = 0; at < distances_.size(); at += queries_)
      std::sort(distances_.data() + at, distances_.data() + at + queries_);
  }

  /// The distances to the k-th neighbour that the sample's queries have, in ascending order; k is cut to what is
  /// known, and nothing is known of fewer than 2 rows. Valid as long as the forecast.
  std::span<const std::uint32_t> distances(std::size_t k) const noexcept {
    if (length_ == 0) return {};
    k = std::clamp<std::size_t>(k, 1, length_);
    return {distances_.data() + (k - 1) * queries_, queries_};
  }

  std::size_t length() const noexcept { return length_; }

 private:
  std::size_t length_ = 0;  // neighbours known of each query
  std::size_t queries_ = 0;
  std::vector<std::uint32_t> distances_;  // those of the first neighbours, of the second, and so on
};

}  // namespace embit::inline EMBIT_ABI::detail
