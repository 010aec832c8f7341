// Rows by their key, for keys of up to 32 bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// A key and a row as one number, in the order of keys.
constexpr std::uint64_t keyed_row(std::uint32_t key, row_id row) noexcept { return std::uint64_t{key} << 32 | row; }

/// Row ids sorted by key under a directory of the highest key bits, which has about as many entries as there are rows.
/// Where the directory covers the whole key it is the address of the bucket; else the keys stand beside the rows, and
/// the few under one entry are searched. 4 to 8 bytes a row, and at most 8 more for the directory.
class lsh_buckets {
 public:
  lsh_buckets() = default;

  /// @param rows  how many there are; keys are below 2^bits
  /// @param each  `each(f)` calls f(key, row) for each of them, and is called twice; rows of a key ascend, or nearly so
  template <class Each>
  lsh_buckets(std::size_t rows, std::size_t bits, Each&& each) {
    const std::size_t directory_bits = (std::min)(bits, static_cast<std::size_t>(std::bit_width(rows)));
    shift_ = static_cast<unsigned>(bits - directory_bits);
    // Counts are kept two places up, so that after the prefix sum the place above a slot tells where its next row goes,
    // and once all are placed, where the next slot starts.
    starts_.assign((std::size_t{1} << directory_bits) + 2, 0);
    rows_.resize(rows);
    if (shift_ != 0) keys_.resize(rows);
    each([&](std::uint32_t key, row_id) { ++starts_[slot(key) + 2]; });
    for (std::size_t s = 1; s < starts_.size(); ++s) starts_[s] += starts_[s - 1];
    each([&](std::uint32_t key, row_id row) {
      const std::uint32_t at = starts_[slot(key) + 1]++;
      rows_[at] = row;
      if (shift_ != 0) keys_[at] = key;
    });
    starts_.pop_back();
    sort_slots();
  }

  /// The rows that have this key, in ascending order.
  std::span<const row_id> find(std::uint32_t key) const noexcept {
    const std::size_t first = starts_[slot(key)], last = starts_[slot(key) + 1];
    if (shift_ == 0) return {rows_.data() + first, last - first};
    const auto range = std::equal_range(keys_.data() + first, keys_.data() + last, key);
    return {rows_.data() + (range.first - keys_.data()), static_cast<std::size_t>(range.second - range.first)};
  }

  /// Ask for the memory that `find` reads: the directory, and once that is there, what it points to.
  void prefetch_directory(std::uint32_t key) const noexcept { __builtin_prefetch(starts_.data() + slot(key)); }
  void prefetch_bucket(std::uint32_t key) const noexcept {
    const std::size_t first = starts_[slot(key)];
    __builtin_prefetch(shift_ == 0 ? static_cast<const void*>(rows_.data() + first) : keys_.data() + first);
  }

  /// Calls `f(key, row)` for every row.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t s = 0; s + 1 < starts_.size(); ++s)
      for (std::size_t i = starts_[s]; i < starts_[s + 1]; ++i)
        f(shift_ == 0 ? static_cast<std::uint32_t>(s) : keys_[i], rows_[i]);
  }

  std::size_t memory() const noexcept {
    return (starts_.capacity() + keys_.capacity()) * sizeof(std::uint32_t) + rows_.capacity() * sizeof(row_id);
  }

 private:
  // Rows come in their order, or nearly so: few slots have anything left to sort.
  void sort_slots() {
    std::vector<std::uint64_t> entries;
    for (std::size_t s = 0; s + 1 < starts_.size(); ++s) {
      const std::size_t first = starts_[s], last = starts_[s + 1];
      const auto entry = [&](std::size_t i) { return keyed_row(shift_ == 0 ? 0 : keys_[i], rows_[i]); };
      std::size_t i = first + 1;
      while (i < last && entry(i - 1) < entry(i)) ++i;
      if (i >= last) continue;
      entries.clear();
      for (i = first; i < last; ++i) entries.push_back(entry(i));
      std::sort(entries.begin(), entries.end());
      for (i = first; i < last; ++i) {
        rows_[i] = static_cast<row_id>(entries[i - first]);
        if (shift_ != 0) keys_[i] = static_cast<std::uint32_t>(entries[i - first] >> 32);
      }
    }
  }

  std::size_t slot(std::uint32_t key) const noexcept { return std::size_t{key} >> shift_; }

  aligned_vector<std::uint32_t> starts_;  // of every directory entry, and the end
  aligned_vector<std::uint32_t> keys_;    // of every row; empty where the directory tells them
  aligned_vector<row_id> rows_;
  unsigned shift_ = 0;
};

}  // namespace embit::inline EMBIT_ABI::detail
