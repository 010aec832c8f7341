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

  /// @param entries  (key, row) pairs as `keyed_row`, in any order; keys are below 2^bits
  lsh_buckets(std::span<const std::uint64_t> entries, std::size_t bits) {
    const std::size_t directory_bits = (std::min)(bits, static_cast<std::size_t>(std::bit_width(entries.size())));
    shift_ = static_cast<unsigned>(bits - directory_bits);
    const std::vector<std::uint64_t> sorted = sort_into_slots(entries, std::size_t{1} << directory_bits);
    rows_.resize(entries.size());
    std::transform(sorted.begin(), sorted.end(), rows_.begin(), [](std::uint64_t e) { return row_of(e); });
    if (shift_ == 0) return;
    keys_.resize(entries.size());
    std::transform(sorted.begin(), sorted.end(), keys_.begin(), [](std::uint64_t e) { return key_of(e); });
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
  static std::uint32_t key_of(std::uint64_t entry) noexcept { return static_cast<std::uint32_t>(entry >> 32); }
  static row_id row_of(std::uint64_t entry) noexcept { return static_cast<row_id>(entry); }

  // Fills `starts_`. Entries come in the order of rows, or nearly so: few places have anything left to sort.
  std::vector<std::uint64_t> sort_into_slots(std::span<const std::uint64_t> entries, std::size_t places) {
    starts_.assign(places + 1, 0);
    for (const std::uint64_t e : entries) ++starts_[slot(key_of(e)) + 1];
    for (std::size_t s = 0; s < places; ++s) starts_[s + 1] += starts_[s];
    std::vector<std::uint64_t> sorted(entries.size());
    std::vector<std::uint32_t> next(starts_.begin(), starts_.end() - 1);
    for (const std::uint64_t e : entries) sorted[next[slot(key_of(e))]++] = e;
    for (std::size_t s = 0; s < places; ++s) {
      const auto place = std::span(sorted).subspan(starts_[s], starts_[s + 1] - starts_[s]);
      if (!std::ranges::is_sorted(place)) std::ranges::sort(place);
    }
    return sorted;
  }

  std::size_t slot(std::uint32_t key) const noexcept { return std::size_t{key} >> shift_; }

  aligned_vector<std::uint32_t> starts_;  // of every directory entry, and the end
  aligned_vector<std::uint32_t> keys_;    // of every row; empty where the directory tells them
  aligned_vector<row_id> rows_;
  unsigned shift_ = 0;
};

}  // namespace embit::inline EMBIT_ABI::detail
