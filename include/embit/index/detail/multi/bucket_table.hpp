// A direct-address table of rows by one key: prefix sums over all keys, rows in bucket order, their codes beside them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/line_scan.hpp>
#include <embit/store/block_store.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

/// Rows by one key. Rows of a bucket ascend. Built by counting sort.
class bucket_table {
 public:
  bucket_table() = default;

  /// The table of key `which` of the first `rows` codes; with a copy of the codes in bucket order where `inlined`.
  /// O(rows · words + 2^length).
  bucket_table(const block_store<>& store, std::size_t rows, const key_split& keys, std::size_t which, bool inlined);

  /// Places in `ids()` of the rows with that key.
  code_range bucket(std::uint32_t key) const noexcept {
    const std::uint32_t first = starts_[key];
    return {first, starts_[key + 1] - first};
  }
  /// Where `bucket` will look.
  const void* start(std::uint32_t key) const noexcept { return starts_.data() + key; }
  std::span<const row_id> ids() const noexcept {
    return {reinterpret_cast<const row_id*>(memory_.data() + codes_bytes()), rows_};
  }
  /// Codes in the order of `ids()`, row-major, where they are inlined.
  const word* codes() const noexcept { return reinterpret_cast<const word*>(memory_.data()); }

  std::size_t memory() const noexcept { return starts_.capacity() * sizeof(std::uint32_t) + memory_.capacity(); }

 private:
  // Rows that are sorted at once: more are first parted by the upper bits of their keys, since a cache has no room for
  // the ends of so many buckets.
  static constexpr std::size_t sorted_at_once = 1 << 16, part_bits = 8;

  std::size_t codes_bytes() const noexcept { return rows_ * words_ * sizeof(word); }

  template <class Key>
  void fill_any(const block_store<>& store, std::size_t length, const Key& key);
  template <class Key, class Words>
  void fill(const block_store<>& store, std::size_t length, const Key& key, Words words);

  std::size_t rows_ = 0, words_ = 0;
  aligned_vector<std::uint32_t> starts_;
  aligned_vector<std::byte> memory_;  // codes, and then rows: so large that both are on huge pages
};

}  // namespace embit::inline EMBIT_ABI::detail
