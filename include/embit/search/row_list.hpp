// A short list of rows: a filter whose members are reached one by one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Some rows, in ascending order, each once. As a filter it lets these through; where it has few of those of an index
/// a search scores them alone, in time that does not grow with the index. Many are quicker as a `bitset`. Safe to read
/// from many threads.
class row_list {
 public:
  row_list() = default;
  /// In any order, again or not. O(n log n).
  explicit row_list(std::vector<row_id> rows) : rows_(std::move(rows)) {
    std::sort(rows_.begin(), rows_.end());
    rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
  }
  explicit row_list(std::span<const row_id> rows) : row_list(std::vector<row_id>(rows.begin(), rows.end())) {}

  std::size_t size() const noexcept { return rows_.size(); }
  bool empty() const noexcept { return rows_.empty(); }
  std::span<const row_id> rows() const& noexcept { return rows_; }
  std::span<const row_id> rows() const&& = delete;

  /// O(log size).
  bool operator()(row_id row) const noexcept { return std::binary_search(rows_.begin(), rows_.end(), row); }

  /// Those in [first, last).
  std::span<const row_id> between(std::size_t first, std::size_t last) const& noexcept {
    const auto from = std::partition_point(rows_.begin(), rows_.end(), [&](row_id row) { return row < first; });
    const auto to = std::partition_point(from, rows_.end(), [&](row_id row) { return row < last; });
    return {rows_.data() + (from - rows_.begin()), static_cast<std::size_t>(to - from)};
  }
  std::span<const row_id> between(std::size_t, std::size_t) const&& = delete;

  /// The same rows as members of a set of rows below `size`.
  /// @throws error errc::out_of_range for a row beyond.
  row_bitset bitset(std::size_t size) const {
    row_bitset members(size);
    for (const row_id row : rows_) members.set(row);
    return members;
  }

 private:
  std::vector<row_id> rows_;
};

}  // namespace embit::inline EMBIT_ABI
